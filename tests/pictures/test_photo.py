"""Photos of every kind: opened upright as 8-bit sRGB, or refused in one sentence."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import CASES, EXAMPLES
from helpers.pictures import BLUE, GREEN, RED, WHITE, noise, row, saved
from numpy.typing import NDArray
from PIL import Image, ImageCms

import cnnvis
from cnnvis.analysis.maps import feature_maps
from cnnvis.errors import PhotoError
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.photo import MAX_PHOTO_BYTES, PHOTO_FORMATS, open_photo


def greys(values: list[float], kind: str) -> Image.Image:
    """One row of grey values with NumPy's dtype `kind`."""
    return Image.fromarray(np.array([values], dtype=kind))


def refusal(source: Any) -> str:
    """The error for a refused picture, checked to be a sentence without a path."""
    with pytest.raises(PhotoError) as refused:
        open_photo(source)
    sentence = str(refused.value)
    assert "/" not in sentence and sentence.endswith((".", "?"))
    return sentence


def pixels(source: Any) -> NDArray[np.float64]:
    return np.asarray(open_photo(source), np.float64)


# Colour modes


def two_pixels(mode: str, first: Any, second: Any) -> Image.Image:
    picture = Image.new(mode, (2, 1), first)
    picture.putpixel((1, 0), second)
    return picture


def palette() -> Image.Image:
    picture = two_pixels("P", 0, 1)
    picture.putpalette([*RED, *BLUE])
    return picture


ROWS = {
    "1": (saved(two_pixels("1", 0, 1)), [(0, 0, 0), WHITE]),
    "L": (saved(two_pixels("L", 7, 200)), [(7, 7, 7), (200, 200, 200)]),
    "LA": (saved(two_pixels("LA", (7, 255), (7, 0))), [(7, 7, 7), WHITE]),
    "P": (saved(palette()), [RED, BLUE]),
    "P-transparent": (saved(palette(), transparency=0), [WHITE, BLUE]),
    "RGB-transparent": (saved(two_pixels("RGB", RED, BLUE), transparency=RED), [WHITE, BLUE]),
    "RGBA": (saved(two_pixels("RGBA", (*RED, 128), (*BLUE, 255))), [(255, 127, 127), BLUE]),
    "CMYK": (saved(two_pixels("CMYK", (0, 255, 255, 0), (0, 0, 0, 51)), "TIFF"), [RED, (204, 204, 204)]),
    "I;16": (saved(greys([257, 32768, 65535], "uint16")), [(1,) * 3, (128,) * 3, WHITE]),
    "I": (saved(greys([100_000, 150_000, 200_000], "int32"), "TIFF"), [(0,) * 3, (128,) * 3, WHITE]),
    "F": (saved(greys([-1.0, 0.0, 4.0], "float32"), "TIFF"), [(0,) * 3, (51,) * 3, WHITE]),
    "F-constant": (saved(greys([3.5, 3.5], "float32"), "TIFF"), [(0,) * 3, (0,) * 3]),
}


