"""The groups of a photo: channels that rise and fall together over it, and where.

They are the factors of a non-negative factorisation of the layer's maps (`factors`), as in Olah et al., "The Building
Blocks of Interpretability", Distill 2018. It leaves nothing to chance: the same photo has the same groups.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from cnnvis.analysis.factors import factorised
from cnnvis.analysis.places import Places, check_places, direction_of, places_of
from cnnvis.checks import whole_between
from cnnvis.network.architecture import text_keys
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE, Pictured, blend, contact_sheet
from cnnvis.pictures.photo import Photo

FEWEST_GROUPS, MOST_GROUPS = 2, 8
MEMBERS = 6  # channels named in a group
SHEET_COLUMNS, GAP_PX = 3, 2
UNLIT = 0.8  # how much darker the photo is where a group is not


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
