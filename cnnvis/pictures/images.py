"""Pictures: to and from tensors, colour maps, contact sheets, files and animations. Nothing here knows about networks.

Inside cnnvis a picture is a float32 tensor (N, 3, H, W), RGB in [0, 1]; outside, it is a PIL image in RGB.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from torch import Tensor

from cnnvis.errors import SettingError
from cnnvis.version import __version__

PHOTO_SIDE = 224  # px; VGG16 was trained on this size
RESIZED_SIDE = 256  # px; torchvision first resizes the shorter side to this, then crops
SHEET_BACKGROUND = (22, 24, 29)
REPR_ITEMS = 8  # `repr` writes out a list of up to this many items
RECORD_CHUNK = "cnnvis"  # the text chunk that holds a PNG's record
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

Pixels = NDArray[np.uint8]  # (..., 3), RGB


def crop_like_training(photo: Image.Image) -> Image.Image:
    """Resize and crop a photo to 224 × 224 px, as torchvision's VGG16 transform does.

    The shorter side becomes 256 px, bilinear with antialiasing, then the central 224 px are cut out; the result equals
    `VGG16_Weights.IMAGENET1K_V1.transforms()` within 1/255. Only the pixels that end up in the crop are resized, so a
    photo of 1 × 20000 px costs nothing.
    """
    shorter = min(photo.size)
    resized = [int(RESIZED_SIDE * side / shorter) for side in photo.size]
    first = [round((side - PHOTO_SIDE) / 2) for side in resized]
    # The resampling filter looks one pixel beyond the crop: include a rim of 2 px, then cut it off.
    start = [max(0, edge - 2) for edge in first]
    end = [min(side, edge + PHOTO_SIDE + 2) for side, edge in zip(resized, first, strict=True)]
    scale = [side / new for side, new in zip(photo.size, resized, strict=True)]
    box = (start[0] * scale[0], start[1] * scale[1], end[0] * scale[0], end[1] * scale[1])
    rimmed = photo.resize((end[0] - start[0], end[1] - start[1]), Image.Resampling.BILINEAR, box=box)
    left, top = first[0] - start[0], first[1] - start[1]
    return rimmed.crop((left, top, left + PHOTO_SIDE, top + PHOTO_SIDE))


def to_tensor(picture: Image.Image) -> Tensor:
    """Turn a picture into a float32 tensor (1, 3, H, W), RGB in [0, 1]."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).contiguous()


