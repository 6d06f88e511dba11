"""What a layer responds to at the places of a photo: the dictionary of one place, and the mosaic of all.

Olah et al., "The Building Blocks of Interpretability", Distill 2018, call it a semantic dictionary. A place is a block
of cells on a grid of at most 28 × 28. Its channels are ranked by how far they are above what is usual for them on the
photo shelf, in their own standard deviations: a channel that is always on says nothing about a photo.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as option  # a place has a field of its own
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnvis.analysis.maps import Maps, compute_maps
from cnnvis.analysis.patches import moved_inside
from cnnvis.checks import asked_cell, cell_or_largest, whole_between
from cnnvis.errors import SettingError, ShelfError
from cnnvis.network.architecture import Direction, Layer, Target, text_keys
from cnnvis.network.precision import PLAIN
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.pictures.images import PHOTO_SIDE, Pictured
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.version import Recorded

GRID = 28  # places along a side, at most
MOST_NAMED = 16  # channels named at a place
LEAST_SPREAD = 0.1  # of the layer's median: otherwise a channel that is silent on the shelf would lead everywhere
DIRECTION_CHANNELS = 60
DIRECTION_SHARE = 1 / 20  # of the first channel's: what stands out less is left out of a direction
# A picture shows a whole field, so a place's direction takes in what lies around: with weights that fall from the
# place as a Gaussian of this deviation, as a share of the field. benchmarks/README.md has what others gave.
AROUND = 0.2
# Of a mosaic: its side, so that a tile of 14 × 14 places has its full 96 px; and how dark the photo is below it.
MOSAIC_PX, DIMMED = 1344, 0.4
BRIGHT = 0.9  # a place whose leading channel is at this quantile of all is opaque


@dataclass(frozen=True)
class Entry:
    """One channel at a place."""

    channel: int
    value: float  # the largest after ReLU in the place's cells
    above: float  # that value above the channel's mean on the shelf, in its standard deviations


@dataclass(frozen=True)
class Dictionary(Recorded):
    """What stands out at one place of a photo: its channels, strongest first, and a direction to grow a picture for."""

    layer: str
    rows: int  # of the grid
    columns: int
    row: int  # of the place on the grid, from 0
    column: int
    box: list[int]  # left, top, right, bottom of the place in px of the 224 px crop
    field: list[int]  # the same of what its cells see, moved inside the crop
    cell: list[int]  # row and column of the cell, in the layer's own map, where the leading channel is largest
    channels: list[Entry]
    direction: dict[int, float] = option(repr=False)  # of the place and what lies around; the largest weight is 1
    colour: str = option(repr=False)  # the mean of `field`, as "#a08060": a picture of the place grows best from it

    def record(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {**super().record(), "direction": text_keys(self.direction)}


@dataclass(frozen=True, repr=False)
class Mosaic(Pictured):
    """The leading channel of every place, drawn as its picture, as bright as it is unusual, on the darkened photo."""

    picture: Image.Image
    layer: str
    rows: int
    columns: int
    channels: list[list[int]]  # by row and column
    above: list[list[float]]  # of those channels


@dataclass(frozen=True)
class Places:
    """How all channels of a convolution respond at the places of one photo."""

    layer: Layer
    photo: Image.Image  # the 224 px that the network saw
    side: int  # cells along a place's side
    values: Tensor  # (channels, rows, columns), the largest after ReLU in each place
    cells: Tensor  # (channels, rows, columns), where in the place that is: row · side + column, the first of equal ones
    above: Tensor  # (channels, rows, columns), above the usual, in standard deviations of that cell
    spread: Tensor  # (2, channels), those deviations: of all cells, and of the map's border
    at_border: Tensor  # (channels, rows, columns), whether the cell lies at the map's border

    @property
    def leading_cells(self) -> Tensor:
        """For each place the cell of its leading channel, (rows, columns), counted as in `cells`."""
        return self.cells.gather(0, self.leading[1][None])[0]

    @property
    def leading(self) -> tuple[Tensor, Tensor]:
        """For each place how far its leading channel is above the usual, and which one that is, (rows, columns)."""
        above, channels = self.above.max(0)
        return above, channels


def dictionary(
    net: VGG16, photo: Photo, layer: str, row: int | None = None, column: int | None = None, count: int = 6
) -> Dictionary:
    """Look up what a layer sees at one place of a photo; by default where its leading channel is most unusual.

    `row` and `column` count the places of the grid (`Dictionary.rows`, at most 28), from 0, over the 224 px that the
    network sees. The `count` (1 to 16) channels furthest above what is usual for them are named.
    Raises LayerError, SettingError, PhotoError, and ShelfError if the shelf does not know what is usual.
    """
    convolution = check_places(net, layer)
    count, size = whole_between("count", count, 1, MOST_NAMED), grid(convolution)
    asked_cell(row, column, (size, size))
    return look_up(places_of(net, photo, convolution), row, column, count)


def check_places(net: VGG16, layer: str) -> Layer:
    """Find a convolution whose usual responses are known. Raises LayerError, ShelfError."""
    convolution = architecture_of(net).find(layer, kind="conv")
    if net.spread is None:
        raise ShelfError.no_spread(exists=net.mean_activation is not None)
    return convolution


def grid(layer: Layer) -> int:
    """How many places lie along a side of a layer's grid."""
    return PHOTO_SIDE // (layer.stride * cells_aside(layer))


