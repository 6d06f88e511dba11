"""What is known of a filter or of a place, gathered for its view from atlas, shelf, weights and photo.

Page, card and site gather the same; a `Source` says how each comes by its pictures and where they lie. What cannot be
shown says why in its place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from torch import Tensor

from cnnvis.analysis.maps import Maps, compute_maps, draw_map
from cnnvis.analysis.patches import moved_inside
from cnnvis.analysis.places import Dictionary, Places, cells_aside, find_places
from cnnvis.analysis.why import Why
from cnnvis.analysis.wiring import readers, reads
from cnnvis.errors import AtlasError, ShelfError
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.prepared.concepts import Concepts
from cnnvis.prepared.shelf import Exemplar, Shelf, load_shelf
from cnnvis.views.channel import Best, Channel, Own
from cnnvis.views.exemplars import BEST_PHOTOS
from cnnvis.views.html import TILE_PX, Address, picture_url
from cnnvis.views.places import Leading, Named, place_view, through_layers
from cnnvis.views.why import why_tree
from cnnvis.views.wiring import readers_row, reads_row

WIRES_BESIDE = 6  # of what it reads, and of what reads it
MAP_PX = 192  # side of the photo with the map laid over it
Everywhere = Mapping[str, tuple[Tensor, Tensor, Tensor]]  # by layer: see `leading_everywhere`


def large_tile(sheet: AtlasSheet, channel: int) -> str:
    """An address that itself contains the atlas's picture of a channel."""
    return picture_url(sheet.tile(channel))


