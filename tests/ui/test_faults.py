"""What may fail around the page: it says so, goes on, and nobody else notices."""

import json
import logging
import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import torch
from gradio_client import Client, handle_file
from helpers import EXAMPLES
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
    """The page without example photos and with damaged statistics, and the file of what it prints."""
    copy = tmp_path_factory.mktemp("poor") / "page"
    shutil.copytree(ROOT / "cnnvis", copy / "cnnvis", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", copy)
    statistics = copy / "cnnvis" / "assets" / usual.STATISTICS.name
    statistics.write_bytes(statistics.read_bytes()[:1000])
    log, folder = copy.with_name("log.txt"), copy.with_name("temp")
    folder.mkdir()
    # PYTHONPATH would find the modules of this checkout.
    with running(copy, log, TMPDIR=str(folder), GRADIO_TEMP_DIR="", PYTHONPATH="") as served:
        yield served, log


@pytest.fixture(scope="module")
def asked(poor: tuple[Served, Path]) -> Iterator[Client]:
    client = Client(poor[0].url, verbose=False, download_files=False)
    yield client
    client.close()


@pytest.mark.slow
def test_what_is_optional_and_missing_is_said_and_costs_nothing_else(poor: tuple[Served, Path], asked: Client) -> None:
    served, log = poor
    assert "chelsea.jpg cannot be read" in log.read_text()
    assert re.search(r"photo statistics .* cannot be read", log.read_text())
    assert "inside VGG16" in httpx.get(served.url).text
    _, record = asked.predict(**SHORT)
    assert record["robust"] is not None and record["selectivity"] is None
    _, record = asked.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")
    assert record["channels"] == 64


@pytest.mark.slow
def test_the_health_check_says_what_is_ready(poor: tuple[Served, Path]) -> None:
    answer = httpx.get(f"{poor[0].url}/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"network_loaded": True, "queue_running": True, "ascents_waiting": 0}


@pytest.mark.slow
def test_every_request_is_one_line_without_anything_of_the_visitor(poor: tuple[Served, Path], asked: Client) -> None:
    _, log = poor
    before = len(log.read_text().splitlines())
    asked.predict(layer="conv2_1", api_name="/filters")
    with pytest.raises(Exception, match="conv9_1"):
        asked.predict(layer="conv9_1", api_name="/filters")
    asked.predict(handle_file(CAT), "conv3_1", 17, api_name="/feature_map")
    with pytest.raises(Exception, match="does not exist"):
        asked.predict(layer="conv9_1\n{}" * 100, channel=10**30, api_name="/maximize")
    lines = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    told = [[line[name] for name in ("endpoint", "layer", "channel", "outcome")] for line in lines]
    assert told[:3] == [
        ["filters", "conv2_1", None, "ok"],
        ["filters", "conv9_1", None, "refused"],
        ["feature_map", "conv3_1", 17, "ok"],
    ]
    assert told[3][0] == "maximize" and told[3][3] == "refused" and len(told[3][1]) < 50 and len(told[3][2]) < 50
    assert all(set(line) == {"time", "endpoint", "layer", "channel", "seconds", "outcome"} for line in lines)
    assert 0 < lines[2]["seconds"] < 30


def limit_files(served: Served, size: int) -> None:
    """Let the page write no file longer than `size` bytes, as if its disk were full."""
    resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_the_page_lives_on(poor: tuple[Served, Path], asked: Client) -> None:
    served, _ = poor
    fresh = {"layer": "conv4_1", "input_channel": 77, "api_name": "/filters"}
    limit_files(served, 1000)
    try:
        for call in (fresh, {**SHORT, "seed": 77}):
            with pytest.raises(Exception, match="cannot store pictures at the moment: try again"):
                asked.predict(**call)
        upload = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("a.jpg", CAT.read_bytes())})
        assert upload.status_code >= 400
        assert httpx.get(served.url).status_code == httpx.get(f"{served.url}/healthz").status_code == 200
        assert asked.predict(api_name="/layers")
    finally:
        limit_files(served, resource.RLIM_INFINITY)
    assert asked.predict(**fresh)[1]["channels"] == 512
    assert asked.predict(**SHORT)[1]["step"] == 1


