"""Hours of use in minutes: the page's memory, threads and open files stay where they were.

    python -m pytest tests/soak -s

Takes most of an hour, so neither `pytest` alone nor .ci/run includes it; a workflow runs it every week. -s prints what
the page held.
"""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradio_client import Client, handle_file
from helpers import EXAMPLES
from helpers.pictures import animated
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.page import FLAGS, chromium
from benchmarks.serving import Served, running
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.ui.serving.memory import RETURNED_SECONDS

ASCENTS, SHEETS, QUIZZES, LARGE_ASCENTS, DRAWS = 500, 2000, 60, 50, 500
HOSTILE = 8
PATIENCE_MS = 300_000
AT_REST = 20  # % of a core: an idle page takes some 3
LINK = "document.querySelector('#link textarea, #link input').value"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A page in its own process, which logs no traceback."""
    log = tmp_path / "log.txt"
    with running(log=log) as page:
        yield page
    assert "Traceback" not in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")[-5000:]


@pytest.fixture
def process(served: Served) -> Iterator[tuple[Client, psutil.Process]]:
    """A page in its own process, and a program that uses it."""
    client = Client(served.url, verbose=False, download_files=False)
    yield client, psutil.Process(served.pid)
    client.close()


@pytest.fixture
def visit(served: Served) -> Iterator[Callable[[str], Page]]:
    """A function that opens an address of the page in a new window of a real browser."""
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)

        def opened(query: str = "") -> Page:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{served.url}/{query}")
            page.locator("#network", has_text="is ready").wait_for(state="attached")
            return page

        yield opened
        browser.close()


def grown(process: psutil.Process, ask: Any, times: int, warm_up: int, most: float) -> None:
    """Ask many times: what the process holds at the end may be `most` MB more than after the first `warm_up`."""
    for number in range(times):
        if number == warm_up:
            memory, threads, files = held_at_rest(process)
        ask(random.Random(number))
    now, more_threads, more_files = held_at_rest(process)
    print(f"after {warm_up}: {memory:.0f} MB, after {times}: {now:.0f} MB")
    assert now - memory < most
    # Gradio keeps a dozen threads for a while after a visit, or none.
    assert more_threads <= threads + 20 and more_files <= files + 10


def held_at_rest(process: psutil.Process) -> tuple[float, int, int]:
    """The memory in MB, threads and open files of a page that computes nothing and has returned what it freed.

    At work it holds up to 300 MB more: what it computes with, and what was freed since memory was last returned.
    """
    process.cpu_percent()
    while process.cpu_percent(2) > AT_REST:
        pass
    time.sleep(2 * RETURNED_SECONDS)
    return process.memory_info().rss / 1e6, process.num_threads(), process.num_fds()


def test_ascents(process: tuple[Client, psutil.Process]) -> None:
    client, server = process

    def ask(choose: random.Random) -> None:
        layer = choose.choice(CONVOLUTIONS)
        channel, size = choose.randrange(find_layer(layer).channels), choose.choice([64, 96, 128, 224])
        _, record = client.predict(layer, channel, "fourier", 3, size, api_name="/maximize")
        assert record["step"] == 3

    grown(server, ask, ASCENTS, 100, 100)


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

    grown(server, ask, SHEETS, 400, 100)


def test_quizzes(process: tuple[Client, psutil.Process]) -> None:
    client, server = process

    def ask(choose: random.Random) -> None:
        layer, reference = choose.choice(CONVOLUTIONS), choose.choice(["photos", "both"])
        questions = client.predict(choose.randrange(10**6), layer, 50, reference, api_name="/quiz")
        assert len(questions) == 50

    grown(server, ask, QUIZZES, 10, 60)


def test_large_ascents_half_of_them_left(served: Served, visit: Callable[[str], Page]) -> None:
    def ask(choose: random.Random) -> None:
        page = visit(f"?tab=maximize&layer=conv1_1&channel={choose.randrange(4, 64)}&size=384&steps=512")
        page.get_by_role("button", name="Options: recipe").click()
        page.locator("#others textarea, #others input").first.fill("1, 2, 3")
        page.locator("#start").click()
        page.wait_for_function("+document.querySelector('#stage .stage-slider').max > 10")
        if choose.random() < 0.5:
            page.wait_for_function("document.querySelectorAll('#stage a[href$=\".gif\"]').length === 4")
        page.close()

    grown(psutil.Process(served.pid), ask, LARGE_ASCENTS, 10, 60)


def test_draws(served: Served, visit: Callable[[str], Page]) -> None:
    page = visit()
    tabs = page.get_by_role("tab").all()[:-1]  # in the quiz no channel is chosen

    def ask(choose: random.Random) -> None:
        choose.choice(tabs).click()
        layer = choose.choice(CONVOLUTIONS)
        page.locator("#layer").select_option(layer)
        channel = choose.randrange(1, find_layer(layer).channels)
        page.locator("#channel").fill(str(channel))
        page.locator("#channel").press("Enter")
        page.wait_for_function(f"{LINK}.includes('layer={layer}&channel={channel}') || '{layer}' === 'conv1_1'")

    grown(psutil.Process(served.pid), ask, DRAWS, 10, 60)


def test_hostile_records_delay_nobody(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    hostile = tmp_path / "hostile.png"
    hostile.write_bytes(animated(4000, 2000, 2000, b"{}"))
    sheet = visit("?tab=filters&layer=conv4_1")
    others = [visit("?tab=maximize") for _ in range(HOSTILE)]
    for page in others:
        page.locator("#repeat > button").click()
    for page in others:
        page.locator("#saved input").set_input_files(hostile)
    begun = time.perf_counter()
    sheet.locator("#layer").select_option("conv5_2")
    sheet.locator("#filter-heading", has_text="conv5_2").wait_for()
    seconds = time.perf_counter() - begun
    print(f"a sheet beside {HOSTILE} hostile records: {seconds:.2f} s")
    assert seconds < 2