@pytest.mark.parametrize(("file", "expected"), ROWS.values(), ids=ROWS)
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
STORED = ["123 456", "321 654", "654 321", "456 123", "14 25 36", "36 25 14", "63 52 41", "41 52 63"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int) -> None:
    rows = STORED[orientation - 1].split()
    blocks = np.array([[40 * int(digit) for digit in digits] for digits in rows], dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(Image.fromarray(blocks.repeat(16, axis=0).repeat(16, axis=1)), "JPEG", quality=95, exif=exif)
    upright = np.asarray(open_photo(file))[8::16, 8::16, 0]
    np.testing.assert_allclose(upright, [[40, 80, 120], [160, 200, 240]], atol=2)


@pytest.mark.parametrize("photo", sorted(EXAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_a_photo_can_be_a_path_a_file_name_or_an_open_file(photo: Path) -> None:
    with Image.open(photo) as opened, photo.open("rb") as file:
        expected = opened.convert("RGB").tobytes()
        sources = (photo, str(photo), file, io.BytesIO(photo.read_bytes()))
        assert [open_photo(source).tobytes() for source in sources] == [expected] * 4
        assert not file.closed


# Arrays


def as_tensor(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """The same pixels as a tensor (3, H, W)."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


# The forms pixels (H, W, 3) may come in.
FORMS: dict[str, Callable[[NDArray[np.uint8]], Any]] = {
    "uint8": lambda pixels: pixels.copy(),
    "float64": lambda pixels: pixels / np.float64(255),
    "float32, not contiguous": lambda pixels: np.flip(np.flip(pixels / np.float32(255), 1).copy(), 1),
    "tensor uint8": as_tensor,
    "tensor float32": lambda pixels: as_tensor(pixels) / 255,
    "tensor with a gradient": lambda pixels: (as_tensor(pixels).double() / 255).requires_grad_(),
    "tensor, channels last": lambda pixels: (as_tensor(pixels) / 255)[None].to(memory_format=torch.channels_last)[0],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_can_be_an_array(form: str, photo: Image.Image) -> None:
    given = FORMS[form](np.asarray(photo))
    before = given.clone() if isinstance(given, torch.Tensor) else given.copy()
    opened = open_photo(given)
    assert (opened.mode, opened.tobytes()) == ("RGB", photo.tobytes())
    opened.putpixel((0, 0), (1, 2, 3))  # the picture is ours, the array is not
    assert bool((given == before).all())


def test_a_grey_array_or_tensor_becomes_grey_and_bytes_are_a_file() -> None:
    grey = np.array([[0, 51, 255]], np.uint8)
    for given in (grey, grey / 255, torch.from_numpy(grey), torch.from_numpy(grey) / 255):
        assert np.asarray(open_photo(given)).tolist() == [[[0] * 3, [51] * 3, [255] * 3]]
    halves = torch.tensor([[0.0, 0.5, 1.0]], dtype=torch.bfloat16)
    assert np.asarray(open_photo(halves)).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]
    file = EXAMPLES / "chelsea.jpg"
    assert open_photo(file.read_bytes()).tobytes() == open_photo(file).tobytes()


def test_wherever_a_photo_is_taken_it_may_be_an_array(tiny: VGG16, photo: Image.Image) -> None:
    pixels = np.asarray(photo)
    tensor = as_tensor(pixels) / 255
    maps = [cnnvis.feature_maps(tiny, given, "conv2_1").values for given in (photo, pixels, tensor)]
    assert torch.equal(maps[0], maps[1]) and torch.equal(maps[0], maps[2])
    assert cnnvis.why(tiny, pixels, "conv2_1", 1) == cnnvis.why(tiny, photo, "conv2_1", 1)
    assert cnnvis.score(tiny, tensor, "conv2_1", 1) == cnnvis.score(tiny, photo, "conv2_1", 1)
    starts = [next(cnnvis.maximize(tiny, "conv2_1", 1, size=64, start=given)).picture for given in (photo, pixels)]
    assert starts[0].tobytes() == starts[1].tobytes()


BLACK = np.zeros((4, 5, 3))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((3, 4, 5)), "the array has shape (3, 4, 5): give (H, W, 3) in colour, or (H, W) in grey."),
        (np.zeros((1, 4, 5, 3)), "the array has shape (1, 4, 5, 3): give (H, W, 3)"),
        (np.zeros((4, 5, 4), np.uint8), "the array has shape (4, 5, 4): give"),
        (np.float32(3), "a value of type float32 is not a picture: give a path"),
        (np.zeros((0, 5, 3)), "the array has shape (0, 5, 3): give one that is not empty."),
        (torch.zeros(4, 5, 3), "the tensor has shape (4, 5, 3): give (3, H, W) in colour, or (H, W) in grey."),
        (torch.zeros(1, 3, 4, 5), "the tensor has shape (1, 3, 4, 5): give (3, H, W)"),
        (BLACK.astype(int), "the array holds int64: give uint8 from 0 to 255, or floats from 0 to 1."),
        (BLACK.astype(bool), "the array holds bool: give"),
        (BLACK.astype(complex), "the array holds complex128: give"),
        (BLACK.astype(object), "the array holds object: give"),
        (torch.zeros(3, 4, 5, dtype=torch.int32), "the tensor holds int32: give"),
        (BLACK + 1.5, "the array holds floats from 1.5 to 1.5: give uint8 from 0 to 255, or floats from 0 to 1."),
        (BLACK - 0.1, "the array holds floats from -0.1 to -0.1: give"),
        (torch.full((3, 4, 5), 2.0), "the tensor holds floats from 2 to 2: give"),
        (BLACK + np.inf, "the array holds floats from inf to inf: give"),
        (BLACK * np.nan, "the array holds values that are not numbers (NaN): give"),
        (np.zeros((30_000, 1000, 3), np.uint8), "the picture has 1000 × 30000 pixels: choose one of at most 25"),
        (b"", "the file is empty"),
        (b"no picture", "the file is not a readable picture"),
        ([1, 2], "a value of type list is not a picture: give a path, bytes, an open file, a PIL picture, an array"),
        (5, "a value of type int is not a picture"),
        ({"path": "x"}, "a value of type dict is not a picture"),
    ],
)
def test_an_array_or_anything_else_that_is_not_a_picture_is_refused(given: Any, sentence: str) -> None:
    assert refusal(given).startswith(sentence)


# Refused pictures


def png_header(width: int, height: int) -> bytes:
    """The start of an RGB PNG of that size, without its pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (body, pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_file_over_15_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(saved(noise(3, 3)).getvalue())
    os.truncate(path, MAX_PHOTO_BYTES)
    assert open_photo(path).size == (3, 3)
    os.truncate(path, MAX_PHOTO_BYTES + 200_000)
    sentence = "the picture has 15,200,000 bytes: choose one of at most 15,000,000 bytes."
    assert refusal(path) == refusal(io.BytesIO(path.read_bytes())) == sentence


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((9000, 9000), "has 9000 × 9000 pixels: choose one of at most 25 megapixels"),
        ((5001, 5000), "has 5001 × 5000 pixels"),
        ((12000, 10000), "has 12000 × 10000 pixels"),  # Pillow would warn
        ((30000, 30000), "has 900 million pixels: choose one of at most 25 megapixels"),  # Pillow would refuse
        ((5000, 5000), "the picture is damaged or cut short"),  # few enough to be decoded, but decoding fails
    ],
)
def test_too_many_pixels_are_refused_without_decoding(size: tuple[int, int], words: str) -> None:
    assert words in refusal(io.BytesIO(png_header(*size)))


def test_the_pixel_limit_applies_to_a_picture_in_memory_too() -> None:
    assert "5001 × 5000" in refusal(Image.new("1", (5001, 5000)))


FORMATS = "JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF or PPM"
UNREADABLE = f"the file is not a readable picture: choose an undamaged {FORMATS} file."
DAMAGED = UNREADABLE.replace("the file is not a readable picture", "the picture is damaged or cut short")
HEIC = "the file is a HEIC picture, which cannot be opened here: save it as JPEG."
SVG = "the file is an SVG drawing, not a photo: save it as PNG."
PDF = "the file is a PDF, not a photo: save its picture as PNG or JPEG."
EMPTY = f"the file is empty: choose a {FORMATS} file."
REFUSED = {
    "empty": (b"", EMPTY),
    "text": (b"hello", UNREADABLE),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", SVG),
    "svg with a head": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a drawing -->\n<svg/>", SVG),
    "html": (b"<!doctype html><html></html>", UNREADABLE),
    "pdf": (b"%PDF-1.4\n", PDF),
    "eps": (saved(noise(4, 4), "EPS").getvalue(), UNREADABLE),
    "ico": (saved(noise(4, 4), "ICO").getvalue(), UNREADABLE),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", HEIC),
    "heif": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", HEIC),
    "half a JPEG": (saved(noise(64, 64), "JPEG").getvalue()[:-500], DAMAGED),
    "half a PNG": (saved(noise(64, 64), "PNG").getvalue()[:-500], DAMAGED),
    "half a header": (saved(noise(64, 64), "PNG").getvalue()[:20], UNREADABLE),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_what_the_file_is_and_the_way_out(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert refusal(path) == refusal(io.BytesIO(content)) == sentence


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.jpg") == "the picture 'missing.jpg' cannot be read: is the path right?"
    assert refusal(str(tmp_path / "missing.jpg")) == refusal(tmp_path / "missing.jpg")
    assert refusal(tmp_path) == "that is a folder: choose a photo in it."


# Every format and mode

MODES = {  # for each format, the modes its encoder writes
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["RGB", "RGBA"],
    "GIF": ["1", "L", "P", "RGB"],
    "BMP": ["1", "L", "P", "RGB"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"],
    "AVIF": ["RGB", "RGBA"],
    "PPM": ["1", "L", "RGB", "I;16"],
}


def scene(mode: str) -> Image.Image:
    """A soft picture in a mode; with transparency, all of it is opaque."""
    down, right = np.mgrid[:48, :64]
    grey = (down * 3 + right).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode in ("I", "F"):
        return Image.fromarray(grey.astype(np.int32 if mode == "I" else np.float32))
    colours = Image.fromarray(np.stack([grey, 255 - grey, grey // 2 + 60], axis=-1))
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(colours, srgb, lab, outputMode="LAB")
    return colours.convert(mode)


def as_colours(mode: str) -> NDArray[np.float64]:
    """The scene of a mode as it should look."""
    if mode.startswith(("I", "F")):
        grey = np.asarray(scene(mode), np.float64)
        black, white = (0, 65535) if mode == "I;16" else (grey.min(), grey.max())
        return np.repeat(((grey - black) / (white - black) * 255)[..., None], 3, axis=-1)
    return np.asarray(scene("RGB" if mode == "LAB" else mode).convert("RGB"), np.float64)


@pytest.mark.parametrize(("form", "mode"), [(form, mode) for form, modes in MODES.items() for mode in modes])
def test_every_promised_format_is_opened_in_every_mode(form: str, mode: str, tmp_path: Path) -> None:
    assert set(MODES) == set(PHOTO_FORMATS)
    path = tmp_path / "Föto 猫 1.jpg"  # the suffix may be wrong: the content counts
    scene(mode).save(path, form, **({"quality": 95} if form in ("JPEG", "WEBP", "AVIF") else {}))
    picture = open_photo(path)
    assert (picture.mode, picture.size) == ("RGB", (64, 48))
    difference = np.asarray(picture, np.float64) - as_colours(mode)
    assert np.abs(difference).mean() < 6  # JPEG, AVIF and LAB lose as much; a lost channel would be 40 or more


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "RGBa", "La", "PA"])
def test_a_picture_in_memory_may_have_a_mode_that_no_file_has(mode: str) -> None:
    source = scene({"RGBa": "RGBA", "La": "LA"}.get(mode, "RGB"))
    difference = pixels(source.convert(mode)) - as_colours("L" if mode == "La" else "RGB")
    assert np.abs(difference).mean() < (30 if mode == "PA" else 6)  # a palette has few colours


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_the_smallest_and_the_longest_photos_are_opened(size: tuple[int, int]) -> None:
    assert open_photo(saved(noise(*size))).size == size


# Files that failed once


@pytest.mark.parametrize("name", ["grey16_holding_12bit.png", "grey16_holding_8bit.png", "int32_holding_0_255.tif"])
def test_deep_grey_is_never_black(name: str) -> None:
    """All three hold the same picture, in part of the range of their type."""
    opened = pixels(CASES / name)
    assert np.abs(opened - pixels(CASES / "grey16_holding_8bit.png")).mean() < 2
    assert (opened.min(), opened.max()) == (0, 255)
    assert 100 < opened.mean() < 200


def test_sixteen_bits_that_fill_their_range_keep_their_meaning() -> None:
    values = np.linspace(1000, 9000, 4000).reshape(40, 100)  # 9000 is above an eighth of 65535
    expected = (values / 257).round()
    assert np.abs(pixels(saved(Image.fromarray(values.astype(np.uint16))))[..., 0] - expected).max() <= 1


def test_a_few_hot_pixels_do_not_darken_a_stretched_picture() -> None:
    values = np.full((100, 100), 40.0, np.float32)
    values[:, 50:] = 80
    values[0, :3] = 1e6, np.inf, np.nan
    left, right = pixels(saved(Image.fromarray(values), "TIFF"))[50, (10, 90), 0]
    assert (left, right) == (0, 255)


def test_transparent_deep_grey_becomes_white() -> None:
    opened = pixels(CASES / "grey16_trns_left_half.png")
    assert (opened[:, :75] == 255).all()
    assert opened[:, 75:].mean() < 200


def test_an_avif_photo_is_turned_upright() -> None:
    upright, turned = pixels(CASES / "avif.avif"), pixels(CASES / "exif6.avif")
    assert upright.shape == turned.shape
    assert np.abs(upright - turned).mean() < 4


def test_the_ppm_case_is_the_cat() -> None:
    small = open_photo(CASES / "avif.avif").resize((100, 67))
    assert np.abs(pixels(CASES / "ppm.ppm") - np.asarray(small, np.float64)).mean() < 6


def test_the_refused_cases_are_refused_in_words() -> None:
    bomb = "the picture has 225 million pixels: choose one of at most 25 megapixels."
    sentences = {"empty.jpg": EMPTY, "heic_header.heic": HEIC, "truncated_60.jpg": DAMAGED, "bomb_225MP_1bit.png": bomb}
    assert {name: refusal(CASES / name) for name in sentences} == sentences


# Colour profiles


@pytest.mark.parametrize("profile", ["adobergb", "p3", "prophoto", "swapped"])
def test_a_profile_leads_to_the_maps_of_the_same_picture_in_srgb(vgg16: VGG16, profile: str) -> None:
    """Without the profile, conv1_1's maps differ by 0.19 to 1.35; JPEG alone makes 0.07."""
    files = (CASES / f"icc_{name}.jpg" for name in ("control", profile))
    plain, converted = (feature_maps(vgg16, file, "conv1_1").values for file in files)
    assert float((converted - plain).norm() / plain.norm()) < 0.12


def test_broken_exif_and_a_profile_that_is_broken_or_for_other_colours_are_ignored() -> None:
    picture = noise(8, 8)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    metadata = [{"icc_profile": profile} for profile in (b"", b"garbage", b"\0" * 200, lab)]
    for options in (*metadata, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"}):
        assert (pixels(saved(picture, **options)) == np.asarray(picture)).all()
