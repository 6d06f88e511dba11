"""Small pictures for several test modules."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> io.BytesIO:
    """A picture, saved to an open file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Random pixels, the hardest picture to resize."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def row(picture: Image.Image) -> list[tuple[int, ...]]:
    """The colours of the first row."""
    return [tuple(pixel) for pixel in np.asarray(picture)[0].tolist()]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def animated(width: int, height: int, frames: int, text: bytes, grey: int = 0) -> bytes:
    """A PNG with `frames` frames and, behind them all, an iTXt chunk `cnnvis`: a file far smaller than its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([0, *[grey] * -(-width // 8)]) * height, 9)
    control = [struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 1, 0, 0) for number in range(2 * frames)]
    chunks = [chunk(b"IHDR", header), chunk(b"acTL", struct.pack(">II", frames, 0)), chunk(b"fcTL", control[0])]
    chunks.append(chunk(b"IDAT", pixels))
    for number in range(1, 2 * frames - 1, 2):
        chunks += [chunk(b"fcTL", control[number]), chunk(b"fdAT", struct.pack(">I", number + 1) + pixels)]
    chunks += [chunk(b"iTXt", b"cnnvis\0\0\0\0\0" + text), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(more: dict[int, tuple[int, int, int]], room: int = 64, order: str = "<") -> bytes:
    """A grey TIFF picture of 8 × 8 px with more tags: for each its kind, its count, and its value or where that lies.

    `room` bytes, at least 64, follow the 8 of the header: the pixels, and whatever else the tags point to.
    """
    entries = {256: (3, 1, 8), 257: (3, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8),
               277: (3, 1, 1), 278: (3, 1, 8), 279: (4, 1, 64)} | more  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + room) + bytes(room)
    table = [
        struct.pack(f"{order}HHI", tag, kind, count)
        + (struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value))
        for tag, (kind, count, value) in sorted(entries.items())
    ]
    return head + struct.pack(f"{order}H", len(table)) + b"".join(table) + struct.pack(f"{order}I", 0)
