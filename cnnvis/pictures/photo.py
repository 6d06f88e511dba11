"""Open any photo as an upright 8-bit sRGB picture, or say in one sentence why that is impossible.

A file may be broken, huge or malicious, so its size is checked before it is read, and its pixels are counted before
they are decoded.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, ImageFile, ImageOps
from torch import Tensor

from cnnvis.errors import PhotoError, short
from cnnvis.pictures.bounded import HeaderFile, bound_tags
from cnnvis.pictures.other_formats import other_format

MAX_PHOTO_BYTES = 15_000_000
MAX_PHOTO_PIXELS = 25_000_000
# Formats Pillow decodes itself; for EPS and the like it would start other programs. JPEG includes MPO.
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
KNOWN = f"{', '.join(PHOTO_FORMATS[:-1])} or {PHOTO_FORMATS[-1]}"
EIGHTH = 65535 / 8  # 16-bit values below this are taken for a camera's 12 bits or fewer
STRETCHED = (0.5, 99.5)  # percentiles that become black and white
MOST_RANKED = 4_000_000  # values to take percentiles of; for larger pictures every second, third, …
# What `open_photo` accepts; it refuses None, like everything else, in words.
Photo = str | Path | bytes | BinaryIO | Image.Image | NDArray[Any] | Tensor | None
ALLOWED = "give uint8 from 0 to 255, or floats from 0 to 1"

bound_tags()


def open_photo(source: Photo) -> Image.Image:
    """Open a photo of any mode, size or format as an upright 8-bit sRGB picture.

    It may be a path, a file's bytes, an open file, a PIL picture, an array (H, W, 3) or a tensor (3, H, W). Arrays and
    tensors may also be grey, (H, W); they hold uint8, or floats in [0, 1].
    Files over 15 MB and pictures over 25 megapixels are refused before they are decoded. An animation gives its first
    frame, transparent parts become white, and colours are converted to sRGB by their profile. Grey values of more than
    8 bits are scaled if they fill an eighth of the 16-bit range, and stretched otherwise.
    Raises PhotoError.
    """
    if isinstance(source, Image.Image):
        return _upright_rgb(source, ours=False)
    if isinstance(source, np.ndarray | Tensor):
        return _upright_rgb(picture_of(source), ours=True)
    with binary_file(source) as file:
        content = file.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities in a file that can still be decoded
        with _opened(content) as photo:
            return _upright_rgb(photo, ours=True)


@contextmanager
def binary_file(source: str | Path | bytes | BinaryIO | None) -> Iterator[BinaryIO]:
    """Open a picture's file for reading, or rewind an open one, which stays open.

    Raises PhotoError as `check_bytes` does, and if the file cannot be read, also later, inside the `with` block.
    """
    checked = check_bytes(io.BytesIO(source) if isinstance(source, bytes) else source)
    try:
        if isinstance(checked, str | Path):
            with Path(checked).open("rb") as file:
                yield file
        else:
            yield checked
    except (OSError, ValueError, EOFError) as cause:  # a drive that is gone, a damaged archive that it is read from
        raise PhotoError(_unread(checked, cause)) from cause


def check_bytes(source: str | Path | BinaryIO | None) -> str | Path | BinaryIO:
    """Check that a file is given, exists, and is neither empty nor too large; rewind a stream. Raises PhotoError."""
    if source is None:
        raise PhotoError("no picture was given: choose a photo.")
    if not (isinstance(source, str | Path) or (hasattr(source, "seek") and hasattr(source, "read"))):
        kinds = "a path, bytes, an open file, a PIL picture, an array (H, W, 3) or a tensor (3, H, W)"
        raise PhotoError(f"a value of type {type(source).__name__} is not a picture: give {kinds}.")
    try:
        size = _size_of_path(source) if isinstance(source, str | Path) else _size_of_stream(source)
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the name
        raise PhotoError(_unread(source, cause)) from cause
    if not size:
        raise PhotoError(f"the file is empty: choose a {KNOWN} file.")
    if size > MAX_PHOTO_BYTES:
        raise PhotoError(f"the picture has {size:,} bytes: choose one of at most {MAX_PHOTO_BYTES:,} bytes.")
    return source


def _size_of_path(path: str | Path) -> int:
    if Path(path).is_dir():
        raise PhotoError("that is a folder: choose a photo in it.")
    return Path(path).stat().st_size


def _size_of_stream(stream: BinaryIO) -> int:
    """The bytes in an open file, which is rewound."""
    if getattr(stream, "closed", False):
        raise PhotoError("the file is closed: open it again.")
    if isinstance(stream.read(0), str):
        raise PhotoError("the file is open as text: open it with mode 'rb'.")
    stream.seek(0, io.SEEK_END)
    size = stream.tell()
    stream.seek(0)
    return size


def _unread(source: str | Path | BinaryIO, cause: Exception) -> str:
    """Say that a file cannot be read, and why; of its path only the name."""
    name = f" {short(Path(source).name)}" if isinstance(source, str | Path) else ""
    if isinstance(cause, FileNotFoundError | NotADirectoryError) or (name and not isinstance(cause, OSError)):
        return f"the picture{name} cannot be read: is the path right?"
    reason = getattr(cause, "strerror", None) or type(cause).__name__
    return f"the picture{name} cannot be read ({reason}): choose one that this computer can read."


def _opened(content: bytes) -> Image.Image:
    """Read the header of a file."""
    if other := other_format(content):
        raise PhotoError(f"the file is {other}.")
    file = HeaderFile(content)
    try:
        photo = Image.open(file, formats=PHOTO_FORMATS)
    except Image.DecompressionBombError as cause:  # Pillow's own limit; its message gives the number
        pixels = re.search(r"\d+", str(cause))
        raise PhotoError(_too_many(f"{int(pixels[0]) / 1e6:.0f} million" if pixels else "far too many")) from cause
    except Exception as cause:  # a broken file can make a decoder raise anything
        raise PhotoError(f"the file is not a readable picture: choose an undamaged {KNOWN} file.") from cause
    file.opened = True
    return photo


def _too_many(given: str) -> str:
    return f"the picture has {given} pixels: choose one of at most {MAX_PHOTO_PIXELS / 1e6:.0f} megapixels."


def _upright_rgb(photo: Image.Image, ours: bool) -> Image.Image:
    """Decode, turn and convert a picture: in place if it is ours, otherwise on a copy."""
    width, height = photo.size
    if not width * height:
        raise PhotoError(f"the picture has {width} × {height} pixels: choose one that is not empty.")
    if width * height > MAX_PHOTO_PIXELS:
        raise PhotoError(_too_many(f"{width} × {height}"))
    _decode(photo, ours)
    sixteen_bits = photo.mode.startswith("I;16") or (photo.mode == "I" and photo.format == "PPM")
    photo = photo if ours else photo.copy()
    with suppress(Exception):  # broken EXIF can raise anything, and then means nothing
        photo.getexif()  # is kept; without its source, Pillow spares itself writing all of it anew
        photo.info.pop("exif", None)
        ImageOps.exif_transpose(photo, in_place=True)  # most photos are upright, so this seldom copies a large one
    if photo.mode.startswith(("I", "F")):
        return _from_deep_grey(photo, sixteen_bits)
    if photo.mode == "La":  # Pillow converts this mode only to LA
        photo = photo.convert("LA")
    alpha = None
    if photo.has_transparency_data:
        photo = photo if photo.mode == "RGBA" else photo.convert("RGBA")
        alpha = photo.getchannel("A")
    colours = _srgb(photo)
    if alpha is not None:
        colours.paste("white", mask=ImageChops.invert(alpha))
    return colours


def _decode(photo: Image.Image, ours: bool) -> None:
    """Decode the first frame. Raises PhotoError."""
    try:
        if photo.tell():  # somebody looked at later frames; asking whether there are any would read all of a file
            photo.seek(0)
        photo.load()
    except Exception as cause:  # a broken file can make a decoder raise anything
        if not ours and _is_closed(photo, cause):
            raise PhotoError("the picture, or the file that it is read from, is closed: open it again.") from cause
        raise PhotoError(f"the picture is damaged or cut short: choose an undamaged {KNOWN} file.") from cause


def _is_closed(photo: Image.Image, cause: Exception) -> bool:
    """Whether a picture in memory cannot be decoded because it, or its file, was closed before."""
    file = photo.fp if isinstance(photo, ImageFile.ImageFile) else photo
    return file is None or getattr(file, "closed", False) or "closed image" in str(cause)


def _srgb(photo: Image.Image) -> Image.Image:
    """The colours as sRGB: by the picture's own profile, or else by its mode; transparency is dropped."""
    profile = photo.info.get("icc_profile")
    if photo.mode == "RGB" and not profile:
        return photo
    if photo.mode == "LAB":
        return _converted(photo, ImageCms.createProfile("LAB"))
    if photo.mode not in ("L", "RGB", "CMYK"):
        photo = photo.convert("RGB")
    if not profile:
        return photo.convert("RGB")
    try:
        return _converted(photo, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a broken profile, or one for other colours
        return photo.convert("RGB")


def _converted(photo: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(photo, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # only in-place conversions return None
    return converted


def _from_deep_grey(photo: Image.Image, sixteen_bits: bool) -> Image.Image:
    """Grey values of 16 or 32 bits, or floats, as 8-bit RGB; a transparent value becomes white."""
    values = np.asarray(photo)
    low, high = _percentiles(values)
    if sixteen_bits and high >= EIGHTH:
        low, high = 0.0, 65535.0
    grey = np.empty(values.shape, np.uint8)
    with np.errstate(invalid="ignore", over="ignore"):
        for rows in np.array_split(np.arange(len(values)), -(-values.size // MOST_RANKED)):  # saves memory
            scaled = (values[rows].astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-30))
            grey[rows] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).round().clip(0, 255)
    transparent = photo.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _percentiles(values: NDArray[Any]) -> tuple[float, float]:
    """The values that become black and white: the 0.5th and 99.5th percentiles of the finite ones."""
    flat = values.reshape(-1)[:: -(-values.size // MOST_RANKED)]
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, STRETCHED)
    return float(low), float(high)


def picture_of(given: NDArray[Any] | Tensor) -> Image.Image:
    """Turn an array (H, W, 3) or (H, W), or a tensor (3, H, W) or (H, W), into a picture in RGB or grey.

    Values are uint8, or floats in [0, 1] that are rounded to 8 bits. Raises PhotoError for anything else.
    """
    shape, tensor = tuple(given.shape), isinstance(given, Tensor)
    kind, colours, wanted = ("tensor", 0, "(3, H, W)") if tensor else ("array", 2, "(H, W, 3)")
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[colours] != 3):
        raise PhotoError(f"the {kind} has shape {shape}: give {wanted} in colour, or (H, W) in grey.")
    values = _channels_last(given) if isinstance(given, Tensor) else given
    if not values.size:
        raise PhotoError(f"the {kind} has shape {shape}: give one that is not empty.")
    if np.issubdtype(values.dtype, np.floating):
        values = _eight_bits(values, kind)
    if values.dtype != np.uint8:
        raise PhotoError(f"the {kind} holds {values.dtype}: {ALLOWED}.")
    return Image.fromarray(np.ascontiguousarray(values))


def _channels_last(tensor: Tensor) -> NDArray[Any]:
    """A tensor's values as an array, colours last."""
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.is_floating_point() else tensor  # NumPy has no bfloat16
    return (tensor.permute(1, 2, 0) if tensor.dim() == 3 else tensor).numpy()


def _eight_bits(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """Floats in [0, 1] as uint8."""
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 1:  # never true of NaN
        if np.isnan(low):
            raise PhotoError(f"the {kind} holds values that are not numbers (NaN): {ALLOWED}.")
        raise PhotoError(f"the {kind} holds floats from {low:.4g} to {high:.4g}: {ALLOWED}.")
    return (values * 255).round().astype(np.uint8)
