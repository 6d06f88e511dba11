"""Reading an atlas: a layer that is missing, damaged or of different weights is reported, and costs no other layer."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.toys import toy
from PIL import Image

import cnnvis
from cnnvis.errors import AtlasError, LayerError
from cnnvis.network.architecture import find_layer
from cnnvis.prepared.atlas import BUNDLED, load_atlas


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two layers of the bundled atlas, as your own atlas."""
    for layer in ("conv1_1", "conv1_2"):
        for suffix in ("webp", "json"):
            shutil.copy(BUNDLED / f"{layer}.{suffix}", tmp_path)
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    return tmp_path


def test_your_own_atlas_is_used_if_it_is_named(few: Path) -> None:
    assert cnnvis.atlas_sheet("features.2").layer == "conv1_2"
    with pytest.raises(AtlasError, match=r"has no sheet of conv5_3: make it with `atlas make --layers conv5_3`"):
        cnnvis.atlas_sheet("conv5_3")
    assert cnnvis.atlas_sheet("conv5_3", BUNDLED).channels == 512


def test_an_atlas_made_again_is_another(few: Path) -> None:
    """The page keeps decoded sheets by their atlas."""
    before = load_atlas()
    assert load_atlas() is before
    record = json.loads((few / "conv1_1.json").read_text(encoding="utf-8"))
    (few / "new").write_text(json.dumps({**record, "recipe": "another"}), encoding="utf-8")
    (few / "new").replace(few / "conv1_1.json")
    assert load_atlas() is not before and load_atlas() is load_atlas()
    assert cnnvis.atlas_sheet("conv1_1").recipe == "another"


def test_only_convolutions_have_a_sheet() -> None:
    with pytest.raises(LayerError, match="choose a convolution, for example 'conv3_1'"):
        cnnvis.atlas_sheet("relu3_1")


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("webp", b""), ("webp", b"RIFF0000WEBP"), ("json", b"{"), ("json", b"{}"), ("json", b"[]"), ("json", b"\xff")],
)
def test_a_damaged_layer_is_reported_and_costs_no_other(few: Path, suffix: str, content: bytes) -> None:
    (few / f"conv1_1.{suffix}").write_bytes(content)
    with pytest.raises(AtlasError, match="the atlas's sheet of conv1_1 is damaged"):
        cnnvis.atlas_sheet("conv1_1")
    assert cnnvis.atlas_sheet("conv1_2").channels == 64


def test_a_record_that_lacks_a_field_is_damaged(few: Path) -> None:
    file = few / "conv1_1.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    for name in ("columns", "weights_sha256", "tiles", "picture"):
        file.write_text(json.dumps({key: value for key, value in record.items() if key != name}), encoding="utf-8")
        with pytest.raises(AtlasError, match="damaged"):
            cnnvis.atlas_sheet("conv1_1")


def test_an_atlas_of_different_weights_is_refused() -> None:
    with pytest.raises(AtlasError, match="the atlas's sheet of conv1_1 was made with different weights"):
        load_atlas().sheet(find_layer("conv1_1"), toy())


def test_a_sheet_saves_its_record_in_a_png(tmp_path: Path) -> None:
    sheet = cnnvis.atlas_sheet("conv1_1")
    sheet.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved:
        assert isinstance(saved.text, dict)
        record = json.loads(saved.text["cnnvis"])
    assert record == json.loads(json.dumps(sheet.record()))
    assert record["picture"] == 16 and record["tiles"][5]["channel"] == 5


def test_a_tile_is_cut_out_of_the_sheet() -> None:
    sheet = cnnvis.atlas_sheet("conv1_2")
    pixels = np.asarray(sheet.picture)
    for channel, left, top in ((0, 0, 0), (7, 7 * 98, 0), (8, 0, 98), (63, 7 * 98, 7 * 98)):
        assert np.array_equal(np.asarray(sheet.tile(channel)), pixels[top : top + 96, left : left + 96])
