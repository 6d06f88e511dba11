"""Open anybody's photo as an upright 8-bit sRGB picture, or say in one sentence why it cannot be opened.

A file may be broken, huge, or meant to do harm. So its size is checked before it is read, and its pixels are counted
before they are decoded.
"""

import io
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, ImageOps
from torch import Tensor

from cnnvis.errors import PhotoError, short

MAX_PHOTO_BYTES = 15_000_000
MAX_PHOTO_PIXELS = 25_000_000
# Formats that Pillow decodes itself; for EPS and the like it would start other programs. JPEG includes MPO.
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
KNOWN = f"{', '.join(PHOTO_FORMATS[:-1])} or {PHOTO_FORMATS[-1]}"
HEAD_BYTES = 512  # enough to recognise a file that is no photo
EIGHTH = 65535 / 8  # 16-bit values that stay below this are taken for a camera's 12 or fewer bits
STRETCHED = (0.5, 99.5)  # percentiles that become black and white
MOST_RANKED = 4_000_000  # values that percentiles are taken of; of larger pictures every second, third, …
# What `open_photo` accepts; it words the refusal of None, and of everything else.
Photo = str | Path | bytes | BinaryIO | Image.Image | NDArray[Any] | Tensor | None
ALLOWED = "give uint8 from 0 to 255, or floats from 0 to 1"


def open_photo(source: Photo) -> Image.Image:
    """Open a photo of any mode, size or format as an upright 8-bit sRGB picture.

    It may be a path, a file's bytes, an open file, a PIL picture, an array (H, W, 3) or a tensor (3, H, W); these two
    also (H, W) in grey, and either uint8 or floats in [0, 1].
    Files over 15 MB and pictures over 25 megapixels are refused before they are decoded. An animation gives its first
    frame, transparent parts become white, a colour profile is converted to sRGB. Grey values of more than 8 bits are
    scaled if they fill an eighth of the 16-bit range, and stretched otherwise.
    Raises PhotoError.
    """
    if isinstance(source, Image.Image):
        return _upright_rgb(source, ours=False)
    if isinstance(source, np.ndarray | Tensor):
        return _upright_rgb(picture_of(source), ours=True)
    source = check_bytes(io.BytesIO(source) if isinstance(source, bytes) else source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a file's oddities; what matters is whether it can be decoded
        with _opened(source) as photo:
            return _upright_rgb(photo, ours=True)


def check_bytes(source: str | Path | BinaryIO | None) -> str | Path | BinaryIO:
    """Check that a file was given, exists and is neither empty nor too large; rewind a stream. Raises PhotoError."""
    if source is None:
        raise PhotoError("no picture was given: choose a photo.")
    if not (isinstance(source, str | Path) or hasattr(source, "seek")):
        kinds = "a path, bytes, an open file, a PIL picture, an array (H, W, 3) or a tensor (3, H, W)"
        raise PhotoError(f"a value of type {type(source).__name__} is no picture: give {kinds}.")
    try:
        if isinstance(source, str | Path):
            size = Path(source).stat().st_size
        else:
            size = source.seek(0, io.SEEK_END)
            source.seek(0)
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the name
        raise PhotoError(f"the picture {short(Path(str(source)).name)} cannot be read: is the path right?") from cause
    if not size:
        raise PhotoError(f"the file is empty: choose a {KNOWN} file.")
    if size > MAX_PHOTO_BYTES:
        limit = f"{MAX_PHOTO_BYTES:,} bytes"
        raise PhotoError(f"the picture has {size:,} bytes: choose one of at most {limit}.")
    return source


def _opened(source: str | Path | BinaryIO) -> Image.Image:
    """Read a file's header."""
    try:
        return Image.open(source, formats=PHOTO_FORMATS)
    except Image.DecompressionBombError as cause:  # Pillow's own limit, in whose message the number stands
        pixels = re.search(r"\d+", str(cause))
        raise PhotoError(_too_many(f"{int(pixels[0]) / 1e6:.0f} million" if pixels else "far too many")) from cause
    except IsADirectoryError as cause:
        raise PhotoError("that is a folder: choose a photo in it.") from cause
    except Exception as cause:  # a broken file can make a decoder raise anything
        raise PhotoError(_no_photo(_head(source))) from cause


def _head(source: str | Path | BinaryIO) -> bytes:
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            return file.read(HEAD_BYTES)
    source.seek(0)
    return source.read(HEAD_BYTES)


def _no_photo(head: bytes) -> str:
    """Name what the file is instead, as far as its first bytes tell, and the way out."""
    brands = head[8:40] if head[4:8] == b"ftyp" else b""
    if re.search(rb"hei[cxms]|hev[cxms]|mif1", brands) and b"avif" not in brands:
        return "the file is a HEIC picture, which cannot be opened here: save it as JPEG."
    if re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|!doctype|svg|!--)", head, re.IGNORECASE) and b"svg" in head.lower():
        return "the file is an SVG drawing, not a photo: save it as PNG."
    if head.startswith(b"%PDF"):
        return "the file is a PDF, not a photo: save its picture as PNG or JPEG."
    return f"the file is not a readable picture: choose an undamaged {KNOWN} file."


