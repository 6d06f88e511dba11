"""The groups of a photo: channels that rise and fall together over it, and where.

They are the factors of a non-negative factorisation of the layer's maps, as in Olah et al., "The Building Blocks of
Interpretability", Distill 2018. The factorisation is by coordinate descent, HALS (Cichocki & Phan, "Fast local
algorithms for large scale nonnegative matrix and tensor factorizations", 2009), from the start NNDSVD (Boutsidis &
Gallopoulos, "SVD based initialization", 2008), which leaves nothing to chance: the same photo has the same groups.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from cnnvis.analysis.places import Places, check_places, direction_of, places_of
from cnnvis.checks import whole_between
from cnnvis.network.architecture import text_keys
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE, Pictured, blend, contact_sheet
from cnnvis.pictures.photo import Photo

FEWEST_GROUPS, MOST_GROUPS = 2, 8
MEMBERS = 6  # channels named in a group
CHANGE = 1e-5  # the factorisation ends when a round lowers the squared residual by less than this share
MOST_ROUNDS = 500  # a photo takes 20 to 140
ITERATIONS, EXTRA_VECTORS = 8, 8  # then singular vectors of photos' maps agree with those of an SVD to four digits
SHEET_COLUMNS, GAP_PX = 3, 2
UNLIT = 0.8  # how much darker the photo is where a group is not

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Member:
    """One channel of a group."""

    channel: int
    weight: float  # 1 for the group's leading channel


@dataclass(frozen=True)
class Group:
    """Channels that rise and fall together over a photo."""

    share: float  # of what all groups together make of the maps, 0 to 1
    map: list[list[float]] = field(repr=False)  # by row and column: how strong it is, in its leading channel's spreads
    channels: list[Member]  # those with the largest weights
    direction: dict[int, float] = field(repr=False)  # weights by channel; the largest is 1


@dataclass(frozen=True, repr=False)
class Groups(Pictured):
    """The groups of one photo, largest share first.

    Tile i of the picture is the photo, lit where group i is: three in a row, 226 px from one to the next.
    """

    picture: Image.Image
    layer: str
    rows: int  # of the grid
    columns: int
    explained: float  # 1 − the squared residual's share of the maps' squares
    groups: list[Group]

    def tile(self, number: int) -> Image.Image:
        """The photo, lit where a group is."""
        left, top = (place * (PHOTO_SIDE + GAP_PX) for place in (number % SHEET_COLUMNS, number // SHEET_COLUMNS))
        return self.picture.crop((left, top, left + PHOTO_SIDE, top + PHOTO_SIDE))

    def record(self) -> dict[str, Any]:
        """Everything but the picture, as plain values."""
        plain = [{**asdict(group), "direction": text_keys(group.direction)} for group in self.groups]
        return {**super().record(), "groups": plain}


def groups(net: VGG16, photo: Photo, layer: str, count: int = 6) -> Groups:
    """Find `count` (2 to 8) groups of channels that rise and fall together over a photo, in one convolution.

    The maps are taken after ReLU, each divided by its channel's spread on the photo shelf, over a grid of at most
    28 × 28 places. On one machine the same photo has the same groups, bit for bit.
    Raises LayerError, SettingError, PhotoError, and ShelfError if the shelf does not know what is usual.
    """
    convolution = check_places(net, layer)
    count = whole_between("count", count, FEWEST_GROUPS, MOST_GROUPS)
    return find_groups(places_of(net, photo, convolution), count)


def find_groups(places: Places, count: int) -> Groups:
    """`groups` of places already found."""
    spread = places.spread[0]
    rows, columns = places.values.shape[1:]
    maps = (places.values / spread[:, None, None]).flatten(1).T.double().numpy()
    where, weights, left = factorised(np.ascontiguousarray(maps), count)
    largest = weights.max(1)
    amounts = where.sum(1) * weights.sum(1)
    total = float(amounts.sum()) or 1.0
    made, lit = [], []
    for number in np.argsort(-amounts, kind="stable").tolist():
        mine = torch.from_numpy(weights[number] / (largest[number] or 1.0))
        placed = torch.from_numpy(where[number] * largest[number]).reshape(rows, columns)
        strongest = mine.argsort(descending=True, stable=True)[:MEMBERS].tolist()
        members = [Member(channel, float(mine[channel])) for channel in strongest if mine[channel] > 0]
        direction = direction_of(mine, spread.double())
        made.append(Group(float(amounts[number]) / total, placed.tolist(), members, direction))
        lit.append(np.asarray(_lit(places.photo, placed.float())))
    squares = float((maps**2).sum())
    sheet = contact_sheet(np.stack(lit), SHEET_COLUMNS, GAP_PX)
    return Groups(sheet, places.layer.name, rows, columns, 1 - left / squares if squares else 0.0, made)


def _lit(photo: Image.Image, placed: Tensor) -> Image.Image:
    """The photo, lit where a group is."""
    strength = placed / placed.max().clamp_min(1e-9)
    smooth = interpolate(strength[None, None], size=(PHOTO_SIDE, PHOTO_SIDE), mode="bilinear")[0, 0]
    return blend(photo, np.zeros((PHOTO_SIDE, PHOTO_SIDE, 3), np.uint8), UNLIT * (1 - smooth))


def factorised(maps: Array, count: int) -> tuple[Array, Array, float]:
    """Factorise maps (cells, channels), none below zero, into `count` factors by HALS.

    Returns where each factor is, (count, cells), its weights, (count, channels), and the squared residual.
    """
    where, weights = _start(maps, count)
    squares = before = float((maps**2).sum())
    for _ in range(MOST_ROUNDS):
        _descend(where, _over_channels(maps, weights), weights @ weights.T)
        products, inner = _over_cells(maps, where), where @ where.T
        _descend(weights, products, inner)
        left = squares - 2 * float((products * weights).sum()) + float((inner * (weights @ weights.T)).sum())
        if before - left <= CHANGE * before:
            break
        before = left
    return where, weights, max(0.0, left)


def _descend(factors: Array, products: Array, inner: Array) -> None:
    """Set each of the factors (count, n) in turn to what is best while the others stay.

    `products` (count, n) are the data's with the factors of the other side, `inner` (count, count) theirs with each
    other.
    """
    for number, factor in enumerate(factors):
        if inner[number, number] > 0:
            factor += (products[number] - inner[number] @ factors) / inner[number, number]
            np.maximum(factor, 0, out=factor)


def _start(maps: Array, count: int) -> tuple[Array, Array]:
    """NNDSVD: of each of the largest singular pairs the positive parts, or the negative ones if they are larger."""
    where, weights = np.zeros((count, len(maps))), np.zeros((count, maps.shape[1]))
    for number, (length, left, right) in enumerate(zip(*_singular(maps, count), strict=True)):
        parts = [(np.maximum(sign * left, 0), np.maximum(sign * right, 0)) for sign in (1, -1)]
        sizes = [(np.linalg.norm(placed), np.linalg.norm(weighed)) for placed, weighed in parts]
        best = max((0, 1), key=lambda sign: sizes[sign][0] * sizes[sign][1])
        scales = [np.sqrt(length * sizes[best][0] * sizes[best][1]) / max(size, 1e-12) for size in sizes[best]]
        where[number], weights[number] = scales[0] * parts[best][0], scales[1] * parts[best][1]
    return where, weights


def _singular(maps: Array, count: int) -> tuple[Array, Array, Array]:
    """The largest singular values, their vectors over the cells and those over the channels, by subspace iteration."""
    size = min(count + EXTRA_VECTORS, *maps.shape)
    block = np.random.default_rng(0).standard_normal((size, maps.shape[1]))  # any start leads to the same vectors
    for _ in range(ITERATIONS):
        block = np.ascontiguousarray(np.linalg.qr(_over_cells(maps, _over_channels(maps, block)).T)[0].T)
    placed = _over_channels(maps, block)
    values, vectors = np.linalg.eigh(placed @ placed.T)
    lengths, turn = np.sqrt(np.maximum(values[::-1][:count], 0)), vectors[:, ::-1][:, :count].T
    return lengths, turn @ placed / np.maximum(lengths, 1e-12)[:, None], turn @ block


# Not `@`: for products of this size BLAS starts threads, which gain nothing, and on a busy machine they wait for each
# other ten times as long as they work.
def _over_channels(maps: Array, weights: Array) -> Array:
    placed: Array = np.einsum("ij,kj->ki", maps, weights)
    return placed


def _over_cells(maps: Array, where: Array) -> Array:
    weighed: Array = np.einsum("ij,ki->kj", maps, where)
    return weighed
