"""The line for ascents: a place in it, a sentence for those who find it full, and a turn for the next."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.utils import Status
from PIL import Image

import cnnvis
from cnnvis.ui.serving import queues

LONG: dict[str, Any] = {"layer": "conv4_1", "steps": 512, "size": 224, "api_name": "/maximize"}
SHORT: dict[str, Any] = {"layer": "conv1_1", "steps": 1, "size": 64, "api_name": "/maximize"}


@pytest.fixture(scope="module")
def leave() -> Iterator[Callable[[Client], None]]:
    """A function that closes a client while the tests go on: closing waits a second for the client's heartbeat."""
    closings: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        yield lambda client: closings.append(pool.submit(client.close))
    for closing in closings:
        closing.result()  # raises what closing raised


@pytest.fixture
def visitors(page: Any, leave: Callable[[Client], None]) -> Iterator[list[Client]]:
    """Three programs, each with its own session; whatever they still have in line is cancelled afterwards."""
    clients = [Client(page.local_url, verbose=False, download_files=False) for _ in range(3)]
    yield clients
    for client in clients:
        leave(client)


def begin(visitor: Client, **settings: Any) -> Any:
    """A long ascent that has sent its first picture."""
    job = visitor.submit(**LONG | settings)
    next(iter(job))
    return job


def until(happens: Any) -> None:
    """Wait until something happens, at most half a minute."""
    for _ in range(300):
        if happens():
            return
        time.sleep(0.1)
    pytest.fail("it never happened")


def one_runs_one_waits(first: Client, second: Client) -> tuple[Any, Any]:
    """Two visitors' ascents: the first is running, the second is next in line."""
    running, waiting = begin(first), second.submit(**SHORT)
    until(lambda: waiting.status().rank == 0)
    return running, waiting


def test_a_full_line_is_a_sentence_and_those_in_it_know_their_place(
    visitors: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "PLACES", 1)
    first, second, third = visitors
    running, waiting = one_runs_one_waits(first, second)
    assert waiting.status().code is Status.IN_QUEUE
    with pytest.raises(Exception, match="line for ascents is full, with 1 waiting: try again in about 1 min"):
        third.predict(**SHORT)
    _, record = third.predict(layer="conv5_3", api_name="/filters")  # a sheet is drawn while an ascent runs
    assert record["channels"] == 512
    assert not running.done()
    running.cancel()
    assert waiting.result(timeout=60)[1]["step"] == 1  # the next in line has its turn
    assert third.predict(**SHORT)[1]["step"] == 1  # and there is room again


def test_a_session_has_one_place_in_line(visitors: list[Client]) -> None:
    running, waiting = one_runs_one_waits(*visitors[:2])
    with pytest.raises(Exception, match="already in line for an ascent"):
        visitors[1].predict(**SHORT)
    running.cancel()
    assert waiting.result(timeout=60)[1]["step"] == 1


def test_an_ascent_makes_way_when_somebody_waits_and_is_still_scored(
    visitors: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "SHARED_SECONDS", 1.0)
    running, waiting = begin(visitors[0]), visitors[1].submit(**SHORT)
    picture, record = running.result(timeout=60)
    assert 0 < record["step"] < record["steps"] == 512
    assert record["robust"] is not None and picture["path"].endswith(".png")
    assert waiting.result(timeout=60)[1]["step"] == 1


def test_an_ascent_takes_its_time_when_nobody_waits(visitors: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARED_SECONDS", 0.1)
    _, record = begin(visitors[0], layer="conv2_1", steps=20).result(timeout=60)
    assert record["step"] == 20 and record["seconds"] > 0.1


# Going away

LONG_INPUTS = [LONG["layer"], 0, "fourier", LONG["steps"], LONG["size"], 0, 0, "channel", None]


def join(page: Any, http: httpx.Client, session: str) -> Any:
    """Join the line as a browser does; returns the stream that it reads, to be opened."""
    events = page.get_config_file()["dependencies"]
    (number,) = (event["id"] for event in events if event["api_name"] == "maximize")
    joined = http.post("/queue/join", json={"data": LONG_INPUTS, "fn_index": number, "session_hash": session})
    joined.raise_for_status()
    return http.stream("GET", "/queue/data", params={"session_hash": session})


def read_until(stream: Any, word: str) -> None:
    """Read a stream of messages until a line contains a word."""
    assert any(word in line for line in stream.iter_lines())


def ended(visitors: list[Client]) -> bool:
    """Whether the ascent before has ended: a short one has its turn, and soon."""
    began = time.monotonic()
    record = visitors[2].submit(**SHORT).result(timeout=20)[1]
    return record["step"] == 1 and time.monotonic() - began < 5


def test_closing_the_tab_ends_an_ascent(page: Any, http: httpx.Client, visitors: list[Client]) -> None:
    with join(page, http, "closes") as stream:
        read_until(stream, "process_generating")
    assert ended(visitors)


def test_dropping_the_connection_of_a_call_ends_an_ascent(http: httpx.Client, visitors: list[Client]) -> None:
    event = http.post("/call/maximize", json={"data": LONG_INPUTS}).json()["event_id"]
    with http.stream("GET", f"/call/maximize/{event}") as stream:
        read_until(stream, "generating")
    assert ended(visitors)


def test_cancelling_a_job_ends_an_ascent(visitors: list[Client]) -> None:
    begin(visitors[0]).cancel()
    assert ended(visitors)


def test_closing_the_tab_while_waiting_leaves_the_line(page: Any, http: httpx.Client, visitors: list[Client]) -> None:
    running, waiting = one_runs_one_waits(*visitors[:2])
    leaving = join(page, http, "leaves")
    assert len(queues.line_of(page)) == 2
    with leaving as stream:
        read_until(stream, "estimation")
    until(lambda: len(queues.line_of(page)) == 1)
    running.cancel()
    assert waiting.result(timeout=60)[1]["step"] == 1


def test_visitors_who_ask_at_the_same_time_get_the_ascents_that_each_would_get_alone(visitors: list[Client]) -> None:
    asked = [{"layer": "conv2_1", "channel": 3 * i, "steps": 5, "size": 64, "seed": i} for i in range(3)]
    jobs = [visitor.submit(**settings, api_name="/maximize") for visitor, settings in zip(visitors, asked, strict=True)]
    for job, settings in zip(jobs, asked, strict=True):
        picture, record = job.result(timeout=60)
        *_, alone = cnnvis.maximize(cnnvis.load_vgg16(), **settings)
        with Image.open(picture["path"]) as shown:
            assert np.array_equal(np.asarray(shown), np.asarray(alone.picture))
        assert record["activation"] == alone.activation
