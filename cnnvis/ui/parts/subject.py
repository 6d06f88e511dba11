"""What a visitor looks at: a filter or a concept. Whatever shows one asks here, not knowing which of the two it is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from cnnvis.analysis.maps import Maps
from cnnvis.errors import CnnvisError, PhotoError
from cnnvis.network.architecture import Layer, Target, convolution, find_layer
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.concepts import Concepts
from cnnvis.prepared.shelf import Exemplar, Shelf, load_shelf
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.photo import whose
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.views import channel as channel_views
from cnnvis.views import concept as views
from cnnvis.views import known
from cnnvis.views.card import Shown, of_channel, of_concept
from cnnvis.views.channel import Best, Own
from cnnvis.views.exemplars import BEST_PHOTOS
from cnnvis.views.html import Address, picture_url, quiet
from cnnvis.views.why import sum_in_words, why_tree

Cell = tuple[int, int]
Grown = tuple[Address, str, int]  # the address of the picture grown ahead, what it is, and its seed
_net = partial(load_vgg16, SHEET_DEVICE)


@dataclass(frozen=True)
class Subject(ABC):
    """A filter or a concept of a convolution. Its photos and maps raise ShelfError, SettingError and PhotoError."""

    target: Target  # what an ascent maximises: a ReLU's channel, if that is chosen
    layer: Layer  # the convolution
    number: int  # among its filters or concepts
    kind: ClassVar[str]  # in words
    unit: ClassVar[str]  # and with its number

    @property
    def short(self) -> str:
        """What it is called within its layer."""
        return f"{self.unit} {self.number}"

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.layer.name} {self.short}"

    @abstractmethod
    def view(self, digest: str) -> str:
        """Everything about it on one screen, as HTML; `digest` is of the visitor's photo."""

    @abstractmethod
    def grown(self) -> Grown | None:
        """The picture grown ahead, if there is one on which it fires."""

    @abstractmethod
    def large_picture(self) -> str:
        """The same large, and what it is, or why there is none, as HTML."""

    @property
    @abstractmethod
    def attribute(self) -> str:
        """What makes a button choose it, besides its layer."""

    @abstractmethod
    def best(self) -> tuple[Shelf, Sequence[Exemplar]]:
        """A shelf, and those of its photos that excite it most."""

    @abstractmethod
    def patches(self) -> Best:
        """The same photos, cut to what excites it."""

    @abstractmethod
    def maps(self, photo: StoredPhoto) -> Maps:
        """The maps of a photo: its own is the one with its `number`."""

    @abstractmethod
    def sum_at(self, photo: StoredPhoto, cell: Cell) -> str:
        """What its value at a cell of a photo is made of, as HTML."""

    def why(self, photo: StoredPhoto, cell: Cell) -> str:
        """The same as far back as we show it."""
        return self.sum_at(photo, cell)

    @abstractmethod
    def card(self, own: Own | str, credit: str) -> Shown:
        """What is on a card of it; `credit` is of the photo in `own`."""

    def mixed(self) -> str:
        """The filters that it mixes, as HTML; "" for one filter."""
        return ""

    def own(self, digest: str) -> Own | str:
        """The visitor's photo with its map laid over it; or why not, "" if they have chosen none."""
        try:
            photo = find_photo(digest)
            return self._own(self.maps(photo), whose(photo)) if photo else ""
        except PhotoError as error:
            return error.sentence()

    @abstractmethod
    def _own(self, maps: Maps, whose: str) -> Own: ...


