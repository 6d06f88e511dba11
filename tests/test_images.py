"""Pictures in and out: files that are opened or refused, colours, contact sheets, and encoded files."""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from numpy.typing import NDArray
from PIL import Image
from torchvision.models import VGG16_Weights
from torchvision.transforms.functional import to_tensor as torchvision_to_tensor

from cnnvis.errors import PhotoError
from cnnvis.images import (
    GREY,
    HEAT,
    MAX_PHOTO_BYTES,
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
    open_photo,
    stretch,
    to_picture,
    to_tensor,
)

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> io.BytesIO:
    """Save a picture to an open file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Make random pixels, the hardest picture to resize."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def greys(values: list[float], kind: str) -> Image.Image:
    """Make one row of grey values with numpy's type `kind`."""
    return Image.fromarray(np.array([values], dtype=kind))


def row(picture: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours of the first row."""
    return [tuple(pixel) for pixel in np.asarray(picture)[0].tolist()]


def refusal(source: Any) -> str:
    """Return the error message for a refused picture. Check that it contains no path."""
    with pytest.raises(PhotoError) as caught:
        open_photo(source)
    sentence = str(caught.value)
    assert "/" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


# Colour modes


def palette() -> Image.Image:
    picture = Image.new("P", (2, 1))
    picture.putpalette([*RED, *BLUE])
    picture.putpixel((1, 0), 1)
    return picture


def two_pixels(mode: str, first: Any, second: Any) -> Image.Image:
    picture = Image.new(mode, (2, 1), first)
    picture.putpixel((1, 0), second)
    return picture


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (saved(two_pixels("1", 0, 1)), [(0, 0, 0), WHITE]),
        (saved(two_pixels("L", 7, 200)), [(7, 7, 7), (200, 200, 200)]),
        (saved(two_pixels("LA", (7, 255), (7, 0))), [(7, 7, 7), WHITE]),
        (saved(palette()), [RED, BLUE]),
        (saved(palette(), transparency=0), [WHITE, BLUE]),
        (saved(two_pixels("RGB", RED, BLUE), transparency=RED), [WHITE, BLUE]),
        (saved(two_pixels("RGBA", (*RED, 128), (*BLUE, 255))), [(255, 127, 127), BLUE]),
        (saved(two_pixels("CMYK", (0, 255, 255, 0), (0, 0, 0, 51)), "TIFF"), [RED, (204, 204, 204)]),
        (saved(greys([257, 32768, 65535], "uint16")), [(1,) * 3, (128,) * 3, WHITE]),
        (saved(greys([257, 32768, 65535], "int32"), "TIFF"), [(1,) * 3, (128,) * 3, WHITE]),
        (saved(greys([100_000, 150_000, 200_000], "int32"), "TIFF"), [(0,) * 3, (128,) * 3, WHITE]),
        (saved(greys([-1.0, 0.0, 4.0], "float32"), "TIFF"), [(0,) * 3, (51,) * 3, WHITE]),
        (saved(greys([3.5, 3.5], "float32"), "TIFF"), [(0,) * 3, (0,) * 3]),
    ],
    ids=[
        "1",
        "L",
        "LA",
        "P",
        "P-transparent",
        "RGB-transparent",
        "RGBA",
        "CMYK",
        "I;16",
        "I",
        "I-deep",
        "F",
        "F-constant",
    ],
)
def test_every_mode_becomes_rgb_on_white(file: io.BytesIO, expected: list[tuple[int, ...]]) -> None:
    picture = open_photo(file)
    assert picture.mode == "RGB"
    assert row(picture) == expected
    with Image.open(file) as opened:  # the same picture, opened by the caller
        assert row(open_photo(opened)) == expected


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_used(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options)
    assert row(open_photo(file)) == [RED] * 4
    with Image.open(file) as opened:
        assert opened.n_frames == 3
        opened.seek(2)
        assert row(open_photo(opened)) == [RED] * 4


# How a camera with orientation 1 to 8 stores the picture whose rows are 123 and 456.
STORED = {
    1: ["123", "456"],
    2: ["321", "654"],
    3: ["654", "321"],
    4: ["456", "123"],
    5: ["14", "25", "36"],
    6: ["36", "25", "14"],
    7: ["63", "52", "41"],
    8: ["41", "52", "63"],
}


@pytest.mark.parametrize("orientation", STORED)
def test_photos_are_turned_upright(orientation: int) -> None:
    blocks = np.array([[40 * int(digit) for digit in line] for line in STORED[orientation]], dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(Image.fromarray(blocks.repeat(16, axis=0).repeat(16, axis=1)), "JPEG", quality=95, exif=exif)
    upright = np.asarray(open_photo(file))[8::16, 8::16, 0]
    np.testing.assert_allclose(upright, [[40, 80, 120], [160, 200, 240]], atol=2)


@pytest.mark.parametrize("photo", sorted(EXAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_a_photo_can_be_a_path_a_file_name_or_an_open_file(photo: Path) -> None:
    with Image.open(photo) as plain:
        pixels = np.asarray(plain.convert("RGB"))
    with photo.open("rb") as file:
        sources = (photo, str(photo), file, io.BytesIO(photo.read_bytes()))
        assert all(np.array_equal(np.asarray(open_photo(source)), pixels) for source in sources)
        assert not file.closed


# Refused pictures


def png_header(width: int, height: int) -> bytes:
    """Make the start of an RGB PNG of that size, without its pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (body, pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_file_over_15_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(saved(noise(3, 3)).getvalue())
    with path.open("r+b") as file:
        file.truncate(MAX_PHOTO_BYTES)
    assert open_photo(path).size == (3, 3)
    with path.open("r+b") as file:
        file.truncate(MAX_PHOTO_BYTES + 200_000)
    sentence = "the picture has 15,200,000 bytes: choose one of at most 15,000,000 bytes."
    assert refusal(path) == refusal(io.BytesIO(path.read_bytes())) == sentence


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ((9000, 9000), "has 9000 × 9000 pixels: choose one of at most 25 megapixels"),
        ((5001, 5000), "has 5001 × 5000 pixels"),
        ((12000, 10000), "has 12000 × 10000 pixels"),  # Pillow would warn
        ((30000, 30000), "has far too many pixels: choose one of at most 25 megapixels"),  # Pillow would refuse
        ((5000, 5000), "not a readable picture"),  # small enough to be decoded, but decoding fails
    ],
)
def test_too_many_pixels_are_refused_without_decoding(size: tuple[int, int], found: str) -> None:
    assert found in refusal(io.BytesIO(png_header(*size)))


