"""Pictures: the crop that VGG16 was trained on, tensors, colours, contact sheets, and encoded files."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from helpers.pictures import WHITE, noise, row, saved
from numpy.typing import NDArray
from PIL import Image
from torchvision.models import VGG16_Weights
from torchvision.transforms.functional import to_tensor as torchvision_to_tensor

from cnnvis.pictures.images import (
    GREY,
    HEAT,
    SHEET_BACKGROUND,
    SIGNED,
    Pictured,
    animation,
    blend,
    colour,
    columns_for,
    contact_sheet,
    crop_like_training,
    encode,
    stretch,
    to_picture,
    to_tensor,
)
from cnnvis.pictures.photo import open_photo

# The crop that VGG16 was trained on

PREPARE = VGG16_Weights.IMAGENET1K_V1.transforms()
SIZES = [(1, 3000), (3000, 1), (1, 1), (10, 10), (223, 224), (224, 224), (225, 224), (256, 256), (257, 999), (998, 333)]


def assert_like_torchvision(photo: Image.Image) -> None:
    theirs = PREPARE(photo) * torch.tensor(PREPARE.std).view(3, 1, 1) + torch.tensor(PREPARE.mean).view(3, 1, 1)
    mine = crop_like_training(photo)
    assert mine.size == (224, 224)
    assert (torchvision_to_tensor(mine) - theirs).abs().max() <= 1.01 / 255


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_example_photos_are_cropped_as_in_torchvision(path: Path) -> None:
    assert_like_torchvision(open_photo(path))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_unusual_sizes_are_cropped_as_in_torchvision(size: tuple[int, int]) -> None:
    assert_like_torchvision(noise(*size))


@pytest.mark.parametrize("wide", [False, True])
def test_only_the_middle_of_a_very_long_photo_is_used(wide: bool) -> None:
    """Torchvision resizes the whole photo, and 1 × 20000 px become 1.3 gigapixels."""
    long = noise(20000, 1) if wide else noise(1, 20000)
    middle = long.crop((9980, 0, 10020, 1) if wide else (0, 9980, 1, 10020))
    assert np.array_equal(np.asarray(crop_like_training(long)), np.asarray(crop_like_training(middle)))


# Tensors


def test_a_picture_survives_the_conversion_to_a_tensor_and_back() -> None:
    picture = Image.fromarray(np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3))
    tensor = to_tensor(picture)
    assert (tensor.shape, tensor.dtype, tensor.is_contiguous()) == ((1, 3, 16, 16), torch.float32, True)
    assert torch.equal(tensor[0], torchvision_to_tensor(picture))
    assert np.array_equal(np.asarray(to_picture(tensor[0])), np.asarray(picture))


def test_values_are_rounded_and_clamped_to_valid_colours() -> None:
    values = torch.tensor([-0.5, 0.499, 0.501, 1.5]).expand(3, 1, 4).requires_grad_()
    assert row(to_picture(values)) == [(0,) * 3, (127,) * 3, (128,) * 3, WHITE]


# Colours


def test_the_heat_ramp_gets_brighter_in_even_steps() -> None:
    luminance = HEAT @ np.array([0.299, 0.587, 0.114])
    assert np.diff(luminance).min() >= 0 and luminance[0] < 20 and luminance[-1] > 240
    assert np.abs(np.diff(luminance[::16])).max() < 2 * np.ptp(luminance) / 16


def test_the_signed_ramp_is_blue_below_and_orange_above_a_pale_middle() -> None:
    red, blue = SIGNED[:, 0].astype(int), SIGNED[:, 2].astype(int)
    assert (blue > red)[:120].all() and (red > blue)[136:].all() and SIGNED[127:129].min() > 240
    assert (tuple(SIGNED[0].tolist()), tuple(SIGNED[255].tolist())) == ((16, 60, 138), (140, 52, 8))


def test_the_grey_ramp_is_grey() -> None:
    assert np.array_equal(GREY, np.arange(256)[:, None].repeat(3, axis=1))


def test_values_get_the_nearest_colour_of_the_ramp() -> None:
    values = torch.tensor([[-1.0, 0.0, 0.25], [0.5, 1.0, 7.0], [torch.nan, torch.inf, -torch.inf]])
    expected = [[0, 0, 64], [128, 255, 255], [0, 255, 0]]
    assert np.array_equal(colour(values, HEAT), HEAT[expected])


def test_stretch_maps_low_to_zero_high_to_one_and_constant_maps_to_zero() -> None:
    values = torch.tensor([0.0, 1.0, 4.0])
    table = {(0.0, 4.0): [0, 0.25, 1], (-4.0, 4.0): [0.5, 0.625, 1], (1.0, 1.0): [0, 0, 0], (0.0, 2.0): [0, 0.5, 2]}
    for (low, high), expected in table.items():
        assert stretch(values, low, high).tolist() == expected
        assert stretch(values, torch.tensor(low), torch.tensor(high)).tolist() == expected
    maps = torch.tensor([[3.0, 3.0], [1.0, 2.0]])
    assert stretch(maps, maps.amin(1, keepdim=True), maps.amax(1, keepdim=True)).tolist() == [[0, 0], [0, 1]]


def test_blend_mixes_by_opacity() -> None:
    heat = np.full((2, 3, 3), (210, 100, 50), dtype=np.uint8)
    mixed = blend(Image.new("RGB", (3, 2), (10, 20, 30)), heat, torch.tensor([[0.0, 0.5, 1.0]] * 2))
    assert mixed.size == (3, 2)
    assert row(mixed) == [(10, 20, 30), (110, 60, 40), (210, 100, 50)]


# Sheets


def test_columns_make_a_sheet_square_or_wide() -> None:
    table = {1: 1, 2: 2, 3: 2, 4: 2, 5: 4, 8: 4, 16: 4, 64: 8, 128: 16, 256: 16, 512: 32, 1000: 32}
    assert {tiles: columns_for(tiles) for tiles in table} == table


@pytest.mark.parametrize(
    ("count", "columns", "side", "gap", "size"),
    [(5, 4, 6, 2, (32, 16)), (4, 2, 3, 0, (6, 6)), (1, 1, 5, 3, (8, 8)), (7, 3, 2, 1, (9, 9)), (2, 4, 1, 1, (8, 2))],
)
def test_tiles_fill_the_sheet_row_by_row_with_a_gap_after_each(
    count: int, columns: int, side: int, gap: int, size: tuple[int, int]
) -> None:
    tiles: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    sheet = contact_sheet(tiles, columns, gap)
    expected = Image.new("RGB", size, SHEET_BACKGROUND)
    for i, tile in enumerate(tiles):
        expected.paste(Image.fromarray(tile), ((i % columns) * (side + gap), (i // columns) * (side + gap)))
    assert sheet.size == size
    assert np.array_equal(np.asarray(sheet), np.asarray(expected))


# Bytes


def test_a_png_keeps_its_pixels_and_its_record() -> None:
    record = {"layer": "conv5_3", "settings": {"zoom": 0.15, "note": "1 − zoom × 2 °, 猫"}}
    with Image.open(io.BytesIO(encode(noise(20, 10), "png", record))) as read:
        assert read.format == "PNG"
        assert json.loads(read.text["cnnvis"]) == record  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(read), np.asarray(noise(20, 10)))


def test_a_jpeg_is_saved_with_quality_90() -> None:
    assert encode(noise(20, 10), "jpeg") == saved(noise(20, 10), "JPEG", quality=90).getvalue()


@pytest.mark.parametrize(
    ("count", "seconds", "hold", "durations"),
    [(5, 2.0, 1.5, [400] * 4 + [1500]), (4, 0.01, 0.5, [20] * 3 + [500]), (1, 3.0, 1.0, [1000])],
)
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_shows_every_picture_for_the_right_time(
    kind: str, count: int, seconds: float, hold: float, durations: list[int]
) -> None:
    shades = [(40 * i, 255 - 40 * i, 60) for i in range(count)]
    content = animation([Image.new("RGB", (12, 8), shade) for shade in shades], seconds, hold, kind)
    with Image.open(io.BytesIO(content)) as read:
        assert (read.format, read.size, read.n_frames) == (kind.upper(), (12, 8), count)
        shown: list[Any] = []
        for i, shade in enumerate(shades):
            read.seek(i)
            read.load()  # only then is a WebP frame's duration known
            shown.append(read.info.get("duration"))
            np.testing.assert_allclose(np.asarray(read.convert("RGB"))[4, 6], shade, atol=8)
            assert count == 1 or read.info["loop"] == 0
    assert shown == ([0] if kind == "webp" and count == 1 else durations)  # one picture is no animation there


def test_reading_a_picture_does_not_change_it(photo: Image.Image) -> None:
    before = photo.tobytes()
    crop_like_training(photo)
    to_tensor(photo).zero_()
    assert photo.tobytes() == before


# In notebooks and terminals


class Thing(Pictured):
    def __init__(self) -> None:
        self.picture, self.name, self.norm = noise(20, 10), "conv1_1", [0.5] * 64
        self.size, self.share, self.none = [20, 10], 0.123456789, None


def test_a_result_shows_its_picture_in_a_notebook() -> None:
    with Image.open(io.BytesIO(Thing()._repr_png_())) as shown:
        assert shown.tobytes() == noise(20, 10).tobytes()


def test_a_result_is_one_line_in_a_terminal() -> None:
    expected = "picture=<20 × 10 px>, name='conv1_1', norm=<64 values>, size=[20, 10], share=0.1235, none=None"
    assert repr(Thing()) == f"Thing({expected})"
