"""The room for ascents: a place in line, a sentence for those who find it full, and a turn for the next."""

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
from cnnvis.ui.serving import queues as rooms

LONG: dict[str, Any] = {"layer": "conv4_1", "steps": 512, "size": 224, "api_name": "/maximize"}
SHORT: dict[str, Any] = {"layer": "conv1_1", "steps": 1, "size": 64, "api_name": "/maximize"}


@pytest.fixture(scope="module")
def leave() -> Iterator[Callable[[Client], None]]:
    """A function that closes a client while the tests go on: each waits a second for its heartbeat."""
    left: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        yield lambda client: left.append(pool.submit(client.close))
    for one in left:
        one.result()  # raises what closing raised


@pytest.fixture
def visitors(page: Any, leave: Callable[[Client], None]) -> Iterator[list[Client]]:
    """Programs with a session each; whatever they still have in line is cancelled."""
    clients = [Client(page.local_url, verbose=False, download_files=False) for _ in range(3)]
    yield clients
    for client in clients:
        leave(client)


def begun(job: Any) -> Any:
    """The first event of an ascent, once it has a place."""
    return next(iter(job))


def until(happens: Any) -> None:
    """Wait until something is so, at most half a minute."""
    for _ in range(300):
        if happens():
            return
        time.sleep(0.1)
    pytest.fail("it never happened")


def one_runs_one_waits(first: Client, second: Client) -> tuple[Any, Any]:
    """Two visitors' ascents: the first has begun, the second is next in line."""
    running = first.submit(**LONG)
    begun(running)
    waiting = second.submit(**SHORT)
    until(lambda: waiting.status().rank == 0)
    return running, waiting


def test_a_full_room_is_said_in_a_sentence_and_those_in_it_know_their_place(
    visitors: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "PLACES", 1)
    first, second, third = visitors
    running, waiting = one_runs_one_waits(first, second)
    assert waiting.status().code is Status.IN_QUEUE
    with pytest.raises(Exception, match="line for ascents is full, 1 are waiting: try again in about 1 min"):
        third.predict(**SHORT)
    _, record = third.predict(layer="conv5_3", api_name="/filters")  # light work is let in and answered
    assert record["channels"] == 512
    assert not running.done()
    running.cancel()
    assert waiting.result(timeout=60)[1]["step"] == 1  # the next in line is served
    assert third.predict(**SHORT)[1]["step"] == 1  # and there is room again


def test_a_session_has_one_place_in_line(visitors: list[Client]) -> None:
    first, second, _ = visitors
    running, waiting = one_runs_one_waits(first, second)
    with pytest.raises(Exception, match="already in line for an ascent"):
        second.predict(**SHORT)
    running.cancel()
    assert waiting.result(timeout=60)[1]["step"] == 1


def test_an_ascent_makes_way_when_somebody_waits_and_is_still_scored(
    visitors: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "SHARED_SECONDS", 1.0)
    first, second, _ = visitors
    running = first.submit(**LONG)
    begun(running)
    waiting = second.submit(**SHORT)
    picture, record = running.result(timeout=60)
    assert 0 < record["step"] < record["steps"] == 512
    assert record["robust"] is not None and picture["path"].endswith(".png")
    assert waiting.result(timeout=60)[1]["step"] == 1


def test_an_ascent_takes_its_time_when_nobody_waits(visitors: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "SHARED_SECONDS", 0.1)
    asked = {**LONG, "layer": "conv2_1", "steps": 20}
    _, record = visitors[0].submit(**asked).result(timeout=60)
    assert record["step"] == 20 and record["seconds"] > 0.1


# Going away


def number_of(page: Any) -> int:
    """The number by which the queue calls `/maximize`."""
    return next(one["id"] for one in page.get_config_file()["dependencies"] if one["api_name"] == "maximize")


def ascent(**settings: Any) -> list[Any]:
    """The inputs of `/maximize`."""
    given = {**LONG, **settings}
    return [given["layer"], given.get("channel", 0), "fourier", given["steps"], given["size"], 0, 0, "channel", None]


def read_until(stream: Any, word: str) -> None:
    """Read a stream of messages until a line has a word."""
    assert any(word in line for line in stream.iter_lines())


def room_is_free(visitors: list[Client]) -> bool:
    """Whether a short ascent is served, and soon."""
    began = time.monotonic()
    record = visitors[2].submit(**SHORT).result(timeout=20)[1]
    return record["step"] == 1 and time.monotonic() - began < 5


def test_closing_the_tab_ends_an_ascent(page: Any, http: httpx.Client, visitors: list[Client]) -> None:
    asked = {"data": ascent(), "fn_index": number_of(page), "session_hash": "closes"}
    http.post("/queue/join", json=asked).raise_for_status()
    with http.stream("GET", "/queue/data", params={"session_hash": "closes"}) as stream:
        read_until(stream, "process_generating")
    assert room_is_free(visitors)


def test_dropping_the_connection_of_a_call_ends_an_ascent(http: httpx.Client, visitors: list[Client]) -> None:
    event = http.post("/call/maximize", json={"data": ascent()}).json()["event_id"]
    with http.stream("GET", f"/call/maximize/{event}") as stream:
        read_until(stream, "generating")
    assert room_is_free(visitors)


def test_cancelling_a_job_ends_an_ascent(visitors: list[Client]) -> None:
    running = visitors[0].submit(**LONG)
    begun(running)
    running.cancel()
    assert room_is_free(visitors)


def test_closing_the_tab_while_waiting_leaves_the_line(page: Any, http: httpx.Client, visitors: list[Client]) -> None:
    first, second, _ = visitors
    running, waiting = one_runs_one_waits(first, second)
    asked = {"data": ascent(), "fn_index": number_of(page), "session_hash": "leaves"}
    http.post("/queue/join", json=asked).raise_for_status()
    assert len(rooms.line_of(page)) == 2
    with http.stream("GET", "/queue/data", params={"session_hash": "leaves"}) as stream:
        read_until(stream, "estimation")
    until(lambda: len(rooms.line_of(page)) == 1)
    running.cancel()
    assert waiting.result(timeout=60)[1]["step"] == 1


def test_the_ascents_of_visitors_who_ask_at_once_are_those_of_each_alone(visitors: list[Client]) -> None:
    asked = [{**SHORT, "layer": "conv2_1", "channel": 3 * i, "steps": 5, "seed": i} for i in range(3)]
    jobs = [visitor.submit(**one) for visitor, one in zip(visitors, asked, strict=True)]
    for job, one in zip(jobs, asked, strict=True):
        picture, record = job.result(timeout=60)
        settings = {name: one[name] for name in ("steps", "size", "seed")}
        *_, alone = cnnvis.maximize(cnnvis.load_vgg16(), one["layer"], one["channel"], **settings)
        with Image.open(picture["path"]) as shown:
            assert np.array_equal(np.asarray(shown), np.asarray(alone.picture))
        assert record["activation"] == alone.activation
