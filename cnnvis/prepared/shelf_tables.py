"""Tables of the photos that excite each channel most, and least; they merge to the same, however photos are split.

A table of one layer has a row for each channel and a column for each rank. All arrays are NumPy's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Places in photos, ranked for each channel."""

    photo: Array  # (channels, ranks) int32, the photo's number; at most once in a row
    cell: Array  # (channels, ranks, 2) int16, row and column of the map
    value: Array  # (channels, ranks) float32, of the map there, before ReLU

    def best(self, count: int, largest: bool) -> "Table":
        """The first `count` ranks by value; of equal values the photo with the lower number comes first."""
        keys = (self.photo, -self.value if largest else self.value)  # np.lexsort sorts by the last key first
        order = np.lexsort(keys, axis=-1)[:, :count]
        pick = np.take_along_axis
        return Table(pick(self.photo, order, 1), pick(self.cell, order[..., None], 1), pick(self.value, order, 1))


def joined(tables: Sequence[Table]) -> Table:
    """Tables of the same layer side by side, not yet ranked."""
    return Table(
        *(np.concatenate([getattr(table, name) for table in tables], 1) for name in ("photo", "cell", "value"))
    )


@dataclass(frozen=True)
class Sums:
    """What means and deviations are computed from, for each channel; float64, so that the split does not show."""

    maxima: Array  # (channels,), the sum of the maxima over photos
    squares: Array  # (channels,), of their squares
    usual: Array  # (channels,), of the means after ReLU

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.maxima + other.maxima, self.squares + other.squares, self.usual + other.usual)


@dataclass(frozen=True)
class LayerIndex:
    """What one layer answered to photos."""

    high: Table
    low: Table
    sums: Sums

    @classmethod
    def of(cls, numbers: Array, cells: Array, maxima: Array, usual: Array, ranks: int) -> "LayerIndex":
        """The index of photos with the given `numbers` (photos,).

        `cells` (photos, channels, 2) are the places of the `maxima` (photos, channels); `usual` (photos, channels) are
        the means after ReLU.
        """
        photo = np.broadcast_to(numbers.astype(np.int32), maxima.T.shape)
        table = Table(photo, cells.astype(np.int16).swapaxes(0, 1), maxima.astype(np.float32).T)
        exact = maxima.astype(np.float64)
        sums = Sums(exact.sum(0), (exact**2).sum(0), usual.astype(np.float64).sum(0))
        return cls(table.best(ranks, largest=True), table.best(ranks, largest=False), sums)

    def merged(self, other: "LayerIndex", ranks: int) -> "LayerIndex":
        """The index of both sets of photos."""
        high = joined([self.high, other.high]).best(ranks, largest=True)
        low = joined([self.low, other.low]).best(ranks, largest=False)
        return LayerIndex(high, low, self.sums + other.sums)
