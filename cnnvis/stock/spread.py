"""How strongly a shelf's photos excite a channel, not only the best of them: showing those alone misleads."""

from dataclasses import dataclass

import numpy as np

from cnnvis.network.architecture import Target
from cnnvis.prepared.shelf import Shelf

PERCENTILES = (100, 90, 75, 50, 25)
BARS = 24


@dataclass(frozen=True)
class Spread:
    """The photos at some percentiles of a channel's maxima, and the histogram of all."""

    percentiles: list[int]
    photos: list[int]  # the photo at each percentile
    values: list[float]  # its maximum, to float16
    counts: list[int]  # photos in each bar of the histogram
    low: float  # the histogram's ends
    high: float


def spread(shelf: Shelf, target: Target) -> Spread | None:
    """The spread of a channel of a convolution, already checked; None if the shelf does not keep all maxima.

    Raises ShelfError.
    """
    maxima = shelf.maxima(target)
    if maxima is None:
        return None
    order = np.argsort(maxima, kind="stable")
    ranks = [round(percentile / 100 * (len(order) - 1)) for percentile in PERCENTILES]
    counts, edges = np.histogram(maxima, BARS)
    photos = [int(order[rank]) for rank in ranks]
    values = [float(maxima[photo]) for photo in photos]
    return Spread(list(PERCENTILES), photos, values, counts.tolist(), float(edges[0]), float(edges[-1]))
