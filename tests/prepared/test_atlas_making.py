"""Making an atlas: each picture is what `maximize_many` grows, however the making is interrupted or spread."""

import json
import math
import os
import subprocess
import sys
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
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, cut
from cnnvis.prepared import atlas_growing, atlas_making
from cnnvis.prepared.atlas import Atlas
from cnnvis.prepared.atlas_growing import SEEDS, canvas_px
from cnnvis.prepared.atlas_making import make_atlas
from cnnvis.prepared.tiles import GREY, TILE_PX, middle, picture_px, tile

LAYERS = ["conv1_2", "conv3_1"]


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two channels a batch, so that a toy's layer has several."""
    monkeypatch.setattr(atlas_making, "AT_ONCE", 2)


@pytest.fixture(scope="module")
def made(tiny: VGG16, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas_making, "AT_ONCE", 2)
        assert make_atlas(tiny, ["block3_conv1", "conv1_2"], folder) == LAYERS
    return folder


def record_of(folder: Path, layer: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / f"{layer}.json").read_text())
    return record


def assert_equal_atlases(one: Path, two: Path) -> None:
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


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


def test_the_record_says_what_was_used(tiny: VGG16, made: Path) -> None:
    record = record_of(made, "conv1_2")
    assert record["weights_sha256"] == tensors_sha256(tiny)
    assert record["settings"]["size"] == 64 and record["settings"]["recipe"] == "fourier"
    assert {"torch", "device", "precision", "threads"} <= record["build"].keys()
    assert record["arrangement"] is None  # the bundled shelf is of other weights
    assert [tile["channel"] for tile in record["tiles"]] == list(range(4))
    for own in record["tiles"]:
        assert len(own["alike"]) == 3 and own["channel"] not in own["alike"]


def test_a_layer_that_is_whole_stays(tiny: VGG16, made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    seen = []
    make_atlas(tiny, LAYERS, made, progress=lambda *done: seen.append(done))
    assert seen == [(10, 10)]
    assert {path: path.stat().st_mtime_ns for path in made.iterdir()} == before


@pytest.mark.parametrize("change", ["seed", "weights", "sheet"])
def test_a_layer_of_another_making_is_made_anew(tiny: VGG16, tmp_path: Path, change: str) -> None:
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
def test_a_making_that_was_interrupted_loses_nothing_that_was_done(
    tiny: VGG16, made: Path, tmp_path: Path, batches: int
) -> None:
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
    monkeypatch.setattr("cnnvis.prepared.likeness.find_spec", lambda _: None)
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

    def watched(net: VGG16, layer: str, channels: list[int], seed: int, size: int) -> Any:
        tried.append((list(channels), seed))
        return grow(net, layer, channels, seed, size)

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


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_1", "conv3_3", "conv4_3", "conv5_1", "conv5_3"])
def test_a_canvas_is_as_large_as_the_field_and_as_the_tile(tiny: VGG16, layer: str) -> None:
    found = tiny.architecture.find(layer)
    assert canvas_px(found) >= max(found.receptive_field, picture_px(found))


def test_tiles_show_what_the_design_says(tiny: VGG16) -> None:
    shown = [picture_px(tiny.architecture.find(name)) for name in tiny.architecture.convolutions]
    assert shown == [16, 16, 16, 16, 24, 32, 40, 64, 80, 96, 136, 160, 160]


SCRIPT = """
import sys
from cnnvis import load_vgg16
from cnnvis.prepared.atlas_making import make_atlas
if __name__ == "__main__":
    said = lambda *done: print(*done, flush=True)
    make_atlas(load_vgg16("cpu"), ["conv1_1"], sys.argv[1], workers=2, progress=said)
"""


KILL_ONE_WORKER = """
import psutil
class KillOneWorker:  # once: before the loss is noticed, another batch may be done
    killed = False
    def __call__(self, done, of):
        if done and not self.killed:
            self.killed = True
            family = psutil.Process().children(recursive=True)
            next(one for one in family if 'spawn_main' in ' '.join(one.cmdline())).kill()
"""


@pytest.mark.slow
def test_a_killed_process_and_its_killed_workers_lose_at_most_what_was_in_hand(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path / "atlas")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    for _ in range(2):  # the start, and one batch of four
        process.stdout.readline()
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()  # the workers notice, and end too
    process.wait()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    kept = list((tmp_path / "atlas" / "unfinished" / "conv1_1").glob("*.safetensors"))
    assert kept and not (tmp_path / "atlas" / "conv1_1.json").exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1 + 4 - len(kept)
    subprocess.run([*command[:2], str(tmp_path / "other")], env=environment, check=True, capture_output=True)
    assert_equal_atlases(tmp_path / "atlas", tmp_path / "other")


@pytest.mark.slow
def test_a_killed_worker_is_said_in_a_sentence_and_costs_only_its_batch(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    killer = SCRIPT.replace("said = lambda *done: print(*done, flush=True)", "said = KillOneWorker()")
    script.write_text(KILL_ONE_WORKER + killer)
    command = [sys.executable, str(script), str(tmp_path / "atlas")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    failed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "UnavailableError: a worker ended unexpectedly" in failed.stderr
    assert list((tmp_path / "atlas" / "unfinished" / "conv1_1").glob("*.safetensors"))
    script.write_text(SCRIPT)
    subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (tmp_path / "atlas" / "conv1_1.json").exists()
