"""Measure how fast photos are indexed, here, on processes and on a Dask cluster, and how fast exemplars are shown.

    python -m benchmarks.shelf [--photos 96] [--json FILE]

The photos are pieces of the examples. The Dask cluster is a real one on this machine: a scheduler and two workers of
one thread each. Starting processes and loading the network is measured apart, by making a shelf of two photos first.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

import psutil
from PIL import Image

import cnnvis
from benchmarks.ascent import machine
from benchmarks.serving import ROOT
from cnnvis.prepared.shelf_making import make_shelf


def pieces(folder: Path, count: int) -> None:
    """Cut pieces of 300 × 260 px out of the example photos."""
    examples = sorted((ROOT / "examples").glob("*.jpg"))
    for number in range(count):
        with Image.open(examples[number % len(examples)]) as opened:
            left, top = 7 * number % (opened.width - 300), 5 * number % (opened.height - 260)
            opened.convert("RGB").crop((left, top, left + 300, top + 260)).save(folder / f"{number:04}.jpg", quality=90)


@contextmanager
def cluster() -> Iterator[str]:
    """A Dask scheduler and two workers of one thread, as programs of their own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        run = [sys.executable, "-m"]
        line = ["--scheduler-file", str(file), "--no-dashboard"]
        scheduler = [*run, "distributed.cli.dask_scheduler", *line, "--host", "127.0.0.1", "--port", "0"]
        worker = [*run, "distributed.cli.dask_worker", *line, "--nthreads", "1", "--no-nanny"]
        programs = [Popen(scheduler, cwd=ROOT, stderr=DEVNULL)]
        while not file.exists():
            time.sleep(0.1)
        programs += [Popen(worker, cwd=ROOT, stderr=DEVNULL) for _ in range(2)]
        time.sleep(3)
        try:
            yield json.loads(file.read_text())["address"]
        finally:
            for program in programs:
                program.terminate()
                program.wait(20)


def rate(photos: Path, **where: Any) -> float:
    """Photos a second."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = make_shelf(cnnvis.load_vgg16("cpu"), photos, Path(folder) / "shelf", **where)
        return made.photos / (time.perf_counter() - began)


def start(photos: Path, **where: Any) -> float:
    """Seconds until two photos are indexed: mostly to start the processes."""
    with tempfile.TemporaryDirectory() as folder:
        two = Path(folder) / "two"
        two.mkdir()
        for path in sorted(photos.iterdir())[:2]:
            shutil.copy(path, two)
        began = time.perf_counter()
        make_shelf(cnnvis.load_vgg16("cpu"), two, Path(folder) / "shelf", **where)
        return time.perf_counter() - began


def exemplars_ms(times: int = 30) -> float:
    """Milliseconds to show the nine exemplars of a channel, from the shelf in use; median."""
    spent = []
    for channel in range(times):
        began = time.perf_counter()
        cnnvis.exemplars("conv5_3", channel)
        spent.append(time.perf_counter() - began)
    return 1000 * statistics.median(spent)


def main() -> None:
    """Measure, print, and write the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=96)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {"photos": options.photos}
    with tempfile.TemporaryDirectory() as folder, cluster() as address:
        photos = Path(folder)
        pieces(photos, options.photos)
        places: dict[str, dict[str, Any]] = {
            "this process, all threads": {},
            "1 process of one thread": {"workers": 1},
            "2 processes of one thread": {"workers": 2},
            "Dask, 2 workers of one thread": {"scheduler": address},
        }
        for name, where in places.items():
            begun, whole = start(photos, **where), rate(photos, **where)
            # Processes are started for each shelf; a cluster's workers have been there since the first.
            working = options.photos / (options.photos / whole - begun) if "workers" in where else whole
            figures[name] = {"photos a second": whole, "once started": working, "start in s": begun}
            print(f"{name:32} {whole:6.2f} photos/s, {working:6.2f} once started (after {begun:.1f} s)", flush=True)
    figures["peak memory in MB"] = psutil.Process().memory_info().rss / 1e6
    figures["exemplars in ms"] = exemplars_ms()
    print(f"exemplars: {figures['exemplars in ms']:.0f} ms")
    figures["machine"] = machine(cnnvis.load_vgg16("cpu"))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
