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
    pid: int


@contextmanager
def running(checkout: Path = ROOT, **environment: str) -> Iterator[Served]:
    """Run the page of a checkout, with further environment variables, and stop it in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", **environment}
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "app.py"], cwd=checkout, env=environment, stdout=subprocess.DEVNULL)
    try:
        while not _answers(url):
            if server.poll() is not None:
                sys.exit(f"the page of {checkout} ended with exit code {server.returncode}")
            time.sleep(0.5)
        yield Served(url, server.pid)
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True