@pytest.mark.slow
def test_sigterm_ends_an_ascent_and_leaves_nothing_behind(poor: tuple[Served, Path]) -> None:
    """The last test of this page."""
    served, log = poor
    (folder,) = log.with_name("temp").glob("cnnvis-*")
    process = psutil.Process(served.pid)
    client = Client(served.url, verbose=False, download_files=False)
    next(iter(client.submit(**LONG)))
    family = [process, *process.children(recursive=True)]
    served.process.terminate()
    assert served.process.wait(5) == 0
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not folder.exists()
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_a_page_without_weights_does_not_begin(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(weights.BUNDLED.read_bytes()[:5_000_000])
    for path, reason in ((broken, "truncated"), (tmp_path / "gone.pth", "does not exist")):
        log = tmp_path / "log.txt"
        with pytest.raises(RuntimeError, match="exit code 2"), running(log=log, CNNVIS_WEIGHTS=str(path)):
            pass
        (line,) = log.read_text().splitlines()
        assert line.startswith("cnnvis: weights file") and reason in line


# In this process


def test_a_folder_removed_while_the_page_runs_is_made_again(client: Client) -> None:
    photo = handle_file(CAT)
    client.predict(photo, "conv1_1", api_name="/feature_maps")
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"])
    assert client.predict(layer="conv1_2", api_name="/filters")[1]["channels"] == 64
    assert client.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")[1]["channels"] == 64
    assert client.predict(**SHORT)[1]["step"] == 1


@pytest.mark.parametrize("content", [None, b"", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_network_without_statistics_is_loaded_and_it_is_logged(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "statistics.safetensors"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(usual, "STATISTICS", file)
    with caplog.at_level(logging.WARNING):
        assert usual.photo_statistics() is None
    assert "statistics.safetensors cannot be read" in caplog.text and "restore it" in caplog.text


class Full(torch.nn.Module):
    """A layer for which the GPU's memory does not suffice."""

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        """Fail as PyTorch does."""
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def test_a_full_gpu_is_a_sentence_of_every_feature() -> None:
    net = toy()
    net.relu1_1 = Full()
    photo = to_picture(torch.zeros(1, 3, 8, 8)[0])
    for call in (
        lambda: list(cnnvis.maximize(net, "conv1_2", 0, steps=1, size=64)),
        lambda: cnnvis.map_sheet(net, photo, "conv1_2"),
        lambda: cnnvis.score(net, photo, "conv1_2", 0),
    ):
        with pytest.raises(UnavailableError, match="not enough memory for this at the moment: try a smaller size"):
            call()


def test_after_a_full_gpu_the_next_request_works(client: Client) -> None:
    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    hook = cnnvis.load_vgg16().get_submodule("conv2_1").register_forward_pre_hook(fail)
    try:
        with pytest.raises(Exception, match="not enough memory"):
            client.predict("conv2_2", 0, "fourier", 2, 64, api_name="/maximize")
        with pytest.raises(Exception, match="not enough memory"):
            client.predict(handle_file(EXAMPLES / "rocket.jpg"), "conv2_2", api_name="/feature_maps")
    finally:
        hook.remove()
    assert client.predict("conv2_2", 0, "fourier", 2, 64, api_name="/maximize")[1]["step"] == 2


def test_a_health_check_before_the_network_is_loaded_says_503(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cnnvis.load_vgg16()
    assert httpx.get(f"{page.local_url}healthz").status_code == 200
    monkeypatch.setattr(weights, "_loaded", {})
    answer = httpx.get(f"{page.local_url}healthz")
    assert answer.status_code == 503 and answer.json()["network_loaded"] is False
