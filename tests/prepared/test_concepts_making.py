"""Making concepts: whatever their parts say is what torch says of every photo, however the work is distributed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from helpers.toys import toy
from PIL import Image
from safetensors.numpy import load_file

from cnnvis.analysis.maps import feature_maps
from cnnvis.errors import ConceptsError, LayerError, SettingError, ShelfError, WeightsError
from cnnvis.maximization.ascent import maximize_many
from cnnvis.network.vgg import VGG16
from cnnvis.prepared import concepts_making
from cnnvis.prepared.concepts import Concepts, concept_layers, read_concepts, spread_of
from cnnvis.prepared.concepts_finding import Keep, Run, factorise, find, keep_cells
from cnnvis.prepared.concepts_making import make_concepts
from cnnvis.prepared.shelf import Shelf
from cnnvis.prepared.shelf_making import make_shelf
from cnnvis.prepared.tiles import TILE_PX
from cnnvis.prepared.unfinished import NAME, pieces
from cnnvis.prepared.workers import run

PHOTOS = 12
LAYERS = ["conv4_3", "conv5_1"]


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Few factors and runs, small pieces: a toy's layer has eight channels."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"COUNTS": (2, 3), "RUNS": 3, "PHOTOS_AT_ONCE": 4, "BATCH_CHANNELS": 2}.items():
            patch.setattr(concepts_making, name, value)
        yield


@pytest.fixture(scope="module")
def shelf(tiny: VGG16, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pieces of the example photos, as a shelf."""
    folder = tmp_path_factory.mktemp("photos")
    examples = sorted(EXAMPLES.glob("*.jpg"))
    for number in range(PHOTOS):
        with Image.open(examples[number % len(examples)]) as opened:
            piece = opened.convert("RGB").crop((10 * number, 5 * number, 10 * number + 240, 5 * number + 230))
        piece.save(folder / f"{number:02}.png")
    make_shelf(tiny, folder, folder.parent / "my.shelf", name="pieces")
    return folder.parent / "my.shelf"


@pytest.fixture(scope="module")
def made(tiny: VGG16, shelf: Path, tmp_path_factory: pytest.TempPathFactory, small: None) -> Path:
    folder = tmp_path_factory.mktemp("concepts")
    told: list[tuple[int, int]] = []
    assert make_concepts(tiny, LAYERS, folder, shelf=shelf, progress=lambda *done: told.append(done)) == LAYERS
    assert told[-1][0] == told[-1][1] and told == sorted(told)
    return folder


