"""A card: one channel, place or concept as an HTML file that needs no server, or as a <figure> for any page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from cnnvis.analysis.maps import Maps, compute_maps
from cnnvis.analysis.places import check_places, find_places, grid, look_up
from cnnvis.analysis.why import explain, trace
from cnnvis.checks import asked_cell
from cnnvis.errors import SettingError
from cnnvis.maximization.ascent import Snapshot
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.prepared.atlas import load_atlas
from cnnvis.prepared.concepts import concept_layer, read_concepts
from cnnvis.prepared.shelf import Exemplar, Shelf, atlas_scale_tile
from cnnvis.views import known
from cnnvis.views.card import Frame, Looks, Shown, card_figure, card_file, few, of_channel, of_concept, of_place
from cnnvis.views.channel import Best, Own
from cnnvis.views.exemplars import BEST_PHOTOS
from cnnvis.views.html import picture_url
from cnnvis.views.known import Seen, Source
from cnnvis.views.still import check_live

THEMES = ("auto", "light", "dark")
NAMED, TREE_COUNT, TREE_DEPTH = 6, 3, 2  # channels of a place; of its explanation: inputs at each node, layers back
SOMEBODYS = "a photo of the author's"


@dataclass(frozen=True, repr=False)
class Card:
    """One channel, place or concept as HTML that needs no server."""

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
    concept: int | None = None,
    photo: Photo = None,
    grown: Sequence[Snapshot] = (),
    theme: str = "auto",
    live: str = "",
) -> Card:
    """Make a card of a convolution's channel, of a place of a photo, or of a concept: a page that needs no server.

    `place` is a photo, a row and a column of the grid; None for both: the most unusual place. `photo` is laid into the
    card of a channel or concept with its map. `grown` are snapshots of `maximize`, which the reader can wind back.
    `theme` is auto, light or dark; `live` the address of a page where what the card shows can be tried.
    Raises LayerError, ChannelError, SettingError, PhotoError, and for a place ShelfError, for a concept ConceptsError.
    """
    frames = few([Frame(f"step {one.step} of {one.steps}", one.picture) for one in grown])
    net, looks = load_vgg16(), Looks(SettingError.check("theme", theme, THEMES), check_live(live), frames)
    source = Source(net, cache(lambda layer: load_atlas().sheet(layer, net)), _of_channel)
    if [channel is None, place is None, concept is None].count(False) > 1 or (place and (photo is not None or frames)):
        raise SettingError("a card shows a channel, a concept, or a place of a photo: leave out everything else.")
    if place is not None:
        return made_card(of_place(source, _seen(net, check_places(net, layer), *place)), looks)
    if concept is not None:
        return made_card(_of_concept(source, layer, concept, photo, grown), looks)
    target = net.architecture.target(layer, channel, kind="conv")
    _check_grown(grown, target)
    own: Own | str = ""
    if photo is not None:
        own = known.own_map(_maps(net, open_photo(photo), target.layer), target, SOMEBODYS)
    return made_card(of_channel(known.channel(source, target), own), looks)


def made_card(shown: Shown, looks: Looks) -> Card:
    """The card that shows something already drawn."""
    figure = card_figure(shown, looks)
    return Card(shown.name, card_file(shown, looks, figure), figure)


def _of_concept(source: Source, layer: str, number: object, photo: Photo, grown: Sequence[Snapshot]) -> Shown:
    net = source.net
    convolution = concept_layer(net.architecture, layer)
    found = read_concepts(net, convolution)
    concept = found[number]
    own: Own | str = ""
    _check_grown(grown, found.target(concept.concept, convolution))
    if photo is not None:
        maps = known.concept_maps(found, _maps(net, open_photo(photo), convolution))
        own = known.own_concept(found, concept.concept, maps, SOMEBODYS)
    tiles = _patches(found.shelf, convolution, concept.exemplars[:BEST_PHOTOS])
    return of_concept(source, found, concept.concept, Best(tiles, len(found.shelf.photos)), own)


def _seen(net: VGG16, layer: Layer, photo: Photo, row: int | None, column: int | None) -> Seen:
    """What is known of a place of a photo."""
    asked_cell(row, column, [grid(layer)] * 2)
    picture = open_photo(photo)
    places = find_places(net, _maps(net, picture, layer))
    place = look_up(places, row, column, NAMED)
    cell = place.cell[0], place.cell[1]
    leads = explain(net, trace(net, picture, layer), known.leading(layer, place), cell, TREE_COUNT, TREE_DEPTH)
    return Seen(places, place, known.leading_everywhere(net, picture), leads)


def _maps(net: VGG16, photo: Image.Image, layer: Layer) -> Maps:
    return compute_maps(net, photo, [layer], "network")[0]


def _of_channel(shelf: Shelf, target: Target, count: int) -> list[tuple[Exemplar, str]]:
    return _patches(shelf, target.layer, shelf.exemplars(target, count))


def _patches(shelf: Shelf, layer: Layer, exemplars: Sequence[Exemplar]) -> list[tuple[Exemplar, str]]:
    return [(exemplar, picture_url(atlas_scale_tile(shelf, exemplar, layer))) for exemplar in exemplars]


def _check_grown(grown: Sequence[Snapshot], target: Target) -> None:
    """Raise SettingError for pictures of something else."""
    if any(snapshot.target != target for snapshot in grown):
        raise SettingError(f"the pictures in `grown` are of {grown[0].target}: give those of {target}.")
