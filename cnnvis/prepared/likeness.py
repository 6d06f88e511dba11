"""Which channels of a layer are alike, and the layer laid out so that those lie together."""

from importlib.util import find_spec

import numpy as np

from cnnvis.errors import SettingError
from cnnvis.prepared.shelf_tables import Array

PERPLEXITY = 15.0  # about how many neighbours each channel has
ALIKE = 8


def correlations(values: Array) -> Array:
    """How alike channels are, (channels, channels), −1 to 1, by their values (things, channels) in float64.

    A channel that never changes is like no other, 0.
    """
    centred = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=0)
    centred /= np.where(length > 0, length, 1)
    result: Array = centred.T @ centred
    return result


def most_alike(likeness: Array, count: int = ALIKE) -> list[list[int]]:
    """For each channel the others most like it, most alike first, from (channels, channels)."""
    others = likeness.astype(np.float64)
    np.fill_diagonal(others, -np.inf)
    order: Array = np.argsort(-others, axis=1, kind="stable")[:, : min(count, len(others) - 1)]
    numbers: list[list[int]] = order.tolist()
    return numbers


def check_library() -> None:
    """Raise SettingError without scikit-learn, which only making an atlas needs."""
    if not find_spec("sklearn"):
        raise SettingError("making an atlas needs scikit-learn: pip install scikit-learn.")


def arranged(likeness: Array, columns: int) -> list[int]:
    """Lay channels out on a grid of so many columns, those alike near one another: the channel on each cell, by rows.

    t-SNE (van der Maaten & Hinton 2008) gives each channel a place on a plane, and an assignment the nearest cells.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.manifold import TSNE

    count = len(likeness)
    if count < 4:  # t-SNE needs more
        return list(range(count))
    distance = np.clip(1 - likeness, 0, 2)
    np.fill_diagonal(distance, 0)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    places = TSNE(metric="precomputed", init="random", random_state=0, perplexity=perplexity).fit_transform(distance)
    cells = np.stack(np.unravel_index(np.arange(count), (-(-count // columns), columns)), 1).astype(np.float64)
    # Only who lies next to whom counts, so each axis is stretched over the whole grid: by rank, without empty places.
    ranks = places.argsort(0).argsort(0) / (count - 1) * cells.max(0).clip(1)
    distances = ((ranks[:, None] - cells[None]) ** 2).sum(2)
    channels, chosen = linear_sum_assignment(distances)
    order: list[int] = channels[np.argsort(chosen)].tolist()
    return order
