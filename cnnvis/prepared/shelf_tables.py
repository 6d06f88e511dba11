"""Tables of the photos that excite each channel most and least; however the photos are split, they merge to the same.

A layer's table has a row for each channel and a column for each rank. All arrays are NumPy's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
HIGH, LOW = ("photo", "cell", "value"), ("low", "low_cell", "low_value")  # a layer's two tables in a file, by field
# Of a map after ReLU: the mean over all cells of the value and of its square, and the same over the outermost cells.
MOMENTS = 4


@dataclass(frozen=True)
class Table:
    """Photos ranked for each channel, each with the cell that counts."""

    photo: Array  # (channels, ranks) int32, the photo's number; at most once in a row
    cell: Array  # (channels, ranks, 2) int16, row and column of the map
    value: Array  # (channels, ranks) float32, of the map at that cell, before ReLU

    def best(self, count: int, largest: bool) -> "Table":
        """The first `count` ranks by value; of equal values, the photo with the lower number comes first."""
        keys = (self.photo, -self.value if largest else self.value)  # np.lexsort sorts by the last key first
        order = np.lexsort(keys, axis=-1)[:, :count]
        pick = np.take_along_axis
        return Table(pick(self.photo, order, 1), pick(self.cell, order[..., None], 1), pick(self.value, order, 1))

    def numbered(self, numbers: Array) -> "Table":
        """The same table, its photo i as `numbers[i]`."""
        return Table(numbers[self.photo], self.cell, self.value)

    def merged(self, other: "Table", count: int, largest: bool) -> "Table":
        """The first `count` ranks of two tables of the same layer, of different photos."""
        parts = zip(vars(self).values(), vars(other).values(), strict=True)
        return Table(*(np.concatenate(pair, 1) for pair in parts)).best(count, largest)


@dataclass(frozen=True)
class Sums:
    """What means and deviations are computed from, for each channel; in float64, so that the split does not show."""

    maxima: Array  # (channels,), the sum of the maxima over photos
    squares: Array  # (channels,), of their squares
    moments: Array  # (channels, 4), of the means over a map after ReLU: see MOMENTS

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.maxima + other.maxima, self.squares + other.squares, self.moments + other.moments)


@dataclass(frozen=True)
class LayerIndex:
    """How one layer responded to photos."""

    high: Table
    low: Table
    sums: Sums

    @classmethod
    def of(cls, numbers: Array, cells: Array, maxima: Array, moments: Array, ranks: int) -> "LayerIndex":
        """The index of photos with the given `numbers` (photos,).

        `cells` (photos, channels, 2) are where the `maxima` (photos, channels) lie; for the `moments` (photos,
        channels, 4) see MOMENTS.
        """
        photo = np.broadcast_to(numbers.astype(np.int32), maxima.T.shape)
        table = Table(photo, cells.astype(np.int16).swapaxes(0, 1), maxima.astype(np.float32).T)
        exact = maxima.astype(np.float64)
        sums = Sums(exact.sum(0), (exact**2).sum(0), moments.astype(np.float64).sum(0))
        return cls(table.best(ranks, largest=True), table.best(ranks, largest=False), sums)

    def numbered(self, numbers: Array) -> "LayerIndex":
        """The same index, its photo i as `numbers[i]`: int32, increasing, so that equal values keep their order."""
        return LayerIndex(self.high.numbered(numbers), self.low.numbered(numbers), self.sums)

    def merged(self, other: "LayerIndex", ranks: int) -> "LayerIndex":
        """The index of both sets of photos."""
        high = self.high.merged(other.high, ranks, largest=True)
        return LayerIndex(high, self.low.merged(other.low, ranks, largest=False), self.sums + other.sums)