class _Filter(Subject):
    kind, unit = "filter", "channel"

    @property
    def attribute(self) -> str:
        return f'data-channel="{self.number}"'

    @property
    def _filter(self) -> Target:
        return convolution(self.target)

    def view(self, digest: str) -> str:
        return known.channel(cache.source(), self._filter).view(self.own(digest), _concepts_with(self._filter))

    def grown(self) -> Grown | None:
        shown = known.grown(cache.source(), self._filter)
        if isinstance(shown, str) or not (tile := shown[0].tiles[self.number]).fires:
            return None
        return shown[1], f"the atlas's picture of {self.name}", tile.seed

    def large_picture(self) -> str:
        shown = known.grown(cache.source(), self._filter)
        return quiet(shown) if isinstance(shown, str) else channel_views.large_picture(self._filter, *shown)

    def best(self) -> tuple[Shelf, Sequence[Exemplar]]:
        shelf = load_shelf()
        return shelf, shelf.exemplars(self._filter, BEST_PHOTOS)

    def patches(self) -> Best:
        shelf = load_shelf()
        return _addressed(shelf, cache.exemplar_tiles(shelf, self._filter, BEST_PHOTOS))

    def maps(self, photo: StoredPhoto) -> Maps:
        return cache.feature_maps(_net(), photo, self.layer, "network")

    def sum_at(self, photo: StoredPhoto, cell: Cell) -> str:
        words = sum_in_words(_net(), cache.explained(_net(), photo, self._filter, cell, depth=1))
        return f'<p class="quiet">{words}</p>'

    def why(self, photo: StoredPhoto, cell: Cell) -> str:
        explanation = cache.explained(_net(), photo, self._filter, cell)
        return why_tree(_net(), explanation, cache.seen(photo), cache.tile)

    def card(self, own: Own | str, credit: str) -> Shown:
        return of_channel(known.channel(cache.source(), self._filter), own, credit)

    def _own(self, maps: Maps, whose: str) -> Own:
        return known.own_map(maps, self._filter, whose)


@dataclass(frozen=True)
class _Concept(Subject):
    found: Concepts  # all of the layer
    kind = unit = "concept"

    @property
    def name(self) -> str:
        return self.found.named(self.number)

    @property
    def attribute(self) -> str:
        return f'data-of="concept{self.number}"'

    def view(self, digest: str) -> str:
        return views.concept_view(self.found, self.number, self._url, self.patches(), self.own(digest), self._tile)

    def grown(self) -> Grown | None:
        return self._url, self.name, self.found.made["tiles"][self.number]["seed"]

    def large_picture(self) -> str:
        return views.large_picture(self.found, self.number, self._url)

    def best(self) -> tuple[Shelf, Sequence[Exemplar]]:
        return self.found.shelf, self.found.concepts[self.number].exemplars[:BEST_PHOTOS]

    def patches(self) -> Best:
        return _addressed(self.found.shelf, cache.concept_tiles(self.found, self.number, BEST_PHOTOS))

    def maps(self, photo: StoredPhoto) -> Maps:
        return cache.concept_maps(_net(), photo, self.found)

    def sum_at(self, photo: StoredPhoto, cell: Cell) -> str:
        values = cache.feature_maps(_net(), photo, self.layer, "network").values[:, cell[0], cell[1]]
        return views.sum_here(self.found, self.number, values.tolist(), cell, self._tile)

    def card(self, own: Own | str, credit: str) -> Shown:
        return of_concept(cache.source(), self.found, self.number, self.patches(), own, credit)

    def mixed(self) -> str:
        return views.mixture(self.found, self.found.concepts[self.number], self._tile)

    def _own(self, maps: Maps, whose: str) -> Own:
        return known.own_concept(self.found, self.number, maps, whose)

    @property
    def _url(self) -> str:
        return picture_url(self.found.tile(self.number))

    @property
    def _tile(self) -> views.Picture:
        return partial(cache.tile, self.layer)


def _addressed(shelf: Shelf, tiles: Sequence[tuple[Exemplar, bytes]]) -> Best:
    return Best([(exemplar, picture_url(jpeg)) for exemplar, jpeg in tiles], len(shelf.photos))


def filter_of(target: Target) -> Subject:
    """The filter that a channel's maps come from."""
    return _Filter(target, convolution(target).layer, target.number)


def concept_of(found: Concepts, number: object) -> Subject:
    """One of a layer's concepts. Raises SettingError."""
    checked, layer = found.number(number), find_layer(found.layer)
    return _Concept(found.target(checked, layer), layer, checked, found)


def subject_of(choice: Choice) -> Subject:
    """The concept that is chosen, or else the filter.

    Raises LayerError, ConceptsError, SettingError: the layer may not have the concept.
    """
    if choice.concept is None:
        return filter_of(choice.target)
    return concept_of(cache.concepts(choice.layer), choice.concept)


def _concepts_with(target: Target) -> str:
    """The concepts that a channel takes part in, as HTML; "" if its layer has none."""
    try:
        found = cache.concepts(target.layer)
    except CnnvisError:
        return ""  # the wall's lens says why
    return views.concepts_of(found, target.number, lambda number: picture_url(found.tile(number)))
