"""What the network takes over from the photo shelf; and what a shelf of the first version can still do."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import cnnvis
from cnnvis.errors import ShelfError
from cnnvis.network.usual import SPREAD, usual_responses
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.shelf import BUNDLED


@pytest.fixture
def old_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundled shelf as version 1 had it, in use."""
    for name in ("photos.json", "maxima.safetensors"):
        shutil.copy(BUNDLED / name, tmp_path)
    (tmp_path / "photos").symlink_to(BUNDLED / "photos")
    tables = load_file(BUNDLED / "index.safetensors")
    kept = {name: table for name, table in tables.items() if name.partition(".")[2] not in SPREAD}
    assert len(tables) == len(kept) + 13 * 3
    save_file(kept, tmp_path / "index.safetensors")
    about = json.loads((BUNDLED / "shelf.json").read_text(encoding="utf-8"))
    (tmp_path / "shelf.json").write_text(json.dumps({**about, "version": 1}), encoding="utf-8")
    monkeypatch.setenv("CNNVIS_SHELF", str(tmp_path))
    return tmp_path


def with_responses(net: VGG16, responses: dict[str, Any]) -> VGG16:
    """The same network, as it would be loaded with these responses."""
    other = copy.copy(net)
    for name in ("usual", "mean_activation", *SPREAD):
        setattr(other, name, responses.get(name))
    return other


def test_the_network_carries_the_shelfs_own_tables(vgg16: VGG16) -> None:
    tables = load_file(BUNDLED / "index.safetensors")
    for name, of in {"mean_activation": "usual", "spread": "spread", "border": "border"}.items():
        mine = getattr(vgg16, name)
        assert list(mine) == list(cnnvis.CONVOLUTIONS)
        assert all(torch.equal(table, tables[f"{layer}.{of}"]) for layer, table in mine.items())


def test_a_shelf_of_version_1_keeps_everything_that_it_could_do(
    vgg16: VGG16, photo: Image.Image, old_shelf: Path
) -> None:
    responses = usual_responses(vgg16)
    assert responses.keys() == {"usual", "mean_activation"}
    old = with_responses(vgg16, responses)
    first, second = (cnnvis.map_sheet(net, photo, "conv4_2", order="unusual") for net in (old, vgg16))
    assert first.order == second.order
    assert cnnvis.wiring(old, "conv4_2", 7).record() == cnnvis.wiring(vgg16, "conv4_2", 7).record()
    mine, bundled = (cnnvis.exemplars("conv5_1", 17, shelf=shelf) for shelf in (None, BUNDLED))
    assert mine.record() == bundled.record() and mine.picture.tobytes() == bundled.picture.tobytes()


def test_what_needs_version_2_says_so_before_it_opens_the_photo(vgg16: VGG16, old_shelf: Path) -> None:
    old = with_responses(vgg16, usual_responses(vgg16))
    for ask in (cnnvis.dictionary, cnnvis.groups, cnnvis.mosaic):
        with pytest.raises(ShelfError, match="a photo shelf of this version: make yours again with `shelf make`"):
            ask(old, None, "conv5_1")
        with pytest.raises(ShelfError, match="a photo shelf made with these weights: make one with `shelf make`"):
            ask(with_responses(vgg16, {}), None, "conv5_1")
