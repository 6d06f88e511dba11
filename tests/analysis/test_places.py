"""What stands out at a place: compared with plain loops over torchvision's maps and the shelf's tables."""

import functools
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from helpers.toys import toy
from PIL import Image, ImageColor
from safetensors.numpy import load_file

import cnnvis
from cnnvis.analysis.places import (
    Places,
    check_places,
    dictionary,
    direction_of,
    direction_target,
    draw_mosaic,
    grid,
    look_up,
    places_of,
)
from cnnvis.errors import LayerError, PhotoError, SettingError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import crop_like_training
from cnnvis.prepared.shelf import BUNDLED

Above = Callable[[str, int, int], list[tuple[float, float, float, tuple[int, int]]]]
INDICES = {"conv1_2": 2, "conv2_2": 7, "conv3_3": 14, "conv4_3": 21, "conv5_1": 24}
GRIDS = {"conv1_2": 28, "conv2_2": 28, "conv3_3": 28, "conv4_3": 28, "conv5_1": 14}


@pytest.fixture(scope="module")
def cropped(photo: Image.Image) -> Image.Image:
    """A piece of 256 px, of which both ways to prepare a photo keep the same pixels."""
    return photo.crop((100, 20, 356, 276))


@pytest.fixture(scope="module")
def slow(features: torch.nn.Sequential, cropped: Image.Image) -> Above:
    """How far each channel is above the usual at a place, its value, its spread and its cell, cell by cell."""
    tables = load_file(BUNDLED / "index.safetensors")
    rgb = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()(cropped)[None]
    maps = {}
    with torch.inference_mode():
        for index, module in enumerate(features[: max(INDICES.values()) + 1]):
            rgb = module(rgb)
            maps[index] = rgb[0].tolist() if index in INDICES.values() else None

    @functools.cache
    def above(layer: str, row: int, column: int) -> list[tuple[float, float, float, tuple[int, int]]]:
        of_layer = maps[INDICES[layer]]
        assert of_layer is not None
        last = len(of_layer[0]) - 1
        side = (last + 1) // GRIDS[layer]
        least = 0.1 * statistics.median(tables[f"{layer}.spread"].tolist())
        found = []
        for channel, values in enumerate(of_layer):
            best, where = -1.0, (0, 0)
            for r in range(row * side, (row + 1) * side):
                for c in range(column * side, (column + 1) * side):
                    if max(0.0, values[r][c]) > best:
                        best, where = max(0.0, values[r][c]), (r, c)
            outer = {0, last} & set(where)
            mean = float(tables[f"{layer}.{'border' if outer else 'usual'}"][channel])
            spread = max(least, float(tables[f"{layer}.{'border_spread' if outer else 'spread'}"][channel]))
            found.append(((best - mean) / spread, best, spread, where))
        return found

    return above


