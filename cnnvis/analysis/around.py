"""What happens around one value of a map: what ReLU cuts, which value wins the next pool, what each layer sees."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import max_pool2d

from cnnvis.analysis.maps import Maps
from cnnvis.checks import winner
from cnnvis.network.architecture import Architecture, Layer
from cnnvis.pictures.images import PHOTO_SIDE


@dataclass(frozen=True)
class Rectified:
    """One value of a map before and after ReLU, and how much of the whole map ReLU cuts."""

    map: Tensor  # (H, W), before ReLU
    before: float
    after: float
    cut: float  # share of the map's values that are below zero, 0 to 1


@dataclass(frozen=True)
class Pooled:
    """Four values of a map after ReLU, and the one that the pool keeps: the largest."""

    layer: str  # the pool
    convolution: str  # whose map it reads: the last of the block
    read: Tensor  # (H, W), that map after ReLU
    map: Tensor  # (H / 2, W / 2), the pool's
    row: int  # of the pool's value
    column: int
    winner: tuple[int, int]  # row and column in `read` of the value that it keeps; the first of equal ones

    @property
    def values(self) -> Tensor:
        """The four values, (2, 2)."""
        return self.read[2 * self.row : 2 * self.row + 2, 2 * self.column : 2 * self.column + 2]

    @property
    def value(self) -> float:
        """The largest of the four."""
        return float(self.map[self.row, self.column])


@dataclass(frozen=True)
class Seen:
    """What one value of a layer sees of the picture."""

    layer: Layer
    row: int
    column: int
    box: tuple[int, int, int, int]  # left, top, right, bottom in px of the 224 px photo; may reach outside it
    beyond: float  # share of the box that lies outside, 0 to 1


@dataclass(frozen=True)
class Surroundings:
    """Everything that follows one value of a convolution's map."""

    layer: str
    channel: int
    row: int
    column: int
    rectified: Rectified
    pooled: Pooled
    seen: list[Seen]  # by each convolution up to this one, in order: each box lies within the next


def follow(architecture: Architecture, maps: Maps, last: Maps, channel: int, cell: tuple[int, int]) -> Surroundings:
    """Follow one value of a convolution's map through ReLU and the next pool, and back to what it sees.

    The pool reads the block's last convolution, whose maps are `last`; the value followed there has the same channel
    number and the same cell.
    """
    shown, boxes = maps.values[channel], seen(architecture, maps.layer, cell)
    before = float(shown[cell])
    rectified = Rectified(shown, before, max(0.0, before), float((shown < 0).float().mean()))
    return Surroundings(maps.layer.name, channel, *cell, rectified, _pooled(last, channel, cell), boxes)


def last_of_block(architecture: Architecture, layer: Layer) -> Layer:
    """The convolution that the pool of a layer's block reads."""
    return architecture.convolution_of(architecture.find(f"pool{layer.block}"))


def seen(architecture: Architecture, layer: Layer, cell: tuple[int, int]) -> list[Seen]:
    """What a value of a layer sees, and what each convolution before it sees in the middle of that.

    A pool's value is made of four; the first of them is followed.
    """
    row, column = cell
    boxes = []
    for before in reversed(architecture.layers[: architecture.layers.index(layer) + 1]):
        if before.kind == "pool":
            row, column = 2 * row, 2 * column
        elif before.kind == "conv":
            box = before.field(row, column)
            boxes.append(Seen(before, row, column, box, _beyond(box)))
    return boxes[::-1]


def _pooled(maps: Maps, channel: int, cell: tuple[int, int]) -> Pooled:
    """The value of the pool after `maps` that reads this cell."""
    read = maps.values[channel].clamp_min(0)
    pooled = max_pool2d(read[None, None], 2)[0, 0]
    row, column = cell[0] // 2, cell[1] // 2
    won = winner(read, row, column)
    return Pooled(f"pool{maps.layer.block}", maps.layer.name, read, pooled, row, column, won)


def _beyond(box: tuple[int, int, int, int]) -> float:
    left, top, right, bottom = box
    across = min(right, PHOTO_SIDE) - max(left, 0)
    down = min(bottom, PHOTO_SIDE) - max(top, 0)
    return 1 - across * down / ((right - left) * (bottom - top))
