"""What the page knows of one concept, for the view of it, and of the concepts that a filter takes part in."""

from functools import partial

from cnnvis.errors import CnnvisError, PhotoError
from cnnvis.network.architecture import Target, find_layer
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.concepts import Concepts
from cnnvis.ui.parts.photo import whose
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.views import concept as views
from cnnvis.views import known
from cnnvis.views.channel import Best, Own
from cnnvis.views.exemplars import BEST_PHOTOS
from cnnvis.views.html import picture_url


def concept_view(found: Concepts, number: int, photo: str) -> str:
    """Everything about a concept on one screen, as HTML; `photo` is the digest of the visitor's photo."""
    tile = partial(cache.tile_url, find_layer(found.layer))
    best, own = best_of(found, number), own_concept(found, number, photo)
    return views.concept_view(found, number, concept_url(found, number), best, own, tile)


def best_of(found: Concepts, number: int) -> Best:
    """The photos that have most of a concept."""
    tiles = [(exemplar, picture_url(jpeg)) for exemplar, jpeg in cache.concept_tiles(found, number, BEST_PHOTOS)]
    return Best(tiles, len(found.shelf.photos))


def concept_target(found: Concepts, number: int) -> Target:
    """What an ascent maximises for a concept."""
    return found.target(number, find_layer(found.layer))


def concept_url(found: Concepts, number: int) -> str:
    """The address of a concept's picture."""
    return picture_url(found.tile(number))


def mixture(found: Concepts, number: int) -> str:
    """The filters that a concept mixes, as HTML."""
    return views.mixture(found, found.concepts[number], partial(cache.tile_url, find_layer(found.layer)))


def concept_here(found: Concepts, number: int, photo: StoredPhoto, cell: tuple[int, int]) -> str:
    """What a concept's value at a cell of a photo is made of, as HTML. Raises PhotoError."""
    layer = find_layer(found.layer)
    values = cache.feature_maps(load_vgg16(SHEET_DEVICE), photo, layer, "network").values[:, cell[0], cell[1]].tolist()
    return views.sum_here(found, number, values, cell, partial(cache.tile_url, layer))


def concepts_of(target: Target) -> str:
    """The concepts that a channel takes part in, as HTML; "" if its layer has none."""
    try:
        found = cache.concepts(target.layer)
    except CnnvisError:
        return ""  # the wall's lens says why
    return views.concepts_of(found, target.number, partial(concept_url, found))


def own_concept(found: Concepts, number: int, digest: str) -> Own | str:
    """The visitor's photo, lit where it has the concept; or why not, "" if they have chosen none."""
    try:
        photo = find_photo(digest)
        if photo is None:
            return ""
        maps = cache.concept_maps(load_vgg16(SHEET_DEVICE), photo, found)
    except PhotoError as error:
        return error.sentence()
    return known.own_concept(found, number, maps, whose(photo))