def test_the_size_limit_applies_to_a_picture_in_memory_too() -> None:
    assert "5001 × 5000" in refusal(Image.new("1", (5001, 5000)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4\n",
        saved(noise(4, 4), "EPS").getvalue(),
        saved(noise(4, 4), "ICO").getvalue(),
        saved(noise(64, 64), "JPEG").getvalue()[:-500],
        saved(noise(64, 64), "PNG").getvalue()[:-500],
        saved(noise(64, 64), "WEBP").getvalue()[:-500],
        saved(noise(64, 64), "PNG").getvalue()[:20],
    ],
    ids=["empty", "text", "svg", "pdf", "eps", "ico", "half-JPEG", "half-PNG", "half-WebP", "half-header"],
)
def test_a_damaged_or_unsupported_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert refusal(path) == refusal(io.BytesIO(content))
    assert refusal(path).startswith("the file is not a readable picture: choose an undamaged JPEG, PNG,")


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.jpg") == "the picture 'missing.jpg' cannot be read: is the path right?"
    assert refusal(str(tmp_path / "missing.jpg")) == refusal(tmp_path / "missing.jpg")


def test_a_folder_is_refused_without_being_named(tmp_path: Path) -> None:
    assert str(tmp_path.name) not in refusal(tmp_path)


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


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
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
    steps = np.diff(luminance)
    assert steps.min() >= 0
    assert luminance[0] < 20
    assert luminance[-1] > 240
    assert np.abs(np.diff(luminance[::16])).max() < 2 * np.ptp(luminance) / 16


def test_the_signed_ramp_is_blue_below_and_orange_above_a_pale_middle() -> None:
    red, blue = SIGNED[:, 0].astype(int), SIGNED[:, 2].astype(int)
    assert (blue > red)[:120].all()
    assert (red > blue)[136:].all()
    assert SIGNED[127:129].min() > 240
    assert (tuple(SIGNED[0].tolist()), tuple(SIGNED[255].tolist())) == ((16, 60, 138), (140, 52, 8))


def test_the_grey_ramp_is_grey() -> None:
    assert np.array_equal(GREY, np.arange(256)[:, None].repeat(3, axis=1))


