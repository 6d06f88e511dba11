"""What may fail around the page: it says so and goes on, and nobody else notices."""

import json
import logging
import os
import re
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import torch
from gradio_client import Client, handle_file
from helpers import EXAMPLES
from helpers.pictures import animated
from helpers.toys import toy

import cnnvis
from benchmarks.serving import ROOT, Served, running
from cnnvis.errors import UnavailableError
from cnnvis.network import usual, weights
from cnnvis.pictures.images import to_picture

CAT = EXAMPLES / "chelsea.jpg"
LONG: dict[str, Any] = {"layer": "conv5_1", "steps": 512, "size": 224, "api_name": "/maximize"}
SHORT: dict[str, Any] = {"layer": "conv1_1", "steps": 1, "size": 64, "api_name": "/maximize"}


# A copy of the page with what is optional missing or damaged, in a process of its own


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """The page without example photos and with damaged statistics, and the log of what it prints."""
    copy = tmp_path_factory.mktemp("poor") / "page"
    shutil.copytree(ROOT / "cnnvis", copy / "cnnvis", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", copy)
    statistics = copy / "cnnvis" / "assets" / usual.STATISTICS.name
    statistics.write_bytes(statistics.read_bytes()[:1000])
    log, folder = copy.with_name("log.txt"), copy.with_name("temp")
    folder.mkdir()
    # PYTHONPATH would lead to the modules of this checkout.
    with running(copy, log, TMPDIR=str(folder), GRADIO_TEMP_DIR="", PYTHONPATH="") as served:
        yield served, log


@pytest.fixture(scope="module")
def program(poor: tuple[Served, Path]) -> Iterator[Client]:
    client = Client(poor[0].url, verbose=False, download_files=False)
    yield client
    client.close()


@pytest.mark.slow
def test_missing_options_are_logged_and_cost_nothing_else(poor: tuple[Served, Path], program: Client) -> None:
    served, log = poor
    assert "chelsea.jpg cannot be read" in log.read_text(encoding="utf-8")
    assert re.search(r"photo statistics .* cannot be read", log.read_text(encoding="utf-8"))
    assert "inside VGG16" in httpx.get(served.url).text
    _, record = program.predict(**SHORT)
    assert record["robust"] is not None and record["selectivity"] is None
    _, record = program.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")
    assert record["channels"] == 64


@pytest.mark.slow
def test_every_request_is_one_line_with_nothing_about_the_visitor(poor: tuple[Served, Path], program: Client) -> None:
    _, log = poor
    before = len(log.read_text(encoding="utf-8").splitlines())
    program.predict(layer="conv2_1", api_name="/filters")
    with pytest.raises(Exception, match="conv9_1"):
        program.predict(layer="conv9_1", api_name="/filters")
    program.predict(handle_file(CAT), "conv3_1", 17, api_name="/feature_map")
    with pytest.raises(Exception, match="does not exist"):
        program.predict(layer="conv9_1\n{}" * 100, channel=10**30, api_name="/maximize")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()[before:]]
    *logged, (endpoint, layer, channel, outcome) = (
        tuple(line[name] for name in ("endpoint", "layer", "channel", "outcome")) for line in lines
    )
    first, second = ("filters", "conv2_1", None, "ok"), ("filters", "conv9_1", None, "refused")
    assert logged == [first, second, ("feature_map", "conv3_1", 17, "ok")]
    assert (endpoint, outcome) == ("maximize", "refused") and len(layer) < 50 and len(channel) < 50
    assert all(set(line) == {"time", "endpoint", "layer", "channel", "seconds", "outcome"} for line in lines)
    assert 0 < lines[2]["seconds"] < 30


def limit_files(served: Served, size: int) -> None:
    """Let the page write no file longer than `size` bytes, as if its disk were full."""
    resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_the_page_lives_on(poor: tuple[Served, Path], program: Client) -> None:
    served, _ = poor
    fresh = {"layer": "conv4_1", "input_channel": 77, "api_name": "/filters"}
    limit_files(served, 1000)
    try:
        for call in (fresh, {**SHORT, "seed": 77}):
            with pytest.raises(Exception, match="cannot store pictures at the moment: try again"):
                program.predict(**call)
        upload = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("a.jpg", CAT.read_bytes())})
        assert upload.status_code >= 400
        assert httpx.get(served.url).status_code == httpx.get(f"{served.url}/healthz").status_code == 200
        assert program.predict(api_name="/layers")
    finally:
        limit_files(served, resource.RLIM_INFINITY)
    assert program.predict(**fresh)[1]["channels"] == 512
    assert program.predict(**SHORT)[1]["step"] == 1


