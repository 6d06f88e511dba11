"""Making an atlas: each picture is what `maximize_many` grows, however the work is interrupted or distributed."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from helpers import ROOT
from helpers.toys import conv, toy
from PIL import Image

from cnnvis.errors import LayerError, SettingError
from cnnvis.maximization.ascent import maximize_many
from cnnvis.maximization.score import distorted_copies
from cnnvis.network.architecture import Target
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, cut
from cnnvis.prepared import atlas_growing, atlas_making
from cnnvis.prepared.atlas import Atlas
from cnnvis.prepared.atlas_growing import SEEDS, canvas_px
from cnnvis.prepared.atlas_making import make_atlas
from cnnvis.prepared.tiles import GREY, TILE_PX, middle, picture_px, tile
from cnnvis.prepared.unfinished import NAME, pieces

LAYERS = ["conv1_2", "conv3_1"]


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> Iterator[None]:
    """Two channels a batch, so that a toy's layer has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas_making, "BATCH_CHANNELS", 2)
        yield


@pytest.fixture(scope="module")
def made(tiny: VGG16, tmp_path_factory: pytest.TempPathFactory, small_batches: None) -> Path:
    folder = tmp_path_factory.mktemp("atlas")
    assert make_atlas(tiny, ["block3_conv1", "conv1_2"], folder) == LAYERS
    return folder


def record_of(folder: Path, layer: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / f"{layer}.json").read_text(encoding="utf-8"))
    return record


def assert_equal_atlases(first: Path, second: Path) -> None:
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (first, second)]
    assert contents[0] == contents[1]


def test_the_tiles_of_a_layer_are_pictures_grown_in_batches(tiny: VGG16, made: Path) -> None:
    layer = tiny.architecture.find("conv3_1")
    sheet = Atlas(made).sheet(layer, tiny)
    assert (sheet.layer, sheet.channels, sheet.recipe, sheet.picture_px) == ("conv3_1", 6, "fourier", 24)
    assert sheet.scale == TILE_PX / 24 and sheet.cell - sheet.gap == TILE_PX
    for record in sheet.tiles:
        assert record.channel in record.batch and record.seed == 0
    *_, last = maximize_many(tiny, "conv3_1", [2, 3], size=canvas_px(layer), every=math.inf)
    for channel, snapshot in zip((2, 3), last, strict=True):
        assert sheet.tiles[channel].batch == [2, 3]
        expected = np.asarray(tile(middle(snapshot.picture, 24)), float)
        assert np.abs(np.asarray(sheet.tile(channel), float) - expected).mean() < 12  # WebP


