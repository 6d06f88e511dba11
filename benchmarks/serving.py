"""Run the page, and a Dask cluster, in processes of their own, apart from what measures them."""

import json
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
    """Run a checkout's page, with further environment variables, and stop it afterwards.

    What it prints goes to the file `log`. Raises RuntimeError if it ends instead of starting.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", **environment}
    url = f"http://127.0.0.1:{port}"
    with log.open("w", encoding="utf-8") as output:
        command = [sys.executable, "app.py"]
        process = subprocess.Popen(command, cwd=checkout, env=environment, stdout=output, stderr=output)
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


@contextmanager
def cluster(folder: Path, path: str = str(ROOT)) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Run a Dask scheduler and two workers of one thread, and stop them afterwards; yields the address and the workers.

    They run in `folder`, and `path` is their PYTHONPATH.
    """
    file, environment = folder / "scheduler.json", {**os.environ, "PYTHONPATH": path}

    def start(program: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--scheduler-file", str(file), "--no-dashboard"]
        return subprocess.Popen([*command, *options], cwd=folder, env=environment, stderr=subprocess.DEVNULL)

    programs = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        while not file.exists():
            time.sleep(0.1)
        programs += [start("dask_worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
        yield json.loads(file.read_text(encoding="utf-8"))["address"], programs[1:]
    finally:
        for program in reversed(programs):
            program.terminate()
            program.wait(20)