@pytest.mark.slow
def test_sigterm_ends_an_ascent_and_leaves_nothing_behind(poor: tuple[Served, Path]) -> None:
    """The last test of this copy of the page."""
    served, log = poor
    (folder,) = log.with_name("temp").glob("cnnvis-*")
    process = psutil.Process(served.pid)
    client = Client(served.url, verbose=False, download_files=False)
    next(iter(client.submit(**LONG)))
    family = [process, *process.children(recursive=True)]
    served.process.terminate()
    assert served.process.wait(5) == 0
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert not folder.exists()
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_does_not_start_without_weights(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(weights.BUNDLED.read_bytes()[:5_000_000])
    log = tmp_path / "log.txt"
    with pytest.raises(RuntimeError, match="exit code 2"), running(log=log, CNNVIS_WEIGHTS=str(broken)):
        pass
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert line.startswith("cnnvis: weights file") and "truncated" in line


# In this process


def test_a_folder_removed_while_the_page_runs_is_made_again(client: Client) -> None:
    client.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"])
    assert client.predict(layer="conv1_2", api_name="/filters")[1]["channels"] == 64
    assert client.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")[1]["channels"] == 64
    assert client.predict(**SHORT)[1]["step"] == 1


@pytest.mark.parametrize("content", [None, b"", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_network_is_loaded_without_statistics_and_the_log_says_so(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "statistics.safetensors"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(usual, "STATISTICS", file)
    with caplog.at_level(logging.WARNING):
        assert usual.photo_statistics() is None
    assert "statistics.safetensors cannot be read" in caplog.text and "restore it" in caplog.text


def test_costly_saved_pictures_leave_other_visitors_answered(page: Any, http: httpx.Client, client: Client) -> None:
    """Eight animations of 2,000 frames, dropped at once where a saved picture is repeated, fill the quick queue."""
    (number,) = (number for number, function in page.fns.items() if function.name == "_repeat")
    record = {"layer": "conv5_3", "channel": 17, "settings": {"recipe": "fourier", "seed": 3}}
    content = animated(4000, 2000, 2000, json.dumps(record).encode())
    (path,) = http.post("/upload", files={"files": ("saved.png", content)}).json()
    begun = time.monotonic()
    for session in range(8):
        given = {"path": path, "orig_name": "saved.png", "meta": {"_type": "gradio.FileData"}}
        body = {"data": [given], "fn_index": number, "session_hash": f"repeats{session}"}
        http.post("/queue/join", json=body).raise_for_status()
    assert client.predict(layer="conv2_2", input_channel=9, api_name="/filters")[1]["channels"] == 128
    for session in range(8):
        with http.stream("GET", "/queue/data", params={"session_hash": f"repeats{session}"}) as stream:
            done = next(line for line in stream.iter_lines() if "process_completed" in line)
        assert "This is conv5_3 channel 17, recipe fourier, seed 3. Press Grow." in done
    assert time.monotonic() - begun < 60  # decoding them takes minutes


def full(*_: Any) -> None:
    """Fail as PyTorch does when the GPU's memory is full."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def test_a_full_gpu_is_a_sentence_in_every_feature() -> None:
    net = toy()
    net.get_submodule("relu1_1").register_forward_pre_hook(full)
    photo = to_picture(torch.zeros(3, 8, 8))
    for feature in (
        lambda: list(cnnvis.maximize(net, "conv1_2", 0, steps=1, size=64)),
        lambda: cnnvis.map_sheet(net, photo, "conv1_2"),
        lambda: cnnvis.score(net, photo, "conv1_2", 0),
    ):
        with pytest.raises(UnavailableError, match="not enough memory for this at the moment: try a smaller size"):
            feature()


def test_after_a_full_gpu_the_next_request_works(client: Client) -> None:
    hook = cnnvis.load_vgg16().get_submodule("conv2_1").register_forward_pre_hook(full)
    try:
        with pytest.raises(Exception, match="not enough memory"):
            client.predict("conv2_2", 0, "fourier", 2, 64, api_name="/maximize")
        with pytest.raises(Exception, match="not enough memory"):
            client.predict(handle_file(EXAMPLES / "rocket.jpg"), "conv2_2", api_name="/feature_maps")
    finally:
        hook.remove()
    assert client.predict("conv2_2", 0, "fourier", 2, 64, api_name="/maximize")[1]["step"] == 2


def test_the_page_itself_is_sent_compressed(page: Any) -> None:
    sizes = {}
    for accepted in ("gzip", "identity"):
        with httpx.stream("GET", page.local_url, headers={"Accept-Encoding": accepted}) as response:
            sizes[accepted] = sum(map(len, response.iter_raw()))
        assert response.headers.get("content-encoding", "identity") == accepted
    assert 4 * sizes["gzip"] < sizes["identity"]
    assert "window.gradio_config" in httpx.get(page.local_url).text


def test_the_health_check_says_whether_the_network_is_loaded(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cnnvis.load_vgg16()
    for status, loaded in ((200, True), (503, False)):
        response = httpx.get(f"{page.local_url}healthz")
        assert response.status_code == status
        assert response.json() == {"network_loaded": loaded, "queue_running": True, "ascents_waiting": 0}
        monkeypatch.setattr(weights, "_loaded", {})