@pytest.fixture
def mine(tiny: VGG16, shelf: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Concepts:
    monkeypatch.setenv("CNNVIS_SHELF", str(shelf))
    return read_concepts(tiny, tiny.architecture.find("conv5_1"), made)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_value_is_the_weighted_sum_of_the_maps(tiny: VGG16, shelf: Path, mine: Concepts) -> None:
    photos = [Shelf(shelf).path(number) for number in range(PHOTOS)]
    maps = torch.stack([feature_maps(tiny, photo, "conv5_1").values.clamp_min(0) for photo in photos])
    for concept in mine.concepts:
        channels = list(concept.direction)
        weights = torch.tensor(list(concept.direction.values()))
        assert float(weights.max()) == 1 and float(weights.min()) > 0
        values = (weights[:, None, None] * maps[:, channels]).sum(1)
        assert (concept.mean, concept.spread) == pytest.approx(
            (float(values.mean()), float(values.std(correction=0))), rel=1e-4
        )
        largest = values.flatten(1).max(1).values
        order = sorted(range(PHOTOS), key=lambda photo: -float(largest[photo]))
        assert [exemplar.photo for exemplar in concept.exemplars] == order
        assert [low.photo for low in concept.lows] == order[::-1]
        for exemplar in concept.exemplars:
            assert float(values[exemplar.photo, exemplar.row, exemplar.column]) == pytest.approx(exemplar.value)
        deviations = (largest[order] - largest.mean()) / largest.std(correction=0)
        assert [exemplar.deviations for exemplar in concept.exemplars] == pytest.approx(deviations.tolist(), abs=1e-3)
    found = mine.values(tiny, photos[0])
    assert found.shape == (len(mine.concepts), 14, 14)
    top = mine.concepts[0].exemplars[0]
    assert float(mine.values(tiny, photos[top.photo])[0, top.row, top.column]) == pytest.approx(top.value, rel=1e-5)


def test_shares_and_what_is_explained_are_those_of_the_best_amounts(tiny: VGG16, shelf: Path, mine: Concepts) -> None:
    from scipy.optimize import nnls

    layer, opened = tiny.architecture.find("conv5_1"), Shelf(shelf)
    spread = spread_of(opened, layer)
    weights = np.zeros((len(mine.concepts), layer.channels))
    for row, concept in zip(weights, mine.concepts, strict=True):
        row[list(concept.direction)] = list(concept.direction.values())
    weights *= spread.numpy()
    totals, left, squares = np.zeros(len(weights)), 0.0, 0.0
    for number in range(PHOTOS):
        maps = feature_maps(tiny, opened.path(number), "conv5_1").values.clamp_min(0).flatten(1).T / spread
        for cell in maps.double().numpy():
            amounts, residual = nnls(weights.T, cell)
            totals, left, squares = totals + amounts * weights.sum(1), left + residual**2, squares + (cell**2).sum()
    assert [concept.share for concept in mine.concepts] == pytest.approx((totals / totals.sum()).tolist(), abs=2e-3)
    assert mine.made["explained"] == pytest.approx(1 - left / squares, abs=2e-3)


def test_stable_concepts_come_first_and_each_has_its_measures(mine: Concepts) -> None:
    keys = [(concept.vague, -concept.share) for concept in mine.concepts]
    assert keys == sorted(keys) and sum(concept.share for concept in mine.concepts) == pytest.approx(1)
    assert all(0.5 <= concept.stability <= 1.0001 and 0 < concept.coherence < 2 for concept in mine.concepts)
    assert [entry["count"] for entry in mine.made["agreement"]] == [2, 3]
    best = max(mine.made["agreement"], key=lambda entry: entry["stable"])
    assert best["concepts"] == len(mine.concepts) and best["stable"] == sum(not c.vague for c in mine.concepts)


def test_a_tile_is_the_picture_that_its_direction_grows(tiny: VGG16, mine: Concepts) -> None:
    first = mine.made["tiles"][0]
    assert first.keys() == {"concept", "seed", "batch", "activation", "robust", "fires"}
    size = mine.made["settings"]["size"]
    directions = [mine.concepts[number].direction for number in first["batch"]]
    settings = {name: mine.made["settings"][name] for name in ("coarse_share", "steps", "decay_share")}
    *_, last = maximize_many(tiny, "conv5_1", directions, size=size, seed=first["seed"], every=1e9, **settings)
    side = mine.picture_px
    box = ((size - side) // 2, (size - side) // 2, (size + side) // 2, (size + side) // 2)
    grown = last[0].picture.crop(box).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(grown, float) - np.asarray(mine.tile(0), float)).mean() < 12  # WebP
    assert mine.picture.width == mine.columns * mine.cell


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Processes have one thread, and the last digits depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("at_once", [1, 5, 100])
def test_any_split_of_the_photos_makes_the_same_concepts(
    tiny: VGG16, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None, at_once: int
) -> None:
    make_concepts(tiny, ["conv5_1"], tmp_path / "one", shelf=shelf)
    monkeypatch.setattr(concepts_making, "PHOTOS_AT_ONCE", at_once)
    make_concepts(tiny, ["conv5_1"], tmp_path / "other", shelf=shelf)
    first, second = (load_file(tmp_path / name / "conv5_1.safetensors") for name in ("one", "other"))
    for name in ("directions", "stability", "coherence", "photo", "cell", "value", "low", "low_cell", "low_value"):
        assert np.array_equal(first[name], second[name]), name
    for name in ("share", "mean", "spread", "maxima_mean", "maxima_deviation"):
        assert first[name] == pytest.approx(second[name], rel=1e-5, abs=1e-6), name


@pytest.mark.slow
def test_processes_factorise_to_the_same_bits(tiny: VGG16, shelf: Path, tmp_path: Path, one_thread: None) -> None:
    plain = (("conv5_1",), str(shelf), "", Shelf(shelf).about["weights_sha256"])
    for number in range(2):
        content = keep_cells(Keep(*plain, tuple(range(number, PHOTOS, 2)), cells=196), tiny)
        (tmp_path / f"{number}.safetensors").write_bytes(content)
    files = [str(tmp_path / f"{number}.safetensors") for number in range(2)]
    todo = [Run(*plain, (file,), 3, seed) for file in files for seed in range(2)]
    here, there = (dict(run(factorise, todo, workers)) for workers in (0, 2))
    assert here == there and len(set(here.values())) == len(todo)


def test_after_an_interruption_only_what_is_missing_is_done(
    tiny: VGG16, shelf: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def stop(done: int, total: int) -> None:
        calls.append("done")
        if len(calls) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_concepts(tiny, LAYERS, tmp_path, shelf=shelf, progress=stop)
    assert pieces(tmp_path / f"{NAME}-conv5_1")
    moved = shelf.parent / "moved.shelf"
    shutil.copytree(shelf, moved)
    made_again: list[Any] = []
    monkeypatch.setattr(
        concepts_making, "run", lambda work, todo, *where: run(work, (made_again.append(p) or p for p in todo), *where)
    )
    make_concepts(tiny, LAYERS, tmp_path, shelf=moved)
    assert contents(tmp_path) == contents(made)
    total = 3 + 3 + 2 * 2 * 2 * 3  # pieces of photos twice, and runs
    assert total - 20 <= sum(type(piece).__name__ != "ConceptBatch" for piece in made_again) < total
    made_again.clear()
    assert make_concepts(tiny, LAYERS, tmp_path, shelf=moved) == LAYERS and not made_again
    record = json.loads((tmp_path / "conv5_1.json").read_text(encoding="utf-8"))
    (tmp_path / "conv5_1.json").write_text(json.dumps({**record, "seed": 7}), encoding="utf-8")
    make_concepts(tiny, LAYERS, tmp_path, shelf=moved)  # of another seed: made again
    assert {piece.layers[0] for piece in made_again if hasattr(piece, "layers")} == {"conv5_1"}
    assert contents(tmp_path) == contents(made)


def test_a_large_shelf_gives_fewer_cells_of_each_photo(tiny: VGG16, shelf: Path) -> None:
    from safetensors.numpy import load

    about = Shelf(shelf).about
    piece = Keep(("conv4_3",), str(shelf), "", about["weights_sha256"], (0, 3), cells=10)
    (kept,) = load(keep_cells(piece, tiny)).values()
    assert kept.shape == (20, 6) and kept.dtype == np.float16
    spread = spread_of(Shelf(shelf), tiny.architecture.find("conv4_3"))
    every = feature_maps(tiny, Shelf(shelf).path(0), "conv4_3").values.clamp_min(0).flatten(1).T / spread
    distance = (torch.from_numpy(kept[:10]).float()[:, None] - every[None]).abs().amax(2)
    assert float(distance.min(1).values.max()) < 0.01 and len(set(distance.argmin(1).tolist())) == 10


def test_a_photo_that_is_gone_is_left_out(
    tiny: VGG16, shelf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(PHOTOS):
        shutil.copy(Shelf(shelf).path(number), tmp_path / f"{number:02}.png")
    make_shelf(tiny, tmp_path, tmp_path / "gone.shelf")
    (tmp_path / "03.png").unlink()
    make_concepts(tiny, "conv5_1", tmp_path / "made", shelf=tmp_path / "gone.shelf")
    tables = load_file(tmp_path / "made" / "conv5_1.safetensors")
    assert tables["photo"].shape[1] == PHOTOS - 1 and 3 not in tables["photo"]
    assert "photo 03.png is left out" in caplog.text


def test_halves_that_have_nothing_in_common_have_no_concepts() -> None:
    halves = torch.eye(12)[None, :6].repeat(3, 1, 1), torch.eye(12)[None, 6:].repeat(3, 1, 1)
    found = find(halves, 6)
    assert not len(found.weights) and found.agreement["stable"] == 0
    same = find((halves[0], halves[0]), 6)
    assert len(same.weights) == 6 and same.agreement["stable"] == 6 and same.agreement["plain"] == 1


def test_what_cannot_be_made_is_refused(
    tiny: VGG16, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [layer.name for layer in concept_layers(tiny.architecture)] == ["conv4_3", "conv5_1", "conv5_2", "conv5_3"]
    with pytest.raises(LayerError, match="conv3_1' has no concepts"):
        make_concepts(tiny, ["conv3_1"], tmp_path / "none", shelf=shelf)
    for wrong in ({"seed": -1}, {"workers": -1}, {"workers": 1, "scheduler": "tcp://x:1"}):
        with pytest.raises(SettingError):
            make_concepts(tiny, LAYERS, tmp_path / "none", shelf=shelf, **wrong)
    with pytest.raises(ShelfError, match="different weights"):
        make_concepts(toy(5), LAYERS, tmp_path / "none", shelf=shelf)
    assert not (tmp_path / "none").exists()
    piece = Keep(("conv5_1",), str(shelf), "", "of others", (0,), 10)
    with pytest.raises(WeightsError, match="point CNNVIS_WEIGHTS at the same file"):
        keep_cells(piece, tiny)
    monkeypatch.setattr("cnnvis.prepared.concepts_finding.DIFFERENT", 2.0)
    with pytest.raises(ConceptsError, match="no concept of conv5_1 in common"):
        make_concepts(tiny, "conv5_1", tmp_path / "few", shelf=shelf)
