"""Which channels of a layer are alike, and a layout of the layer that puts them side by side."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnvis.errors import SettingError

Array = NDArray[Any]

PERPLEXITY = 15.0  # roughly how many neighbours each channel has
MOST_ALIKE = 8


def correlations(values: Array) -> Array:
    """How alike channels are, (channels, channels), −1 to 1, from their values (things, channels); in float64.

    A channel that never changes gets 0 with every other.
    """
    centred = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=0)
    centred /= np.where(length > 0, length, 1)
    return np.asarray(centred.T @ centred)


def most_alike(likeness: Array, count: int = MOST_ALIKE) -> list[list[int]]:
    """For each channel, the others most like it, closest first, from (channels, channels)."""
    others = likeness.astype(np.float64)
    np.fill_diagonal(others, -np.inf)
    order = np.argsort(-others, axis=1, kind="stable")[:, : min(count, len(others) - 1)]
    return [row.tolist() for row in order]


def check_library() -> None:
    """Raise SettingError if scikit-learn is missing; only making an atlas needs it."""
    if not find_spec("sklearn"):
        raise SettingError("making an atlas needs scikit-learn: pip install scikit-learn.")


def arranged(likeness: Array, columns: int) -> list[int]:
    """Lay channels out on a grid of `columns`, similar ones close together: the channel of each cell, row by row.

    t-SNE (van der Maaten & Hinton 2008) puts each channel on a plane; an assignment then gives each its nearest free
    cell.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.manifold import TSNE

    count = len(likeness)
    if count < 4:  # t-SNE needs more
        return list(range(count))
    distance = np.clip(1 - likeness, 0, 2)
    np.fill_diagonal(distance, 0)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    points = TSNE(metric="precomputed", init="random", random_state=0, perplexity=perplexity).fit_transform(distance)
    cells = np.stack(np.unravel_index(np.arange(count), (-(-count // columns), columns)), 1).astype(np.float64)
    # Only neighbours matter, so each axis is stretched over the grid: by rank, without gaps.
    ranks = points.argsort(0).argsort(0) / (count - 1) * cells.max(0).clip(1)
    distances = ((ranks[:, None] - cells[None]) ** 2).sum(2)
    channels, chosen = linear_sum_assignment(distances)
    return [int(channel) for channel in channels[np.argsort(chosen)]]
