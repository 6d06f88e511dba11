"""Pictures in and out: opening a stranger's photo, colour maps, contact sheets, files as bytes.

Inside cnnvis a picture is a float32 tensor (N, 3, H, W), RGB in [0, 1]; outside it is a PIL image in RGB.
Nothing here knows a network, and nothing but `open_photo` reads a file.
"""

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin
from torch import Tensor

from cnnvis.errors import PhotoError, short

MAX_PHOTO_BYTES = 15_000_000
MAX_PHOTO_PIXELS = 25_000_000
# Formats whose decoders ship with Pillow; EPS and friends would start other programs.
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "AVIF", "PPM")

PHOTO_SIDE = 224  # px; what VGG16 was trained on
RESIZED_SIDE = 256  # px; torchvision shrinks the shorter side to this before cropping
SHEET_BACKGROUND = (22, 24, 29)
MOST_SHOWN = 8  # values of a list, in one line of a terminal
RECORD_CHUNK = "cnnvis"  # the text chunk of a PNG that holds the record of its making

Pixels = NDArray[np.uint8]  # (..., 3), RGB
Photo = str | Path | BinaryIO | Image.Image | None  # what `open_photo` takes, though it refuses None


def open_photo(source: Photo) -> Image.Image:
    """A photo as an upright 8-bit RGB picture, whatever mode, size or format it came in.

    Refuses files over 15 MB and pictures over 25 megapixels before decoding them. Of an animation the first
    frame is taken, transparent parts become white, 16-bit values are scaled to 8.
    Raises PhotoError.
    """
    if source is None:
        raise PhotoError("no picture was given: choose a photo.")
    if not isinstance(source, Image.Image):
        check_bytes(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is stricter
        try:
            if isinstance(source, Image.Image):
                return _upright_rgb(source)
            with Image.open(source, formats=PHOTO_FORMATS) as photo:
                return _upright_rgb(photo)
        except PhotoError:
            raise
        except Image.DecompressionBombError as cause:
            raise PhotoError(_too_many_pixels("far too many")) from cause
        except Exception as cause:  # decoders raise whatever a broken file makes them stumble over
            known = ", ".join(PHOTO_FORMATS)
            raise PhotoError(f"the file is no picture that can be read: choose a whole {known} file.") from cause


def check_bytes(source: str | Path | BinaryIO) -> None:
    """Refuse a file that is not there or too long, and leave a stream at its beginning. Raises PhotoError."""
    try:
        if isinstance(source, str | Path):
            size = Path(source).stat().st_size
        else:
            size = source.seek(0, io.SEEK_END)
            source.seek(0)
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the name
        raise PhotoError(f"the picture {short(Path(str(source)).name)} cannot be read: is the path right?") from cause
    if size > MAX_PHOTO_BYTES:
        limit = f"{MAX_PHOTO_BYTES:,} bytes"
        raise PhotoError(f"the picture has {size:,} bytes: choose one of at most {limit}.")


def _upright_rgb(photo: Image.Image) -> Image.Image:
    width, height = photo.size
    if not width * height:
        raise PhotoError(f"the picture has {width} × {height} pixels: choose one with any.")
    if width * height > MAX_PHOTO_PIXELS:
        raise PhotoError(_too_many_pixels(f"{width} × {height}"))
    if getattr(photo, "is_animated", False):
        photo.seek(0)
    photo = ImageOps.exif_transpose(photo)
    if photo.mode.startswith(("I", "F")):
        return _from_deep_grey(photo)
    if photo.has_transparency_data:
        photo = photo.convert("RGBA")
        white = Image.new("RGBA", photo.size, "white")
        return Image.alpha_composite(white, photo).convert("RGB")
    return photo.convert("RGB")


def _too_many_pixels(came: str) -> str:
    return f"the picture has {came} pixels: choose one of at most {MAX_PHOTO_PIXELS / 1e6:.0f} megapixels."


def _from_deep_grey(photo: Image.Image) -> Image.Image:
    """16- and 32-bit grey to 8-bit RGB; 16 bits keep their meaning, anything else is stretched to its own range."""
    values = np.nan_to_num(np.asarray(photo, dtype=np.float64))
    low, high = (0, 65535) if photo.mode.startswith("I") and values.max() <= 65535 else (values.min(), values.max())
    grey = (values - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")


def crop_like_training(photo: Image.Image) -> Image.Image:
    """The 224 × 224 picture that torchvision's VGG16 transform makes of a photo.

    Shorter side to 256 px, bilinear with antialias, then the central 224 px, as
    `VGG16_Weights.IMAGENET1K_V1.transforms()` does (equal within 1/255). Only the pixels that end up in the crop are
    resized, so that a photo of 1 × 20000 px costs nothing.
    """
    short = min(photo.size)
    resized = [int(RESIZED_SIDE * side / short) for side in photo.size]
    first = [round((side - PHOTO_SIDE) / 2) for side in resized]
    # The filter looks one output pixel beyond the crop: resize a rim of 2 px along with it, then cut it off.
    start = [max(0, edge - 2) for edge in first]
    end = [min(side, edge + PHOTO_SIDE + 2) for side, edge in zip(resized, first, strict=True)]
    scale = [side / new for side, new in zip(photo.size, resized, strict=True)]
    box = (start[0] * scale[0], start[1] * scale[1], end[0] * scale[0], end[1] * scale[1])
    rimmed = photo.resize((end[0] - start[0], end[1] - start[1]), Image.Resampling.BILINEAR, box=box)
    left, top = first[0] - start[0], first[1] - start[1]
    return rimmed.crop((left, top, left + PHOTO_SIDE, top + PHOTO_SIDE))


def to_tensor(picture: Image.Image) -> Tensor:
    """An RGB picture as a float32 tensor (1, 3, H, W) in [0, 1]."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).contiguous()


def to_picture(rgb: Tensor) -> Image.Image:
    """A tensor (3, H, W) as an 8-bit RGB picture; values outside [0, 1] are clamped."""
    pixels = (rgb.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def _ramp(*anchors: tuple[int, int, int]) -> Pixels:
    """256 colours through evenly spaced anchors."""
    positions = np.linspace(0, 1, len(anchors))
    at = np.linspace(0, 1, 256)
    channels = [np.interp(at, positions, [anchor[i] for anchor in anchors]) for i in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


# Dark to bright in even steps, so that it also reads in grey and to colour-blind eyes.
HEAT = _ramp((8, 6, 28), (58, 16, 102), (134, 33, 107), (206, 66, 79), (246, 132, 48), (252, 205, 92), (253, 250, 215))
# Blue is negative, orange positive, near-white is zero: the pair survives every common colour blindness.
_BLUES, _ORANGES = ((16, 60, 138), (72, 132, 200), (176, 206, 230)), ((246, 196, 150), (222, 116, 48), (140, 52, 8))
SIGNED = _ramp(*_BLUES, (247, 247, 245), *_ORANGES)
GREY = _ramp((0, 0, 0), (255, 255, 255))


def colour(values: Tensor, ramp: Pixels) -> Pixels:
    """Values in [0, 1] of any shape (…) as colours (…, 3) of a ramp."""
    index = (values.detach().float().nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.take(ramp, index.cpu().numpy(), axis=0)


def signed(values: Tensor, scale: float) -> Pixels:
    """Values of any shape (…) as colours (…, 3): −scale deep blue, zero near-white, +scale deep orange."""
    return colour(0.5 + values / (2 * (scale or 1.0)), SIGNED)


def stretch(values: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """`values` with low at 0 and high at 1; where both are equal, everything is 0."""
    span = torch.as_tensor(high - low, dtype=values.dtype, device=values.device)
    return torch.where(span > 0, (values - low) / span.clamp_min(1e-30), torch.zeros_like(values))


def columns_for(tiles: int) -> int:
    """Columns of a contact sheet: a power of two that makes it square or wide (8 for 64 tiles, 32 for 512)."""
    return 1 << ((tiles - 1).bit_length() + 1) // 2


def contact_sheet(tiles: Pixels, columns: int, gap: int = 2) -> Image.Image:
    """Square tiles (N, S, S, 3) side by side; tile i begins at ((i % columns)·(S+gap), (i // columns)·(S+gap))."""
    count, side = tiles.shape[:2]
    rows, cell = -(-count // columns), side + gap
    sheet = np.empty((rows, columns, cell, cell, 3), np.uint8)
    sheet[:] = SHEET_BACKGROUND
    sheet.reshape(rows * columns, cell, cell, 3)[:count, :side, :side] = tiles
    return Image.fromarray(sheet.transpose(0, 2, 1, 3, 4).reshape(rows * cell, columns * cell, 3))


def blend(photo: Image.Image, heat: Pixels, opacity: Tensor) -> Image.Image:
    """Colours (H, W, 3) laid over a photo of the same size, each pixel as opaque as `opacity` (H, W) in [0, 1] says."""
    base = np.asarray(photo, dtype=np.float32)
    mixed = base + (heat.astype(np.float32) - base) * opacity.numpy()[..., None]
    return Image.fromarray(mixed.round().astype(np.uint8))


def encode(picture: Image.Image, kind: str = "png", record: Mapping[str, Any] | None = None) -> bytes:
    """A picture as the bytes of a PNG, its `record` as JSON in the text chunk "cnnvis", or of a JPEG of quality 90."""
    buffer = io.BytesIO()
    if kind == "png":
        chunks = PngImagePlugin.PngInfo()
        if record is not None:
            chunks.add_itxt(RECORD_CHUNK, json.dumps(record))
        picture.save(buffer, "PNG", pnginfo=chunks)
    else:
        picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def animation(pictures: Sequence[Image.Image], seconds: float = 3.0, hold: float = 1.5) -> bytes:
    """Pictures of one size as the bytes of an endless GIF that takes `seconds` and holds the last for `hold`."""
    step = max(20, round(1000 * seconds / len(pictures)))  # ms; browsers slow anything faster than 20 ms down
    durations = [step] * (len(pictures) - 1) + [round(1000 * hold)]
    buffer = io.BytesIO()
    first, *rest = (picture.quantize(128, method=Image.Quantize.FASTOCTREE) for picture in pictures)
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return buffer.getvalue()


class Pictured:
    """A result with a `picture`: a notebook shows it, a terminal says in one line what it is."""

    def _repr_png_(self) -> bytes:
        return encode(self.picture)  # type: ignore[attr-defined]  # a field here, a property there

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={_brief(value)}" for name, value in vars(self).items())
        return f"{type(self).__name__}({told})"


def _brief(value: object) -> str:
    if isinstance(value, Image.Image):
        return f"<{value.width} × {value.height} px>"
    if isinstance(value, list | tuple | dict) and len(value) > MOST_SHOWN:
        return f"<{len(value)} values>"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
