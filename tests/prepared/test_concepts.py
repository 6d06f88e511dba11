"""Reading concepts: what is missing, damaged, of other weights or of another shelf is said in a sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from helpers.toys import toy
from PIL import Image

import cnnvis
from cnnvis.errors import ConceptsError, LayerError, SettingError
from cnnvis.network.architecture import ARCHITECTURES
from cnnvis.network.usual import concepts_folder
from cnnvis.network.vgg import VGG16
from cnnvis.prepared import concepts_making
from cnnvis.prepared.concepts import BUNDLED, Concepts, concept_layers, concept_values, direction_in, read_concepts
from cnnvis.prepared.concepts_making import make_concepts
from cnnvis.prepared.shelf_making import make_shelf


@pytest.fixture(scope="module")
def shelf(tiny: VGG16, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, path in enumerate(sorted(EXAMPLES.glob("*.jpg")) * 2):
        with Image.open(path) as photo:
            photo.convert("RGB").rotate(180 * (number // 5)).save(folder / f"{number}.png")
    make_shelf(tiny, folder, folder.parent / "ten.shelf")
    return folder.parent / "ten.shelf"


@pytest.fixture(scope="module")
def made(tiny: VGG16, shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("concepts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concepts_making, "COUNTS", (3,))
        patch.setattr(concepts_making, "RUNS", 2)
        make_concepts(tiny, ["conv5_1"], folder, shelf=shelf)
    return folder


@pytest.fixture
def few(tiny: VGG16, shelf: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the concepts of one layer, as those in use, with their shelf."""
    shutil.copytree(made, tmp_path / "mine")
    monkeypatch.setenv("CNNVIS_CONCEPTS", str(tmp_path / "mine"))
    monkeypatch.setenv("CNNVIS_SHELF", str(shelf))
    return tmp_path / "mine"


def read(net: VGG16, layer: str = "conv5_1") -> Concepts:
    return read_concepts(net, net.architecture.find(layer))


def test_the_concepts_in_use_are_those_that_are_named(few: Path, tiny: VGG16, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(tiny)
    assert found is read(tiny) and (found.layer, len(found.shelf.photos)) == ("conv5_1", 10)
    with pytest.raises(ConceptsError, match="no concepts of conv5_2: make them with `concepts make --layers conv5_2`"):
        read(tiny, "conv5_2")
    monkeypatch.delenv("CNNVIS_CONCEPTS")
    assert concepts_folder() == BUNDLED


@pytest.mark.parametrize("layer", ["conv3_1", "block1_conv1"])
def test_layers_whose_channels_are_the_units_have_none(layer: str) -> None:
    with pytest.raises(LayerError, match=r"has no concepts, .*: choose one of conv4_3, conv5_1, conv5_2, conv5_3"):
        cnnvis.concepts(layer)
    with pytest.raises(LayerError, match="choose a convolution"):
        cnnvis.concepts("relu5_1")


def test_every_architecture_has_concepts_in_its_deep_layers() -> None:
    names = [[layer.name for layer in concept_layers(architecture)] for architecture in ARCHITECTURES]
    assert names[0] == ["conv4_2", "conv5_1", "conv5_2"]
    assert names[3] == ["conv4_4", "conv5_1", "conv5_2", "conv5_3", "conv5_4"]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("webp", b""), ("webp", b"RIFF0000WEBP"), ("json", b"{"), ("json", b"{}"), ("json", b"[]"), ("safetensors", b"x")],
)
def test_a_damaged_file_is_reported(few: Path, tiny: VGG16, suffix: str, content: bytes) -> None:
    (few / f"conv5_1.{suffix}").write_bytes(content)
    (few / "conv5_1.json").touch()
    with pytest.raises(ConceptsError, match="the concepts of conv5_1 are damaged: make them"):
        read(tiny)


def test_concepts_of_different_weights_or_of_another_shelf_are_refused(
    few: Path, tiny: VGG16, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConceptsError, match="conv5_1 were made with different weights"):
        read(toy(5))
    monkeypatch.delenv("CNNVIS_SHELF")
    with pytest.raises(ConceptsError, match=r"in another photo shelf, '.*': set CNNVIS_SHELF to it, or make them"):
        read(tiny)


def test_a_layer_made_again_is_read_again(few: Path, tiny: VGG16) -> None:
    before = read(tiny)
    record = json.loads((few / "conv5_1.json").read_text(encoding="utf-8"))
    (few / "new").write_text(json.dumps({**record, "recipe": "another"}), encoding="utf-8")
    (few / "new").replace(few / "conv5_1.json")
    assert read(tiny) is not before and read(tiny).made["recipe"] == "another"


def test_a_record_is_plain_values(few: Path, tiny: VGG16) -> None:
    found = read(tiny)
    record = found.record()
    assert json.loads(json.dumps(record)) == record
    assert list(record) == [
        "picture", "layer", "shelf", "photos", "columns", "cell", "gap", "scale", "concepts", "cnnvis"
    ]  # fmt: skip
    assert list(record["concepts"][0]) == [
        "concept", "share", "coherence", "stability", "mean", "spread", "channels", "direction", "exemplars", "vague"
    ]  # fmt: skip
    assert record["concepts"][0]["exemplars"][0].keys() >= {"photo", "file", "row", "column", "value", "box", "licence"}
    one = found.record([found["0"]])
    assert [concept["concept"] for concept in one["concepts"]] == [0] and len(record["concepts"]) == len(found.concepts)
    assert len(repr(found)) < 2000


def test_a_concept_is_asked_for_by_its_number(few: Path, tiny: VGG16) -> None:
    found = read(tiny)
    assert found[0] is found.concepts[0]
    for wrong in (len(found.concepts), -1, "many", None, 0.5):
        with pytest.raises(SettingError, match=r"concept .* is out of range: choose a whole number from 0 to"):
            found[wrong]
    target = found.target(0, tiny.architecture.find("conv5_1"))
    assert (target.short, target.direction) == ("concept-0", found[0].direction)
    assert found.tile(0).size == (96, 96)


def test_channels_and_concepts_name_each_other(few: Path, tiny: VGG16) -> None:
    found = read(tiny)
    for channel in range(8):
        named = found.with_channel(channel)
        assert {number for number, _ in named} == {c.concept for c in found.concepts if channel in c.direction}
        weights = {c.concept: {member.channel: member.weight for member in c.channels} for c in found.concepts}
        assert all(weights[number][channel] == weight for number, weight in named)
        assert [weight for _, weight in named] == sorted((weight for _, weight in named), reverse=True)
    for concept in found.concepts:
        assert concept.channels[0].weight == 1 and {m.channel for m in concept.channels} == set(concept.direction)
        assert list(concept.direction.values()) == sorted(concept.direction.values(), reverse=True)


def test_a_direction_is_a_row_of_weights() -> None:
    assert direction_in(np.array([0, 0.5, 0, 1, 0.5], np.float16)) == {3: 1.0, 1: 0.5, 4: 0.5}
    maps = torch.tensor([[[1.0, -3.0]], [[2.0, 5.0]]])
    assert concept_values(maps, torch.tensor([[1.0, 0.5]])).tolist() == [[[2.0, 2.5]]]