@pytest.mark.parametrize("layer", INDICES)
def test_a_place_is_what_plain_loops_over_torchvisions_maps_find(
    vgg16: VGG16, cropped: Image.Image, slow: Above, layer: str
) -> None:
    size = GRIDS[layer]
    places = places_of(vgg16, cropped, check_places(vgg16, layer))
    for row, column in ((0, 0), (size - 1, size // 3), (size // 2, size // 2), (3, size - 1)):
        found, expected = look_up(places, row, column, 16), slow(layer, row, column)
        order = sorted(range(len(expected)), key=lambda channel: -expected[channel][0])
        assert (found.rows, found.columns, found.row, found.column) == (size, size, row, column)
        assert [entry.above for entry in found.channels] == pytest.approx(
            [expected[channel][0] for channel in order[:16]], rel=1e-3, abs=1e-3
        )
        for entry in found.channels:
            assert (entry.above, entry.value) == pytest.approx(expected[entry.channel][:2], rel=1e-3, abs=1e-3)
        assert tuple(found.cell) == expected[found.channels[0].channel][3]


@pytest.mark.parametrize("layer", INDICES)
def test_a_direction_takes_in_what_lies_around_the_place(
    vgg16: VGG16, cropped: Image.Image, slow: Above, layer: str
) -> None:
    size, described = GRIDS[layer], ARCHITECTURE.find(layer)
    places = places_of(vgg16, cropped, check_places(vgg16, layer))
    deviation = described.receptive_field / 5 / (224 / size)
    for row, column in ((0, 0), (size - 1, size // 3), (size // 2, size // 2), (3, size - 1)):
        total, around = 0.0, [0.0] * described.channels
        for r in range(size):
            for c in range(size):
                weight = math.exp(-((r - row) ** 2 + (c - column) ** 2) / (2 * deviation**2))
                if weight > 1e-7:
                    total += weight
                    around = [a + weight * b[0] for a, b in zip(around, slow(layer, r, c), strict=True)]
        above, spreads = [value / total for value in around], [entry[2] for entry in slow(layer, row, column)]
        order = sorted(range(len(above)), key=lambda channel: -above[channel])[:60]
        weights = {channel: above[channel] / spreads[channel] for channel in order if above[channel] > 0}
        weights = {channel: weight for channel, weight in weights.items() if above[channel] >= above[order[0]] / 20}
        found = look_up(places, row, column, 1).direction
        assert len(found.keys() & weights.keys()) >= len(weights) - 1  # the last one may be a tie
        assert max(found.values()) == 1.0
        largest = max(weights.values())
        for channel in found.keys() & weights.keys():
            assert found[channel] == pytest.approx(weights[channel] / largest, rel=2e-3)


def test_without_a_place_it_is_the_most_unusual_one(vgg16: VGG16, cropped: Image.Image, slow: Above) -> None:
    leading = {(row, column): max(slow("conv5_1", row, column)) for row in range(14) for column in range(14)}
    place = max(leading, key=lambda cell: leading[cell])
    found = dictionary(vgg16, cropped, "block5_conv1")
    assert (found.layer, found.row, found.column) == ("conv5_1", *place)
    assert found == dictionary(vgg16, cropped, "conv5_1", *place)
    assert len(found.channels) == 6


def test_box_and_field_are_in_px_of_the_crop(vgg16: VGG16, photo: Image.Image) -> None:
    found = dictionary(vgg16, photo, "conv1_2", 27, 0)
    assert (found.box, found.field) == ([0, 216, 8, 224], [0, 212, 12, 224])  # moved inside by two px
    found = dictionary(vgg16, photo, "conv4_3", 10, 12)
    assert found.box == [96, 80, 104, 88]
    left, top, right, bottom = vgg16.architecture.find("conv4_3").field(10, 12)
    assert found.field == [left, top, right, bottom] and right - left == 92
    assert found.cell == [10, 12]


# Toy networks, whose tables are made up


@pytest.fixture
def net() -> VGG16:
    """A toy whose channels usually have mean 0.1 and spread 0.2, at the border 0.3 and 0.4."""
    made = toy()
    tables = {"mean_activation": 0.1, "spread": 0.2, "border": 0.3, "border_spread": 0.4}
    for name, value in tables.items():
        layers = (made.architecture.find(layer) for layer in made.architecture.convolutions)
        setattr(made, name, {layer.name: torch.full((layer.channels,), value) for layer in layers})
    return made


def test_cells_at_the_border_are_compared_with_the_border(net: VGG16, photo: Image.Image) -> None:
    places = places_of(net, photo, check_places(net, "conv5_2"))
    values = cnnvis.feature_maps(net, photo, "relu5_2").values
    assert torch.allclose(places.above[:, 1:-1, 1:-1], (values[:, 1:-1, 1:-1] - 0.1) / 0.2, atol=1e-4)
    for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        assert torch.allclose(places.above[edge], (values[edge] - 0.3) / 0.4, atol=1e-4)


def test_a_silent_channel_does_not_lead_everywhere(net: VGG16, photo: Image.Image) -> None:
    assert net.spread is not None
    net.spread["conv5_2"][3] = 1e-9
    places = places_of(net, photo, check_places(net, "conv5_2"))
    assert places.spread[0].tolist() == pytest.approx([0.2, 0.2, 0.2, 0.02, 0.2, 0.2, 0.2, 0.2])


def test_a_direction_has_the_60_channels_that_stand_out_most() -> None:
    weights = torch.arange(100.0).flip(0) - 20  # 79, 78, … −20
    direction = direction_of(weights, torch.full((100,), 2.0))
    assert list(direction) == list(range(60)) and direction[0] == 1.0
    assert direction[59] == pytest.approx(20 / 79)
    few = direction_of(torch.tensor([10.0, 0.4, 0.5, -3.0, 8.0]), torch.tensor([10.0, 1.0, 0.5, 1.0, 2.0]))
    assert few == pytest.approx({0: 0.25, 4: 1.0, 2: 0.25})
    assert direction_of(torch.tensor([-1.0, 0.0]), torch.ones(2)) == {}


def test_a_place_where_nothing_stands_out_cannot_be_grown(net: VGG16) -> None:
    with pytest.raises(SettingError, match="nothing stands out at place-3-4 of conv5_2: choose another place or photo"):
        direction_target(net, "conv5_2", {}, "place-3-4")
    target = direction_target(net, "conv5_2", {3: 1.0, 5: 0.5}, "place-3-4")
    assert (str(target), target.short) == ("conv5_2 place-3-4", "place-3-4")


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"layer": "pool5"}, LayerError, "choose a convolution"),
        ({"layer": "conv9_1"}, LayerError, "does not exist"),
        ({"row": 14, "column": 0}, SettingError, "row 14 is out of range: choose a whole number from 0 to 13"),
        ({"row": 0, "column": -1}, SettingError, "column -1 is out of range"),
        ({"row": 3}, SettingError, "column is missing: give both row and column, or neither"),
        ({"count": 17}, SettingError, "count 17 is out of range: choose a whole number from 1 to 16"),
        ({"count": 0}, SettingError, "count 0"),
        ({}, PhotoError, "no picture was given"),
    ],
)
def test_what_cannot_be_looked_up_is_refused(net: VGG16, wrong: dict[str, Any], error: Any, words: str) -> None:
    """Before the photo is opened: there is none."""
    with pytest.raises(error, match=words):
        dictionary(net, None, **{"layer": "conv5_2", **wrong})


