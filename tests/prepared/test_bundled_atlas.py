"""The atlas that comes with cnnvis: complete, light, and grown again from its records."""

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import cnnvis
from cnnvis.maximization.ascent import build_record
from cnnvis.maximization.score import respond
from cnnvis.network.precision import precision_of
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.atlas import BUNDLED, AtlasSheet
from cnnvis.prepared.atlas_growing import grow, made_on, tile_of
from cnnvis.prepared.atlas_making import QUALITY

CHANNELS = {"conv2_1": 20, "conv4_1": 300}  # whose batches are grown again


@pytest.fixture
def as_then(vgg16: VGG16) -> Iterator[None]:
    """As many threads as when the atlas was made, because results depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(cnnvis.atlas_sheet("conv1_1").build["threads"])
    yield
    torch.set_num_threads(before)


def encoded_in(sheet: AtlasSheet, tiles: dict[int, Image.Image]) -> dict[int, np.ndarray]:  # type: ignore[type-arg]
    """Tiles as they look after being stored in their positions on the sheet.

    The encoder adapts to the whole sheet, so the other tiles are replaced by pictures never encoded before either.
    """
    picture, fresh = sheet.picture.copy(), list(tiles.values())
    for channel in range(sheet.channels):
        tile = tiles.get(channel, fresh[channel % len(fresh)])
        picture.paste(tile, (channel % sheet.columns * sheet.cell, channel // sheet.columns * sheet.cell))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=6)
    with Image.open(buffer) as opened:
        stored = replace(sheet, picture=opened.convert("RGB"))
    return {channel: np.asarray(stored.tile(channel), float) for channel in tiles}


@pytest.mark.slow
@pytest.mark.usefixtures("as_then")
@pytest.mark.parametrize("layer", CHANNELS)
def test_a_batch_grows_again_from_its_record(vgg16: VGG16, layer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same pictures on the same build; elsewhere, equally strong ones."""
    sheet = cnnvis.atlas_sheet(layer)
    record = sheet.tiles[CHANNELS[layer]]
    assert record.channel in record.batch
    targets = [vgg16.architecture.target(layer, channel) for channel in record.batch]
    grown = dict(zip(record.batch, grow(vgg16, targets, record.seed, sheet.settings["size"]), strict=True))
    same = sheet.build == made_on(vgg16, build_record(vgg16, precision_of("auto", vgg16.device)))
    with capsys.disabled():
        print(f"\n{layer}: {'pictures' if same else 'robust activations'} compared", end=" ")
    first = {channel: shot for channel, shot in grown.items() if sheet.tiles[channel].batch == record.batch}
    if same:
        tiles = encoded_in(sheet, {channel: Image.fromarray(tile_of(shot)) for channel, shot in first.items()})
        for channel, pixels in tiles.items():
            assert np.abs(pixels - np.asarray(sheet.tile(channel), float)).mean() <= 3, channel
    else:
        now = [respond(vgg16, shot.picture, shot.target).robust for shot in first.values()]
        assert np.mean(now) == pytest.approx(np.mean([sheet.tiles[channel].robust for channel in first]), rel=0.15)


@pytest.mark.parametrize("layer", cnnvis.CONVOLUTIONS)
def test_every_channel_has_a_tile(layer: str) -> None:
    channels, sheet = cnnvis.find_layer(layer).channels, cnnvis.atlas_sheet(layer)
    assert [tile.channel for tile in sheet.tiles] == list(range(channels))
    assert sheet.picture.size == (98 * sheet.columns, 98 * (channels // sheet.columns))
    assert sheet.settings["recipe"] == "fourier"
    assert sheet.arrangement is not None and sorted(sheet.arrangement["channels"]) == list(range(channels))


def test_nearly_all_tiles_fire_and_are_robust() -> None:
    """Not all: a shallow channel that is mostly off has a mean below zero even on its own picture."""
    tiles = [(layer, tile) for layer in cnnvis.CONVOLUTIONS for tile in cnnvis.atlas_sheet(layer).tiles]
    assert len(tiles) == 4224 and sum(tile.fires for _, tile in tiles) >= 0.99 * len(tiles)
    below = [layer for layer, tile in tiles if tile.robust <= 0]
    assert len(below) <= 0.01 * len(tiles) and set(below) <= {"conv1_1", "conv1_2", "conv2_1", "conv2_2"}


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 30_000_000
    assert {path.suffix for path in BUNDLED.iterdir()} == {".webp", ".json"}