def _too_many(given: str) -> str:
    return f"the picture has {given} pixels: choose one of at most {MAX_PHOTO_PIXELS / 1e6:.0f} megapixels."


def _upright_rgb(photo: Image.Image, ours: bool) -> Image.Image:
    """Decode, turn and convert a picture; one that is not ours is copied first, since the rest happens in place."""
    width, height = photo.size
    if not width * height:
        raise PhotoError(f"the picture has {width} × {height} pixels: choose one that is not empty.")
    if width * height > MAX_PHOTO_PIXELS:
        raise PhotoError(_too_many(f"{width} × {height}"))
    _decode(photo)
    sixteen_bits = photo.mode.startswith("I;16") or (photo.mode == "I" and photo.format == "PPM")
    photo = photo if ours else photo.copy()
    _turn_upright(photo)
    if photo.mode.startswith(("I", "F")):
        return _from_deep_grey(photo, sixteen_bits)
    if photo.mode == "La":  # Pillow turns this mode into nothing but LA
        photo = photo.convert("LA")
    alpha = None
    if photo.has_transparency_data:
        photo = photo if photo.mode == "RGBA" else photo.convert("RGBA")
        alpha = photo.getchannel("A")
    colours = _srgb(photo)
    if alpha is not None:
        colours.paste("white", mask=ImageChops.invert(alpha))
    return colours


def _decode(photo: Image.Image) -> None:
    """Decode the first frame. Raises PhotoError."""
    try:
        if getattr(photo, "is_animated", False):
            photo.seek(0)
        photo.load()
    except Exception as cause:  # a broken file can make a decoder raise anything
        raise PhotoError(f"the picture is damaged or cut short: choose an undamaged {KNOWN} file.") from cause


def _turn_upright(photo: Image.Image) -> None:
    """Rotate and mirror the picture in place, as its EXIF says."""
    with suppress(Exception):  # broken EXIF can raise anything, and says nothing then
        ImageOps.exif_transpose(photo, in_place=True)  # most photos are upright: no copy of a large one


def _srgb(photo: Image.Image) -> Image.Image:
    """The colours as sRGB: by the picture's own profile, or as its mode means them; transparency is dropped."""
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
    """Grey values of 16 or 32 bits, or floating, as 8-bit RGB; a transparent value becomes white."""
    values = np.asarray(photo)
    low, high = 0.0, 65535.0
    black, white = _percentiles(values)
    if not (sixteen_bits and white >= EIGHTH):
        low, high = black, white
    grey = np.empty(values.shape, np.uint8)
    with np.errstate(invalid="ignore", over="ignore"):
        for rows in np.array_split(np.arange(len(values)), -(-values.size // MOST_RANKED)):  # to need little memory
            scaled = (values[rows].astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-30))
            grey[rows] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).round().clip(0, 255)
    transparent = photo.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _percentiles(values: NDArray[Any]) -> tuple[float, float]:
    """The values that become black and white: the 0.5th and 99.5th percentile of the finite ones."""
    flat = values.reshape(-1)[:: -(-values.size // MOST_RANKED)]
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return 0.0, 1.0
    black, white = np.percentile(finite, STRETCHED)
    return float(black), float(white)


def picture_of(given: NDArray[Any] | Tensor) -> Image.Image:
    """Turn an array (H, W, 3) or (H, W), or a tensor (3, H, W) or (H, W), into a picture in RGB or grey.

    Values are uint8, or floats in [0, 1], which are rounded to 8 bits. Raises PhotoError for anything else.
    """
    shape = tuple(given.shape)
    if isinstance(given, Tensor):
        kind, colours, wanted = "tensor", 0, "(3, H, W)"
    else:
        kind, colours, wanted = "array", 2, "(H, W, 3)"
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[colours] != 3):
        raise PhotoError(f"the {kind} has the shape {shape}: give {wanted} in colour, or (H, W) in grey.")
    values = _last(given) if isinstance(given, Tensor) else given
    if not values.size:
        raise PhotoError(f"the {kind} has the shape {shape}: give one that is not empty.")
    if np.issubdtype(values.dtype, np.floating):
        values = _eight_bits(values, kind)
    if values.dtype != np.uint8:
        raise PhotoError(f"the {kind} holds {values.dtype}: {ALLOWED}.")
    return Image.fromarray(np.ascontiguousarray(values))


def _last(tensor: Tensor) -> NDArray[Any]:
    """A tensor's values as an array, the colours last."""
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.is_floating_point() else tensor  # NumPy has no bfloat16
    return (tensor.permute(1, 2, 0) if tensor.dim() == 3 else tensor).numpy()


def _eight_bits(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """Floats in [0, 1] as uint8."""
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 1:  # NaN is in no order
        if np.isnan(low):
            raise PhotoError(f"the {kind} holds values that are not numbers (NaN): {ALLOWED}.")
        raise PhotoError(f"the {kind} holds floats from {low:.4g} to {high:.4g}: {ALLOWED}.")
    return (values * 255).round().astype(np.uint8)
