"""What the server holds of a visitor's ascent: few frames, as files, and nothing once the tab is closed."""

import io
import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from PIL import Image

import cnnvis
from cnnvis.network.vgg import VGG16
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.learn import tab as learn
from cnnvis.ui.tabs.maximize.growing import _animate
from cnnvis.ui.tabs.maximize.tab import _grow
from cnnvis.ui.tabs.maximize.visitor import MAX_FRAMES, VisitorAscent, hold, let_go

FILE = "gradio_api/file="


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def watched(net: VGG16, moments: int) -> VisitorAscent:
    """An ascent of two channels of which so many moments were sent, every one with pictures of its own."""
    (start, *_) = cnnvis.maximize_many(net, "conv2_1", [1, 2], size=64, steps=1)
    ascent = VisitorAscent()
    for step in range(moments):
        picture = Image.new("RGB", (64, 64), (40 * step % 256, step // 6, 99))
        ascent.add([replace(snapshot, step=step, steps=moments, picture=picture) for snapshot in start])
    return ascent


def frames(ascent: VisitorAscent) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(ascent.shown("done"))["frames"]
    return shown


@pytest.mark.parametrize("moments", [1, 2, MAX_FRAMES - 1, MAX_FRAMES, MAX_FRAMES + 1, 511])
def test_few_frames_are_kept_evenly_spread_with_the_first_and_the_last(tiny: VGG16, folder: Path, moments: int) -> None:
    steps = [frame["step"] for frame in frames(watched(tiny, moments))]
    assert (steps[0], steps[-1]) == (0, moments - 1)
    assert min(moments, MAX_FRAMES // 2) <= len(steps) <= MAX_FRAMES
    assert len({after - before for before, after in pairwise(steps[:-1])}) <= 1


def test_no_picture_is_kept_but_the_newest(tiny: VGG16, folder: Path) -> None:
    ascent = watched(tiny, 100)
    held = {name: value for name, value in vars(ascent).items() if name != "snapshots"}
    assert "PIL" not in repr(held) and len(repr(held)) < 100_000
    assert len(ascent.snapshots) == 2


def test_an_animation_is_made_of_the_files_that_are_still_there(tiny: VGG16, folder: Path) -> None:
    ascent = watched(tiny, 5)
    for position in (0, 1):
        ascent.offer_png(position, {"saved_activation": 1.5})
    assert [frames(ascent)[-1]["activations"][i] for i in (0, 1)] == [1.5, 1.5]  # of the picture as it is
    Path(unquote(frames(ascent)[2]["urls"][1].removeprefix(FILE))).unlink()
    colours = []
    for position in (0, 1):
        ascent.offer_gif(position)
        address = json.loads(ascent.shown("done"))["files"][position]["growing"]
        with Image.open(io.BytesIO(Path(unquote(address.removeprefix(FILE))).read_bytes())) as gif:
            colours.append([])
            for number in range(gif.n_frames):
                gif.seek(number)
                colours[-1].append(gif.convert("RGB").getpixel((32, 32))[0])
    assert colours[0] == pytest.approx([0, 40, 80, 120, 160], abs=8)
    assert len(colours[1]) == 4


def test_a_closed_tab_lets_go_of_its_ascent(page: gr.Blocks, http: httpx.Client, tiny: VGG16) -> None:
    mine, other = (hold(SimpleNamespace(session_hash=name)) for name in ("closed", "open"))  # type: ignore[arg-type]
    for ascent in (mine, other):
        ascent.snapshots = watched(tiny, 1).snapshots
    with http.stream("GET", "/heartbeat/closed") as alive:
        next(alive.iter_lines())
        assert mine.snapshots
    for _ in range(100):
        if not mine.snapshots:
            break
        time.sleep(0.1)
    assert not mine.snapshots and other.snapshots
    let_go(SimpleNamespace(session_hash="nobody"))  # type: ignore[arg-type]  # and no error


def test_an_ascent_whose_tab_is_closed_during_a_step_holds_nothing(folder: Path) -> None:
    visitor: Any = SimpleNamespace(session_hash="leaves")
    growing = _grow(
        visitor, Choice().value(), "", None, None, "", "fourier", "1, 2, 3", "", False, 0, 3, 64, 0, "channel"
    )
    assert len(next(growing)[1].snapshots) == 4
    let_go(visitor)
    stage, ascent = next(growing)  # the step that was under way: Gradio keeps what it yields for an hour
    assert json.loads(stage)["frame"]["step"] == 1
    held = {name: value for name, value in vars(ascent).items() if name != "id"}
    assert "PIL" not in repr(held) and len(repr(held)) < 1000


def test_a_tab_that_is_closed_while_its_ascent_is_scored_costs_no_error(tiny: VGG16, folder: Path) -> None:
    ascent = watched(tiny, 3)
    for position in (0, 1):
        ascent.offer_png(position, {"saved_activation": 1.5})
    animated = _animate(ascent)
    assert len(json.loads(next(animated)[0])["files"][0]) == 2
    ascent.clear()
    *_, last, skipped = animated
    assert [set(files) for files in json.loads(last[0])["files"]] == [{"picture", "growing"}] * 2
    assert skipped[1] is None and list(_animate(ascent)) == [skipped]


def test_animations_that_are_being_encoded_keep_no_sheet_waiting(
    page: gr.Blocks, http: httpx.Client, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoding, go_on = Event(), Event()

    def held_up(*_: Any, **__: Any) -> bytes:
        encoding.set()
        assert go_on.wait(60)
        return b"GIF89a"

    monkeypatch.setattr(learn, "animation", held_up)
    (number,) = (event._id for event in page.fns.values() if event.fn and event.fn.__name__ == "_slide")
    for session in ("encodes", "encodes too"):
        asked = {"data": [Choice().value(), DEFAULT_PHOTO.digest], "fn_index": number, "session_hash": session}
        http.post("/queue/join", json=asked).raise_for_status()
    try:
        assert encoding.wait(30)
        assert client.submit(layer="conv4_2", api_name="/filters").result(timeout=10)[1]["channels"] == 512
        assert not go_on.is_set()
    finally:
        go_on.set()
    ascents = {event.concurrency_id for event in page.fns.values() if event.fn and event.fn.__name__ == "_animate"}
    assert ascents == {page.fns[number].concurrency_id}  # an ascent's animations are encoded in the same place


def test_starting_from_a_photo_needs_one() -> None:
    values = (0, 1, 64, 0, "channel")
    with pytest.raises(gr.Error, match="no photo to start from: choose one at the top of the page"):
        next(_grow(None, Choice().value(), "", None, None, "", "fourier", "", "", True, *values))