def cells_aside(layer: Layer) -> int:
    """How many cells lie along a side of a place."""
    return -(-PHOTO_SIDE // (layer.stride * GRID))


def places_of(net: VGG16, photo: Photo, layer: Layer) -> Places:
    """Open a photo, compute the maps of a convolution already checked, and find its places. Raises PhotoError."""
    return find_places(net, compute_maps(net, open_photo(photo), [layer], "network")[0])


def find_places(net: VGG16, maps: Maps) -> Places:
    """The places of a convolution's maps, as the pipeline `network` computes them."""
    channels, height, width = maps.values.shape
    side, size = cells_aside(maps.layer), grid(maps.layer)
    blocks = maps.values.clamp_min(0).reshape(channels, size, side, size, side).transpose(2, 3).flatten(3)
    values, cells = blocks.max(3)
    first = side * torch.arange(size, device="cpu")
    row, column = first[:, None] + cells // side, first + cells % side
    at_border = (row == 0) | (row == height - 1) | (column == 0) | (column == width - 1)
    means, spread = _usual(net, maps.layer)
    per_cell = [torch.where(at_border, table[1, :, None, None], table[0, :, None, None]) for table in (means, spread)]
    return Places(maps.layer, maps.photo, side, values, cells, (values - per_cell[0]) / per_cell[1], spread, at_border)


def _usual(net: VGG16, layer: Layer) -> tuple[Tensor, Tensor]:
    """The means and deviations of a layer's channels after ReLU: of all cells and at the border, (2, channels) each."""
    tables = (net.mean_activation, net.border, net.spread, net.border_spread)
    mean, border, spread, border_spread = (table[layer.name].float().cpu() for table in tables if table is not None)
    return torch.stack([mean, border]), torch.stack([spread, border_spread]).clamp_min(least_spread(spread))


def least_spread(spread: Tensor) -> float:
    """What counts as the spread of channels that have less, given the spreads of all the layer's channels."""
    return max(1e-9, LEAST_SPREAD * float(spread.quantile(0.5)))


def look_up(places: Places, row: int | None, column: int | None, count: int) -> Dictionary:
    """`dictionary` of places already found. Raises SettingError for a place outside the grid."""
    layer, side, step = places.layer, places.side, places.side * places.layer.stride
    row, column = cell_or_largest(row, column, places.leading[0])
    above, values = places.above[:, row, column], places.values[:, row, column]
    ranked = above.argsort(descending=True, stable=True)[:count].tolist()
    down, right = divmod(int(places.cells[ranked[0], row, column]), side)
    left, top, _, _ = layer.field(row * side, column * side)
    _, _, end, bottom = layer.field((row + 1) * side - 1, (column + 1) * side - 1)
    spread = places.spread[places.at_border[:, row, column].long(), torch.arange(len(above), device="cpu")]
    size, field = places.above.shape[1], moved_inside((left, top, end, bottom), PHOTO_SIDE)
    return Dictionary(
        layer=layer.name, rows=size, columns=size, row=row, column=column,
        box=[column * step, row * step, (column + 1) * step, (row + 1) * step],
        field=list(field), cell=[row * side + down, column * side + right],
        channels=[Entry(channel, float(values[channel]), float(above[channel])) for channel in ranked],
        direction=direction_of(_around(places, row, column), spread), colour=_mean_colour(places.photo.crop(field)),
    )  # fmt: skip


def _around(places: Places, row: int, column: int) -> Tensor:
    """How far each channel is above the usual at a place and around it, in standard deviations, (channels,)."""
    step = places.side * places.layer.stride
    along, deviation = torch.arange(places.above.shape[1], **PLAIN), AROUND * places.layer.receptive_field / step
    down, across = (torch.softmax(-(((along - at) / deviation) ** 2) / 2, 0) for at in (row, column))
    # Not a product of matrices, whose precision a caller's autocast would change.
    return (places.above * down[:, None] * across).sum((1, 2))


def _mean_colour(piece: Image.Image) -> str:
    red, green, blue = np.asarray(piece.convert("RGB")).mean((0, 1)).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def direction_of(weights: Tensor, spread: Tensor) -> dict[int, float]:
    """The direction of a place or a group: the largest of its weights (channels,), each divided by the spread.

    It has at most 60 channels, of positive weights, the largest first; none where nothing stands out.
    """
    order = weights.argsort(descending=True, stable=True)[:DIRECTION_CHANNELS]
    kept = order[(weights[order] > 0) & (weights[order] >= DIRECTION_SHARE * weights[order[0]])]
    scaled = weights[kept] / spread[kept]
    return dict(zip(kept.tolist(), (scaled / scaled.max()).tolist(), strict=True)) if len(kept) else {}


def direction_target(net: VGG16, layer: str, direction: Direction, name: str) -> Target:
    """The direction of a place or a group as what an ascent maximises, called by its short `name`.

    Raises SettingError if nothing stands out there.
    """
    if not direction:
        raise SettingError(f"nothing stands out at {name} of {layer}: choose another place or photo.")
    return architecture_of(net).weighted_target(layer, direction, name)


def draw_mosaic(places: Places, tile_of: Callable[[int], Image.Image]) -> Mosaic:
    """The mosaic of places already found; `tile_of` gives a channel's picture, square and of any size."""
    above, channels = places.leading
    rows, columns = channels.shape
    side = MOSAIC_PX // columns
    tiles: dict[int, Image.Image] = {}
    drawn = Image.new("RGB", (columns * side, rows * side))
    for place, channel in enumerate(channels.flatten().tolist()):
        if channel not in tiles:
            tiles[channel] = tile_of(channel).resize((side, side), Image.Resampling.BILINEAR)
        drawn.paste(tiles[channel], (place % columns * side, place // columns * side))
    grey = places.photo.convert("L").point(lambda value: round(DIMMED * value))
    below = grey.resize(drawn.size, Image.Resampling.BICUBIC).convert("RGB")
    bright = float(above.quantile(BRIGHT))
    opacity = (above / bright).clamp(0, 1) if bright > 0 else torch.zeros_like(above)
    mask = Image.fromarray((255 * opacity).round().to(torch.uint8).numpy()).resize(drawn.size, Image.Resampling.NEAREST)
    picture = Image.composite(drawn, below, mask)
    return Mosaic(picture, places.layer.name, rows, columns, channels.tolist(), above.tolist())
