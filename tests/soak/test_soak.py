"""Hours of use in minutes: the page's memory, threads and open files stay where they were.

    python -m pytest tests/soak

Takes about ten minutes, so neither `pytest` alone nor .ci/run includes it; a workflow runs it every week.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradio_client import Client, handle_file
from helpers import EXAMPLES

from benchmarks.serving import running
from cnnvis.network.architecture import CONVOLUTIONS, find_layer

ASCENTS, SHEETS = 500, 2000
WARM_UP = 0.2  # of them, before memory is compared
MAX_GROWTH = 100e6  # bytes


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[Client, psutil.Process]]:
    """A page in its own process, and a program that uses it."""
    log = tmp_path / "log.txt"
    with running(log=log) as served:
        client = Client(served.url, verbose=False, download_files=False)
        yield client, psutil.Process(served.pid)
        client.close()
    assert "Traceback" not in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")[-5000:]


def grown(process: psutil.Process, ask: Any, times: int) -> None:
    """Ask many times, and compare what the process holds after a fifth of them with what it holds at the end."""
    held = []
    for number in range(times):
        if number == int(WARM_UP * times):
            held.append((process.memory_info().rss, process.num_threads(), process.num_fds()))
        ask(random.Random(number))
    (memory, threads, files), now = held[0], process.memory_info().rss
    print(f"after {int(WARM_UP * times)}: {memory / 1e6:.0f} MB, after {times}: {now / 1e6:.0f} MB")
    assert now - memory < MAX_GROWTH
    assert process.num_threads() <= threads + 4 and process.num_fds() <= files + 10


def test_ascents(process: tuple[Client, psutil.Process]) -> None:
    client, server = process

    def ask(choose: random.Random) -> None:
        layer = choose.choice(CONVOLUTIONS)
        channel, size = choose.randrange(find_layer(layer).channels), choose.choice([64, 96, 128, 224])
        _, record = client.predict(layer, channel, "fourier", 3, size, api_name="/maximize")
        assert record["step"] == 3

    grown(server, ask, ASCENTS)


def test_sheets(process: tuple[Client, psutil.Process]) -> None:
    client, server = process
    photos = [handle_file(path) for path in sorted(EXAMPLES.glob("*.jpg"))]

    def ask(choose: random.Random) -> None:
        layer = choose.choice(CONVOLUTIONS)
        if choose.random() < 0.5:
            _, record = client.predict(layer, "signed", choose.randrange(3), api_name="/filters")
        else:
            pipeline = choose.choice(["network", "network", "conv_chain"])
            _, record = client.predict(choose.choice(photos), layer, pipeline, api_name="/feature_maps")
        assert record["channels"] == find_layer(layer).channels

    grown(server, ask, SHEETS)
