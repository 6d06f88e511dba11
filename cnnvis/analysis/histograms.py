"""Which colours and edges pictures are made of: how alike patches look, without a network.

It judges whether a reference explains a channel (`benchmarks`), and how coherent the patches of a concept are.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

SEEN_PX = 128  # pictures are compared at this size
COLOUR_BINS, ANGLE_BINS = 4, 12  # for each of red, green and blue; over half a turn

Array = NDArray[np.float64]


def histograms(pictures: Sequence[Image.Image]) -> Tensor:
    """How often each colour and each edge orientation occurs, each normalised to length 1, side by side: (N, 76).

    The square roots of the shares are compared, so one frequent colour does not drown out the rest (Hellinger's
    kernel). Edges count by their strength, orientations over half a turn.
    """
    values = (np.asarray(at_size(picture, SEEN_PX), dtype=np.float64) / 255 for picture in pictures)
    return torch.stack([torch.cat([_colours(pixels), _edges(pixels)]) for pixels in values])


def at_size(picture: Image.Image, side: int) -> Image.Image:
    """A picture in RGB, bicubic, `side` px square."""
    return picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def _colours(pixels: Array) -> Tensor:
    bins = np.minimum((pixels * COLOUR_BINS).astype(int), COLOUR_BINS - 1) @ [COLOUR_BINS**2, COLOUR_BINS, 1]
    return _shares(np.bincount(bins.ravel(), minlength=COLOUR_BINS**3))


def _edges(pixels: Array) -> Tensor:
    down, right = np.gradient(pixels.mean(2))
    angle = np.arctan2(down, right) % np.pi
    bins = np.minimum((angle / np.pi * ANGLE_BINS).astype(int), ANGLE_BINS - 1)
    return _shares(np.bincount(bins.ravel(), weights=np.hypot(down, right).ravel(), minlength=ANGLE_BINS))


def _shares(counts: NDArray[np.int64] | Array) -> Tensor:
    return normalize(torch.from_numpy(counts.astype(np.float64)).sqrt(), dim=0).float()


def mean_likeness(features: Tensor) -> float:
    """The mean cosine of pictures' histograms (N, 76) with each other's, 0 to 1; 0 for fewer than two pictures."""
    count = len(features)
    if count < 2:
        return 0.0
    alike = features @ features.T
    return float((alike.sum() - alike.trace()) / (2 * count * (count - 1)))  # each has two parts of length 1
