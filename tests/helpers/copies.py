"""The sixteen distorted copies for a robust activation, computed pixel by pixel without torchvision."""

import io
import math
import random

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SIDE = 224
CROP = 168
COPIES = 16


def plain_copies(picture: Image.Image) -> Tensor:
    """Compress a 224 × 224 RGB picture, then rotate, scale and crop it sixteen times.

    Returns a tensor (16, 3, 168, 168) with values from 0 to 1.
    """
    assert picture.size == (SIDE, SIDE) and picture.mode == "RGB"
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    with Image.open(file) as read:
        compressed = np.asarray(read, np.float64) / 255
    draws = random.Random(0)  # of the angle first, then of the scale
    copies = [_turn_and_scale(compressed, draws.uniform(-10, 10), draws.uniform(0.8, 1.2)) for _ in range(COPIES)]
    return torch.from_numpy(np.stack(copies).transpose(0, 3, 1, 2).astype(np.float32))


def _turn_and_scale(pixels: NDArray[np.float64], angle: float, scale: float) -> NDArray[np.float64]:
    """Rotate `pixels` clockwise by `angle` degrees about their centre, scale them, and keep the central 168 px."""
    centre = (SIDE - 1) / 2  # pixel centres lie at 0 to 223
    first = (SIDE - CROP) // 2
    down, right = np.mgrid[first : first + CROP, first : first + CROP] - centre
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # Find where each pixel comes from: undo the rotation, then the scale. Rows run downwards: clockwise is positive.
    row = (cos * down - sin * right) / scale + centre
    column = (cos * right + sin * down) / scale + centre
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)

    blend = np.zeros((CROP, CROP, 3))
    for y in (top, top + 1):
        for x in (left, left + 1):
            weight = ((1 - abs(row - y)) * (1 - abs(column - x)))[..., None]
            inside = ((y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE))[..., None]
            neighbour = pixels[y.clip(0, SIDE - 1), x.clip(0, SIDE - 1)]
            blend += np.where(inside, weight * neighbour, 0)  # everything outside the picture is black
    return blend
