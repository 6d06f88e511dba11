"""Run the page in a process of its own, so that what is measured does not share it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Served:
    """A page that is running."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid


@contextmanager
def running(checkout: Path = ROOT, log: Path = Path(os.devnull), **environment: str) -> Iterator[Served]:
    """Run the page of a checkout, with further environment variables, and stop it in the end.

    What it prints goes to the file `log`. Raises RuntimeError if it ends instead of answering.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", **environment}
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=checkout, env=environment, stdout=output, stderr=output
        )
    try:
        while not _answers(url):
            if process.poll() is not None:
                raise RuntimeError(f"the page of {checkout} ended with exit code {process.returncode}")
            time.sleep(0.5)
        yield Served(url, process)
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True
