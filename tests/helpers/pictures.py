"""Small pictures that several test modules make and read."""

import io
from typing import Any

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> io.BytesIO:
    """Save a picture to an open file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Make random pixels, the hardest picture to resize."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def row(picture: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours of the first row."""
    return [tuple(pixel) for pixel in np.asarray(picture)[0].tolist()]