def to_picture(rgb: Tensor) -> Image.Image:
    """Turn a tensor (3, H, W) into an 8-bit RGB picture; values outside [0, 1] are clamped."""
    pixels = (rgb.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def _ramp(*anchors: tuple[int, int, int]) -> Pixels:
    """256 colours through evenly spaced anchors."""
    spots, positions = np.linspace(0, 1, 256), np.linspace(0, 1, len(anchors))
    channels = [np.interp(spots, positions, channel) for channel in zip(*anchors, strict=True)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


# Evenly from dark to bright, so it also works in grey and for colour-blind readers.
HEAT = _ramp((8, 6, 28), (58, 16, 102), (134, 33, 107), (206, 66, 79), (246, 132, 48), (252, 205, 92), (253, 250, 215))
# Blue is negative, near-white zero, orange positive; colour-blind readers can tell them apart.
_BLUES, _ORANGES = ((16, 60, 138), (72, 132, 200), (176, 206, 230)), ((246, 196, 150), (222, 116, 48), (140, 52, 8))
SIGNED = _ramp(*_BLUES, (247, 247, 245), *_ORANGES)
GREY = _ramp((0, 0, 0), (255, 255, 255))


def colour(values: Tensor, ramp: Pixels) -> Pixels:
    """Map values in [0, 1] of any shape (…) to the colours (…, 3) of a ramp."""
    index = (values.detach().float().nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.take(ramp, index.cpu().numpy(), axis=0)


def signed(values: Tensor, scale: float) -> Pixels:
    """Map values of any shape (…) to colours (…, 3): −scale is deep blue, 0 near-white, +scale deep orange."""
    return colour(0.5 + values / (2 * (scale or 1.0)), SIGNED)


def stretch(values: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Rescale `values` so that low becomes 0 and high becomes 1; where the two are equal, all become 0."""
    span = torch.as_tensor(high - low, dtype=values.dtype, device=values.device)
    return torch.where(span > 0, (values - low) / span.clamp_min(1e-30), torch.zeros_like(values))


def columns_for(tiles: int) -> int:
    """The number of columns that makes a sheet square or wide: a power of two (8 for 64 tiles, 32 for 512)."""
    return 1 << ((tiles - 1).bit_length() + 1) // 2


def contact_sheet(tiles: Pixels, columns: int, gap: int = 2) -> Image.Image:
    """Lay out square tiles (N, S, S, 3): tile i starts at ((i % columns)·(S+gap), (i // columns)·(S+gap))."""
    count, side = tiles.shape[:2]
    rows, cell = -(-count // columns), side + gap
    sheet = np.empty((rows, columns, cell, cell, 3), np.uint8)
    sheet[:] = SHEET_BACKGROUND
    sheet.reshape(rows * columns, cell, cell, 3)[:count, :side, :side] = tiles
    return Image.fromarray(sheet.transpose(0, 2, 1, 3, 4).reshape(rows * cell, columns * cell, 3))


def blend(photo: Image.Image, heat: Pixels, opacity: Tensor) -> Image.Image:
    """Lay colours (H, W, 3) over a photo of the same size, each pixel as opaque as `opacity` (H, W) in [0, 1]."""
    base = np.asarray(photo, dtype=np.float32)
    mixed = base + (heat.astype(np.float32) - base) * opacity.numpy()[..., None]
    return Image.fromarray(mixed.round().astype(np.uint8))


def encode(
    picture: Image.Image, kind: str = "png", record: Mapping[str, Any] | None = None, quality: int | None = None
) -> bytes:
    """Encode a picture as PNG, JPEG or WebP.

    `kind` is png, jpg, jpeg or webp. A PNG keeps `record` as JSON in its text chunk "cnnvis"; JPEG (quality 90) and
    WebP (lossless) carry no record. `quality`, 0 to 100, is another one for JPEG, or makes a lossy WebP.
    """
    buffer = io.BytesIO()
    if kind == "png":
        chunks = PngImagePlugin.PngInfo()
        if record is not None:
            chunks.add_itxt(RECORD_CHUNK, json.dumps(record))
        picture.save(buffer, "PNG", pnginfo=chunks)
    elif kind == "webp":
        picture.save(buffer, "WEBP", **({"lossless": True} if quality is None else {"quality": quality}))
    else:
        picture.save(buffer, "JPEG", quality=90 if quality is None else quality)
    return buffer.getvalue()


def smaller(sheet: Image.Image, times: int) -> bytes:
    """A sheet of pictures, so many times narrower, as a JPEG: it is soon there."""
    width, height = (round(side / times) for side in sheet.size)
    return encode(sheet.resize((width, height), Image.Resampling.BOX), "jpeg", quality=65)


def animation(pictures: Sequence[Image.Image], seconds: float = 3.0, hold: float = 1.5, kind: str = "gif") -> bytes:
    """Encode pictures of one size as an endless animation of about `seconds`, plus `hold` seconds on the last one.

    `kind` is gif, with 128 colours, or webp (quality 85), which keeps all colours.
    """
    each = max(20, round(1000 * seconds / len(pictures)))  # ms; browsers slow down anything faster than 20 ms
    durations = [each] * (len(pictures) - 1) + [round(1000 * hold)]
    options: dict[str, Any] = {"quality": 85} if kind == "webp" else {}
    if kind == "gif":
        pictures = [picture.quantize(128, method=Image.Quantize.FASTOCTREE) for picture in pictures]
    options |= {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": 0}
    buffer = io.BytesIO()
    pictures[0].save(buffer, kind, **options)
    return buffer.getvalue()


class Pictured:
    """A result with a `picture`: notebooks show it, a terminal describes it in one line, `save` writes it."""

    picture: Image.Image

    def record(self) -> dict[str, Any]:
        """Everything but the pictures as plain values, with the version of cnnvis."""
        plain = {name: value for name, value in vars(self).items() if not isinstance(value, Image.Image)}
        return {**plain, "cnnvis": __version__}

    def save(self, path: str | Path) -> None:
        """Write the picture to a file; a PNG also keeps the record in its text chunk "cnnvis".

        The suffix selects the format: .png, .jpg, .jpeg or .webp. Raises SettingError for any other.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in PICTURE_SUFFIXES:
            raise SettingError.not_one_of("suffix", suffix, PICTURE_SUFFIXES)
        Path(path).write_bytes(encode(self.picture, suffix[1:], self.record()))

    def _repr_png_(self) -> bytes:
        return encode(self.picture)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_brief(value)}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


def _brief(value: object) -> str:
    if isinstance(value, Image.Image):
        return f"<{value.width} × {value.height} px>"
    if isinstance(value, list | tuple | dict) and len(value) > REPR_ITEMS:
        return f"<{len(value)} values>"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
