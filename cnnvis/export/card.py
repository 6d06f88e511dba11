"""A card: one channel or one place as one HTML file that needs no server, or as a <figure> for somebody's own page."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cnnvis.analysis.maps import compute_maps
from cnnvis.analysis.places import Dictionary, Places, check_places, find_places, grid, look_up
from cnnvis.analysis.why import Why, explain, trace
from cnnvis.checks import asked_cell
from cnnvis.errors import SettingError
from cnnvis.maximization.ascent import Snapshot
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.prepared.atlas import load_atlas
from cnnvis.prepared.shelf import Exemplar, Shelf, atlas_scale_tile
from cnnvis.views import known
from cnnvis.views.card import Frame, Looks, Shown, card_figure, card_file, credited
from cnnvis.views.channel import Own
from cnnvis.views.html import picture_url
from cnnvis.views.known import Everywhere, Source
from cnnvis.views.still import check_live

THEMES = ("auto", "light", "dark")
NAMED, TREE_COUNT, TREE_DEPTH = 6, 3, 2  # channels of a place; of its explanation: inputs at each node, layers back
MOST_FRAMES = 12
SOMEBODYS = "a photo of the author's"


@dataclass(frozen=True, repr=False)
class Card:
    """One channel or place as HTML that needs no server."""

    name: str  # "conv5_1 channel 260"
    html: str  # a whole file
    figure: str  # the same for a page of one's own: a <figure> that contains its styles and pictures

    def save(self, path: str | Path) -> None:
        """Write the whole file."""
        Path(path).write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        return self.figure

    def __repr__(self) -> str:
        return f"<card of {self.name}, {len(self.html.encode()) // 1000} kB>"


def card(
    layer: str,
    channel: int | None = None,
    *,
    place: tuple[Photo, int | None, int | None] | None = None,
    photo: Photo = None,
    grown: Sequence[Snapshot] = (),
    theme: str = "auto",
    live: str = "",
) -> Card:
    """Make a card of a convolution's channel, or of a place of a photo: a page that needs no server.

    `place` is a photo, a row and a column of the grid; None for both: the most unusual place. `photo` is laid into the
    card of a channel with the channel's map on it. `grown` are snapshots of `maximize`, which the reader can wind
    back. `theme` is auto, light or dark; `live` the address of a page where what the card shows can be tried.
    Raises LayerError, ChannelError, SettingError, PhotoError, and for a place ShelfError.
    """
    frames = few([Frame(f"step {one.step} of {one.steps}", one.picture) for one in grown])
    net, looks = load_vgg16(), Looks(SettingError.check("theme", theme, THEMES), check_live(live), frames)
    if place is not None:
        if channel is not None or photo is not None or frames:
            raise SettingError("a card of a place has a photo and channels of its own: leave out everything else.")
        return _card_of_place(net, check_places(net, layer), *place, looks=looks)
    target = net.architecture.target(layer, channel, kind="conv")
    if any(snapshot.target != target for snapshot in grown):
        raise SettingError(f"the pictures in `grown` are of {grown[0].target}: give those of {target}.")
    own: Own | str = ""
    if photo is not None:
        own = known.own_map(compute_maps(net, open_photo(photo), [target.layer], "network")[0], target, SOMEBODYS)
    return channel_card(source_of(net), target, own, looks)


def source_of(net: VGG16) -> Source:
    """Where a card's views come from: the files of atlas and shelf; its pictures lie inside it."""
    return Source(net, cache(lambda layer: load_atlas().sheet(layer, net)), _patches)


def _patches(shelf: Shelf, target: Target, count: int) -> list[tuple[Exemplar, str]]:
    exemplars = shelf.exemplars(target, count)
    return [(one, picture_url(atlas_scale_tile(shelf, one, target.layer))) for one in exemplars]


def few(frames: Sequence[Frame]) -> list[Frame]:
    """At most a dozen frames, evenly spaced, the first and the last among them."""
    last, gaps = len(frames) - 1, MOST_FRAMES - 1
    return [frames[round(i * last / gaps)] for i in range(MOST_FRAMES)] if last > gaps else list(frames)


def channel_card(source: Source, target: Target, own: Own | str, looks: Looks, own_credit: str = "") -> Card:
    """The card of a convolution's channel, already checked; `own_credit` is of the photo in `own`."""
    layer, channel = target.layer, known.channel(source, target)
    about = f"""One of the {layer.channels} filters of {layer.name}, a layer of VGG16, which was trained to name what is
in a photo. Each of its values sees {layer.receptive_field} px of the photo's 224 px."""
    credits = [] if isinstance(channel.best, str) else [credited(exemplar) for exemplar, _ in channel.best.tiles]
    credits += [html.escape(own_credit)] if own_credit else []
    preview = "" if isinstance(channel.grown, str) else channel.grown[1]
    return _card(Shown("one of its filters", str(target), about, channel.view(own), credits, preview, target), looks)


@dataclass(frozen=True)
class Seen:
    """What a card of a place shows, computed already."""

    places: Places
    at: Dictionary
    everywhere: Everywhere
    leads: Why  # of the leading channel at its cell


def place_card(source: Source, seen: Seen, looks: Looks, photo_credit: str = "") -> Card:
    """The card of a place of a photo."""
    layer, at, photo = seen.places.layer, seen.at, seen.places.photo
    about = f"""What {layer.name}, a layer of VGG16, sees at one place of a photo: those of its {layer.channels} filters
that stand out there, each with the picture grown for it and the photo that excites it most."""
    named = known.named_at(source, layer, at)
    credits = [html.escape(photo_credit)] if photo_credit else []
    credits += [credited(one.best[0]) for one in named if one.best]
    view = known.place(source, seen.places, at, named, seen.everywhere, seen.leads)
    name = f"{layer.name}, row {at.row}, column {at.column}"
    return _card(
        Shown("one place of a photo", name, about, view, credits, picture_url(photo), leading(layer, at)), looks
    )


def leading(layer: Layer, place: Dictionary) -> Target:
    """The channel that leads at a place."""
    return Target(layer, {place.channels[0].channel: 1.0})


def _card_of_place(net: VGG16, layer: Layer, photo: Photo, row: int | None, column: int | None, looks: Looks) -> Card:
    asked_cell(row, column, [grid(layer)] * 2)
    picture = open_photo(photo)
    places = find_places(net, compute_maps(net, picture, [layer], "network")[0])
    place = look_up(places, row, column, NAMED)
    cell = place.cell[0], place.cell[1]
    leads = explain(net, trace(net, picture, layer), leading(layer, place), cell, TREE_COUNT, TREE_DEPTH)
    return place_card(source_of(net), Seen(places, place, known.leading_everywhere(net, picture), leads), looks)


def _card(shown: Shown, looks: Looks) -> Card:
    figure = card_figure(shown, looks)
    return Card(shown.name, card_file(shown, looks, figure), figure)
