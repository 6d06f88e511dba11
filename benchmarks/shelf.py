"""Measure how fast photos are indexed, here, on processes and on a Dask cluster, and how fast exemplars are shown.

    python -m benchmarks.shelf [--photos 96] [--json FILE]

The photos are pieces of the examples. The Dask cluster is a real one on this machine: a scheduler and two workers of
one thread each. Starting processes and loading the network is measured separately, by first making a shelf of two
photos.
"""

import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

import cnnvis
from benchmarks.report import machine, parser_of, timed, write
from benchmarks.serving import ROOT, cluster
from cnnvis.prepared.shelf_making import make_shelf


def pieces(folder: Path, count: int) -> Path:
    """Fill a new folder with pieces of 300 × 260 px cut out of the example photos."""
    folder.mkdir()
    examples = sorted((ROOT / "examples").glob("*.jpg"))
    for number in range(count):
        with Image.open(examples[number % len(examples)]) as opened:
            left, top = 7 * number % (opened.width - 300), 5 * number % (opened.height - 260)
            opened.convert("RGB").crop((left, top, left + 300, top + 260)).save(folder / f"{number:04}.jpg", quality=90)
    return folder


def making(photos: Path, **where: Any) -> float:
    """Seconds to make a shelf of all photos in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        return timed(lambda: make_shelf(cnnvis.load_vgg16("cpu"), photos, Path(folder) / "shelf", **where))[1]


def exemplars_ms(times: int = 30) -> float:
    """Milliseconds to show the nine exemplars of a channel, from the shelf in use; median."""
    calls = [partial(cnnvis.exemplars, "conv5_3", channel) for channel in range(times)]
    return 1000 * statistics.median(timed(call)[1] for call in calls)


def main() -> None:
    """Measure, print, and write the figures as JSON if asked."""
    parser = parser_of(__doc__)
    parser.add_argument("--photos", type=int, default=96)
    options = parser.parse_args()
    figures: dict[str, Any] = {"photos": options.photos}
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as (address, _):
        time.sleep(3)  # until the workers have joined
        photos, two = pieces(Path(folder) / "photos", options.photos), pieces(Path(folder) / "two", 2)
        ways: dict[str, dict[str, Any]] = {
            "this process, all threads": {},
            "1 process of one thread": {"workers": 1},
            "2 processes of one thread": {"workers": 2},
            "Dask, 2 workers of one thread": {"scheduler": address},
        }
        for name, where in ways.items():
            start, spent = making(two, **where), making(photos, **where)
            # Processes are started for each shelf; a cluster's workers have been there since the first.
            rate, working = options.photos / spent, options.photos / (spent - (start if "workers" in where else 0))
            figures[name] = {"photos a second": rate, "once started": working, "start in s": start}
            print(f"{name:32} {rate:6.2f} photos/s, {working:6.2f} once started (after {start:.1f} s)", flush=True)
    figures["peak memory in MB"] = psutil.Process().memory_info().rss / 1e6
    figures["exemplars in ms"] = exemplars_ms()
    print(f"exemplars: {figures['exemplars in ms']:.0f} ms")
    figures["machine"] = machine(cnnvis.load_vgg16("cpu"))
    write(options.json, figures)


if __name__ == "__main__":
    main()