def test_a_places_colour_is_the_mean_of_what_it_sees(net: VGG16, photo: Image.Image) -> None:
    found = dictionary(net, photo, "conv3_2", 3, 4)
    left, top, right, bottom = found.field
    seen = np.asarray(crop_like_training(photo), float)[top:bottom, left:right]
    assert ImageColor.getrgb(found.colour) == tuple(seen.reshape(-1, 3).mean(0).round())


def test_a_record_is_plain_values(net: VGG16, photo: Image.Image) -> None:
    found = dictionary(net, photo, "conv5_2", 3, 4, count=2)
    record = found.record()
    assert record["channels"] == [vars(entry) for entry in found.channels]
    assert {int(channel): weight for channel, weight in record["direction"].items()} == found.direction
    names = "layer rows columns row column box field cell channels direction colour cnnvis"
    assert list(record) == names.split()


# The mosaic


def test_a_mosaics_places_are_as_bright_as_they_are_unusual(net: VGG16, photo: Image.Image) -> None:
    places = places_of(net, photo, check_places(net, "conv4_2"))
    mosaic = draw_mosaic(places, lambda channel: Image.new("RGB", (8, 8), (255, 20 * channel, 0)))
    above, channels = np.array(mosaic.above), np.array(mosaic.channels)
    assert (mosaic.rows, mosaic.columns) == channels.shape == (grid(places.layer),) * 2 == (28, 28)
    assert np.array_equal(channels, places.above.numpy().argmax(0)) and np.allclose(above, places.above.amax(0))
    opacity = np.clip(above / np.quantile(above, 0.9), 0, 1)
    assert 0 < opacity.mean() < 1 and (opacity == 1).mean() == pytest.approx(0.1, abs=0.01)
    grey = places.photo.convert("L").resize(mosaic.picture.size, Image.Resampling.BICUBIC)
    drawn, below, side = np.asarray(mosaic.picture), 0.4 * np.asarray(grey, np.float32), mosaic.picture.width // 28
    for row, column in ((0, 0), (5, 9), (13, 27), np.unravel_index(above.argmax(), above.shape)):
        middle = (row * side + side // 2, column * side + side // 2)
        tile = np.array((255, 20 * channels[row, column], 0))
        expected = opacity[row, column] * tile + (1 - opacity[row, column]) * below[middle]
        assert np.abs(drawn[middle] - expected).max() < 4


def test_a_photo_without_anything_unusual_has_a_dark_mosaic(net: VGG16, photo: Image.Image) -> None:
    places = places_of(net, photo, check_places(net, "conv5_2"))
    calm = Places(**{**vars(places), "above": -places.above.abs() - 1})
    drawn = np.asarray(draw_mosaic(calm, lambda channel: Image.new("RGB", (8, 8), "red")).picture)
    assert np.ptp(drawn, axis=2).max() == 0 and drawn.max() <= 103


def test_the_public_mosaic_takes_the_atlass_tiles(vgg16: VGG16, photo: Image.Image) -> None:
    mosaic, sheet = cnnvis.mosaic(vgg16, photo, "conv5_1"), cnnvis.atlas_sheet("conv5_1")
    above = np.array(mosaic.above)
    row, column = np.unravel_index(above.argmax(), above.shape)
    place = dictionary(vgg16, photo, "conv5_1")
    assert (place.row, place.column) == (row, column)
    assert place.channels[0].channel == mosaic.channels[row][column]
    box = (96 * int(column), 96 * int(row), 96 * int(column) + 96, 96 * int(row) + 96)
    assert mosaic.picture.crop(box).tobytes() == sheet.tile(mosaic.channels[row][column]).tobytes()
    assert mosaic.record().keys() == {"layer", "rows", "columns", "channels", "above", "cnnvis"}