def small_tile(sheet: AtlasSheet, channel: int) -> str:
    """The same for a row of many."""
    return picture_url(sheet.tile(channel).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Source:
    """How a page, a card or a site comes by what it shows, and at which addresses its pictures lie."""

    net: VGG16
    sheet: Callable[[Layer], AtlasSheet]  # a convolution's; raises AtlasError
    exemplars: Callable[[Shelf, Target, int], Sequence[tuple[Exemplar, Address]]]  # at the scale of its pictures
    large: Callable[[AtlasSheet, int], Address] = large_tile  # the address of the picture of one channel
    small: Callable[[AtlasSheet, int], Address] = small_tile  # the same in a row of many

    def tile(self, layer: Layer, channel: int) -> Address:
        """The address of the picture of a channel, small; "" if there is none."""
        try:
            return self.small(self.sheet(layer), channel)
        except AtlasError:
            return ""


def channel(source: Source, target: Target) -> Channel:
    """What is known of a channel of a convolution, already checked."""
    net = source.net
    rows = (
        reads_row(net, target, reads(net, target)[:WIRES_BESIDE], source.tile),
        readers_row(net, target, readers(net, target)[:WIRES_BESIDE], source.tile),
    )
    return Channel(target, grown(source, target), best(source, target), rows)


def grown(source: Source, target: Target) -> tuple[AtlasSheet, Address] | str:
    """The atlas's sheet and the address of a channel's picture; or why there is none."""
    try:
        sheet = source.sheet(target.layer)
    except AtlasError as error:
        return error.sentence()
    return sheet, source.large(sheet, target.number)


def best(source: Source, target: Target, count: int = BEST_PHOTOS) -> Best | str:
    """The photos of the shelf that excite a channel most, at the picture's scale; or why there are none."""
    try:
        shelf = load_shelf()
        return Best(source.exemplars(shelf, target, count), len(shelf.photos))
    except ShelfError as error:
        return error.sentence()


def own_map(maps: Maps, target: Target, whose: str) -> Own:
    """A photo with a channel's map laid over it; `whose` says whose it is."""
    return _own(maps, target.number, whose, lambda value: stronger_photos(target, value))


def own_concept(found: Concepts, number: int, maps: Maps, whose: str) -> Own:
    """The same for a concept; `maps` are those of `concept_maps`."""
    kept = [exemplar.value for exemplar in found.concepts[number].exemplars]

    def stronger(most: float) -> tuple[int, int] | None:
        return (sum(value > most for value in kept), len(found.shelf.photos)) if most > kept[-1] else None

    return _own(maps, number, whose, stronger)


def _own(maps: Maps, number: int, whose: str, stronger: Callable[[float], tuple[int | None, int] | None]) -> Own:
    drawn = draw_map(maps, number, MAP_PX)
    return Own(picture_url(drawn.overlay), whose, drawn.max, stronger(drawn.max))


def concept_maps(found: Concepts, maps: Maps) -> Maps:
    """The values of every concept at every cell of a photo, in place of the layer's maps."""
    return replace(maps, values=found.values_of(maps.values), usual=None)


def stronger_photos(target: Target, value: float) -> tuple[int | None, int] | None:
    """How many of the shelf's photos excite a convolution's channel more anywhere, and of how many; None: not known.

    A shelf too large to keep every photo's maximum knows only its strongest: (None, photos) is a value among those.
    """
    try:
        shelf = load_shelf()
        maxima = shelf.maxima(target)
        kept = shelf.layer(target.layer)["value"][target.number]
    except ShelfError:
        return None
    photos = len(shelf.photos)
    if maxima is not None:
        return int((maxima > np.float16(value)).sum()), photos  # they are kept as float16
    return (0 if value > kept[0] else None, photos) if value > kept[-1] else None


def named_at(source: Source, layer: Layer, place: Dictionary) -> list[Named]:
    """The channels that stand out at a place, each with its picture and its best photo."""
    named = []
    for entry in place.channels:
        top = best(source, Target(layer, {entry.channel: 1.0}), 1)
        named.append(Named(entry, source.tile(layer, entry.channel), None if isinstance(top, str) else top.tiles[0]))
    return named


@dataclass(frozen=True)
class Seen:
    """What is known of a place of a photo."""

    places: Places
    at: Dictionary
    everywhere: Everywhere
    leads: Why  # of the leading channel at its cell

    def view(self, source: Source, named: Sequence[Named]) -> str:
        """Everything about it on one screen, as HTML; `named` are the channels that stand out."""
        (left, top, right, bottom), photo = self.at.box, self.places.photo
        here = leading_at(source.net, self.everywhere, photo, [(top + bottom) / 2, (left + right) / 2])
        tree = why_tree(source.net, self.leads, photo, source.tile)
        view = place_view(self.at, picture_url(photo), named)
        return f"{view}{through_layers(here, source.tile)}<h4>Why there?</h4>{tree}"


def leading(layer: Layer, place: Dictionary) -> Target:
    """The channel that leads at a place."""
    return Target(layer, {place.channels[0].channel: 1.0})


def leading_everywhere(net: VGG16, photo: Image.Image) -> Everywhere:
    """For each place in the last layer of each block: how unusual its leading channel is, which, and in which cell."""
    last = {layer.block: layer for layer in net.architecture.layers if layer.kind == "conv"}
    every = (find_places(net, maps) for maps in compute_maps(net, photo, [*last.values()], "network"))
    return {found.layer.name: (*found.leading, found.leading_cells) for found in every}


def leading_at(net: VGG16, everywhere: Everywhere, seen: Image.Image, middle: Sequence[float]) -> list[Leading]:
    """The leading channels around one point, `middle` (down, across), in px of the 224 px photo `seen`."""
    shown = []
    for name, (above, channels, cells) in everywhere.items():
        layer = net.architecture.find(name)
        side = cells_aside(layer)
        at = tuple(min(int(px) // (side * layer.stride), len(above) - 1) for px in middle)
        down, right = divmod(int(cells[at]), side)
        cell = at[0] * side + down, at[1] * side + right
        piece = seen.crop(moved_inside(layer.field(*cell), PHOTO_SIDE)).resize((TILE_PX, TILE_PX))
        shown.append(Leading(layer, int(channels[at]), float(above[at]), cell, picture_url(piece)))
    return shown