def test_values_get_the_nearest_colour_of_the_ramp() -> None:
    values = torch.tensor([[-1.0, 0.0, 0.25], [0.5, 1.0, 7.0], [torch.nan, torch.inf, -torch.inf]])
    expected = [[0, 0, 64], [128, 255, 255], [0, 255, 0]]
    assert np.array_equal(colour(values, HEAT), HEAT[expected])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 4.0, [0, 0.25, 1]), (-4.0, 4.0, [0.5, 0.625, 1]), (1.0, 1.0, [0, 0, 0]), (0.0, 2.0, [0, 0.5, 2])],
)
def test_stretch_maps_low_to_zero_and_high_to_one(low: float, high: float, expected: list[float]) -> None:
    values = torch.tensor([0.0, 1.0, 4.0])
    assert stretch(values, low, high).tolist() == expected
    assert stretch(values, torch.tensor(low), torch.tensor(high)).tolist() == expected


def test_a_constant_map_is_stretched_to_zero_next_to_other_maps() -> None:
    values = torch.tensor([[3.0, 3.0], [1.0, 2.0]])
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    assert stretch(values, low, high).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(("opacity", "expected"), [(0.0, (10, 20, 30)), (0.5, (110, 60, 40)), (1.0, (210, 100, 50))])
def test_blend_mixes_by_opacity(opacity: float, expected: tuple[int, ...]) -> None:
    heat = np.full((2, 3, 3), (210, 100, 50), dtype=np.uint8)
    mixed = blend(Image.new("RGB", (3, 2), (10, 20, 30)), heat, torch.full((2, 3), opacity))
    assert mixed.size == (3, 2)
    assert row(mixed) == [expected] * 3


# Sheets


@pytest.mark.parametrize(
    ("tiles", "columns"),
    [(1, 1), (2, 2), (3, 2), (4, 2), (5, 4), (8, 4), (16, 4), (64, 8), (128, 16), (256, 16), (512, 32), (1000, 32)],
)
def test_columns_make_a_sheet_square_or_wide(tiles: int, columns: int) -> None:
    assert columns_for(tiles) == columns


@pytest.mark.parametrize(
    ("count", "columns", "side", "gap", "size"),
    [(5, 4, 6, 2, (32, 16)), (4, 2, 3, 0, (6, 6)), (1, 1, 5, 3, (8, 8)), (7, 3, 2, 1, (9, 9)), (2, 4, 1, 1, (8, 2))],
)
def test_tiles_fill_the_sheet_row_by_row_with_a_gap_after_each(
    count: int, columns: int, side: int, gap: int, size: tuple[int, int]
) -> None:
    tiles: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    sheet = contact_sheet(tiles, columns, gap)
    cell = side + gap
    expected = Image.new("RGB", size, SHEET_BACKGROUND)
    for i, tile in enumerate(tiles):
        expected.paste(Image.fromarray(tile), ((i % columns) * cell, (i // columns) * cell))
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
    with (
        Image.open(io.BytesIO(encode(noise(20, 10), "jpeg"))) as mine,
        Image.open(saved(noise(20, 10), "JPEG", quality=90)) as theirs,
    ):
        assert mine.quantization == theirs.quantization  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(mine), np.asarray(theirs))


@pytest.mark.parametrize(
    ("count", "seconds", "hold", "durations"),
    [(5, 2.0, 1.5, [400] * 4 + [1500]), (4, 0.01, 0.5, [20] * 3 + [500]), (1, 3.0, 1.0, [1000])],
)
def test_an_animation_shows_every_picture_for_the_right_time(
    count: int, seconds: float, hold: float, durations: list[int]
) -> None:
    shades = [(40 * i, 255 - 40 * i, 60) for i in range(count)]
    content = animation([Image.new("RGB", (12, 8), shade) for shade in shades], seconds, hold)
    with Image.open(io.BytesIO(content)) as read:
        assert (read.format, read.size, read.n_frames) == ("GIF", (12, 8), count)
        found: list[Any] = []
        for i, shade in enumerate(shades):
            read.seek(i)
            found.append(read.info["duration"])
            np.testing.assert_allclose(np.asarray(read.convert("RGB"))[4, 6], shade, atol=8)
            assert count == 1 or read.info["loop"] == 0
    assert found == durations


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