def test_a_tile_is_measured_on_its_own_canvas(tiny: VGG16, made: Path) -> None:
    """By torch alone: the mean of the map, and of the maps of sixteen distorted copies."""
    layer = tiny.architecture.find("conv3_1")
    sheet = Atlas(made).sheet(layer, tiny)
    *_, snapshots = maximize_many(tiny, "conv3_1", [4, 5], size=64, every=math.inf)
    copies = distorted_copies(snapshots[1].picture)
    assert copies.shape == (16, 3, 48, 48)
    rgb = torch.from_numpy(np.asarray(snapshots[1].picture, np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        part = cut(tiny, "conv3_1")
        assert sheet.tiles[5].activation == pytest.approx(float(part(rgb)[0, 5].mean()), rel=1e-4)
        assert sheet.tiles[5].robust == pytest.approx(float(part(copies)[:, 5].mean()), rel=2e-2)
    assert sheet.tiles[5].fires


def test_the_record_states_what_was_used(tiny: VGG16, made: Path) -> None:
    record = record_of(made, "conv1_2")
    assert record["weights_sha256"] == tensors_sha256(tiny)
    assert record["settings"]["size"] == 64 and record["settings"]["recipe"] == "fourier"
    assert {"torch", "device", "precision", "threads"} <= record["build"].keys()
    assert record["arrangement"] is None  # the bundled shelf is of different weights
    assert [tile["channel"] for tile in record["tiles"]] == list(range(4))
    for own in record["tiles"]:
        assert len(own["alike"]) == 3 and own["channel"] not in own["alike"]


def test_a_complete_layer_is_kept(tiny: VGG16, made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    seen = []
    make_atlas(tiny, LAYERS, made, progress=lambda *done: seen.append(done))
    assert seen == [(10, 10)]
    assert {path: path.stat().st_mtime_ns for path in made.iterdir()} == before


@pytest.mark.parametrize("change", ["seed", "weights", "sheet"])
def test_a_layer_made_differently_is_rebuilt(tiny: VGG16, tmp_path: Path, change: str) -> None:
    make_atlas(tiny, ["conv1_1"], tmp_path)
    before = record_of(tmp_path, "conv1_1")
    if change == "sheet":
        (tmp_path / "conv1_1.webp").unlink()
    net, seed = (toy(5) if change == "weights" else tiny), int(change == "seed")
    seen = []
    make_atlas(net, ["conv1_1"], tmp_path, seed=seed, progress=lambda *done: seen.append(done))
    assert seen == [(0, 4), (2, 4), (4, 4)]
    assert (tmp_path / "conv1_1.webp").exists()
    assert (record_of(tmp_path, "conv1_1") == before) == (change == "sheet")


@pytest.mark.parametrize("batches", [1, 4])
def test_an_interruption_loses_no_finished_work(tiny: VGG16, made: Path, tmp_path: Path, batches: int) -> None:
    def interrupt(done: int, _: int) -> None:
        if done >= 2 * batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_atlas(tiny, LAYERS, tmp_path, progress=interrupt)
    seen = []
    make_atlas(tiny, LAYERS, tmp_path, progress=lambda done, _: seen.append(done))
    assert seen == [2 * batches, *range(2 * batches + 2, 12, 2)]
    assert_equal_atlases(tmp_path, made)


def test_what_cannot_be_made_is_refused(tiny: VGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LayerError):
        make_atlas(tiny, ["relu1_1"], tmp_path)
    for wrong in ({"seed": -1}, {"workers": -1}, {"workers": 1, "scheduler": "tcp://x:1"}):
        with pytest.raises(SettingError):
            make_atlas(tiny, ["conv1_1"], tmp_path, **wrong)
    monkeypatch.setattr("cnnvis.analysis.likeness.find_spec", lambda _: None)
    with pytest.raises(SettingError, match="scikit-learn"):
        make_atlas(tiny, ["conv1_1"], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_channel_that_does_not_fire_is_tried_with_two_more_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = toy()
    bias = conv(net, "conv1_1").bias
    assert bias is not None
    bias[1] = -1000
    tried: list[tuple[list[int], int]] = []
    grow = atlas_growing.grow

    def watched(net: VGG16, targets: list[Target], seed: int, size: int) -> Any:
        tried.append(([target.number for target in targets], seed))
        return grow(net, targets, seed, size)

    monkeypatch.setattr(atlas_growing, "grow", watched)
    make_atlas(net, ["conv1_1"], tmp_path, seed=7)
    assert tried == [([0, 1], 7), ([1], 8), ([1], 9), ([2, 3], 7)] and SEEDS == 3
    record = record_of(tmp_path, "conv1_1")
    silent = record["tiles"][1]
    assert not silent["fires"] and silent["robust"] < 0 and silent["seed"] == 7 and silent["batch"] == [0, 1]
    assert record["settings"]["seed"] == 7
    with Image.open(tmp_path / "conv1_1.webp") as sheet:
        square = np.asarray(sheet.convert("RGB"))[40:96, 98 : 98 + 96]
    assert np.abs(square.astype(int) - GREY[0]).max() < 12  # below the words


def test_tiles_and_canvases_are_as_large_as_the_design_says(tiny: VGG16) -> None:
    layers = [tiny.architecture.find(name) for name in tiny.architecture.convolutions]
    assert [picture_px(layer) for layer in layers] == [16, 16, 16, 16, 24, 32, 40, 64, 80, 96, 136, 160, 160]
    assert all(canvas_px(layer) >= max(layer.receptive_field, picture_px(layer)) for layer in layers)


SCRIPT = """
import sys, psutil
from cnnvis import load_vgg16
from cnnvis.prepared.atlas_making import make_atlas
killed = []
def kill(done, total):  # once: before the loss is noticed, another batch may be done
    if done and not killed:
        family = psutil.Process().children(recursive=True)
        killed.append(next(child for child in family if 'spawn_main' in ' '.join(child.cmdline())))
        killed[0].kill()
say = lambda *done: print(*done, flush=True)
make_atlas(load_vgg16("cpu"), ["conv1_1"], sys.argv[1], workers=2, progress=say)
"""


def run(code: str, folder: Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, **options)


@pytest.mark.slow
def test_a_killed_process_and_its_workers_lose_at_most_what_was_in_hand(tmp_path: Path) -> None:
    atlas, command = tmp_path / "atlas", [sys.executable, "-c", SCRIPT, str(tmp_path / "atlas")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    for _ in range(2):  # the start, and one batch of four
        process.stdout.readline()
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()  # the workers notice, and end too
    process.wait()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    kept = pieces(atlas / f"{NAME}-conv1_1")
    assert kept and not (atlas / "conv1_1.json").exists()
    done = run(SCRIPT, atlas, check=True)
    assert len(done.stdout.splitlines()) == 1 + 4 - len(kept)
    run(SCRIPT, tmp_path / "other", check=True)
    assert_equal_atlases(atlas, tmp_path / "other")


@pytest.mark.slow
def test_a_killed_worker_is_reported_in_a_sentence_and_costs_only_its_batch(tmp_path: Path) -> None:
    failed = run(SCRIPT.replace("progress=say", "progress=kill"), tmp_path)
    assert "UnavailableError: a worker ended unexpectedly" in failed.stderr
    assert pieces(tmp_path / f"{NAME}-conv1_1")
    run(SCRIPT, tmp_path, check=True)
    assert (tmp_path / "conv1_1.json").exists()
