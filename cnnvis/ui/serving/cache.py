"""What visitors share: sheets, feature maps and classes, each computed once and kept while there is room.

Every key includes the network, so another network in the same process gets results of its own.
Not `gr.cache` (6.12), which limits each function by itself, and takes a dataclass of megabytes for 56 bytes.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from cachetools import LRUCache, cached
from cachetools.keys import hashkey
from PIL import Image
from torch import Tensor

from cnnvis.analysis.filters import FilterSheet, draw_filters
from cnnvis.analysis.groups import Group, find_groups
from cnnvis.analysis.likeness import correlations, most_alike
from cnnvis.analysis.maps import Maps, MapSheet, compute_maps, draw_sheet, top_classes
from cnnvis.analysis.places import Places, find_places
from cnnvis.analysis.why import Trace, Why, explain, trace
from cnnvis.network.architecture import ARCHITECTURE, CLASS, Layer, Target, find_layer
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_for, load_vgg16
from cnnvis.pictures.images import crop_like_training, encode, smaller
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.atlas import Atlas, AtlasSheet, load_atlas
from cnnvis.prepared.concepts import Concepts, concept_layer, read_concepts
from cnnvis.prepared.quiz import Question, ask
from cnnvis.prepared.shelf import Exemplar, Shelf, atlas_scale_tile, load_shelf, patch_tile
from cnnvis.prepared.tiles import best_photos, small_pieces
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import StoredPhoto
from cnnvis.views import known
from cnnvis.views.html import Address, picture_url
from cnnvis.views.known import Everywhere, leading_everywhere

MAX_CACHE_BYTES = 192_000_000  # of everything together; what was used least recently goes first
BEST_QUALITY = 75  # of the sheet of best photos: at most 350 kB
ATLAS_QUALITY = 60  # of the atlas's sheet for the browser: three times as large, a tile still looks as stored
TREE_COUNT, TREE_DEPTH = 3, 3  # of an explanation: the inputs named at each node, and the layers back

Function = TypeVar("Function", bound=Callable[..., Any])


def size(value: Any) -> int:
    """The bytes that a result takes up, roughly."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, Image.Image):
        return value.width * value.height * len(value.getbands())
    if is_dataclass(value):
        return sum(size(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size, value))
    return sys.getsizeof(value)


_results: LRUCache[Any, Any] = LRUCache(MAX_CACHE_BYTES, size)
_lock = Lock()


def _kept(function: Function) -> Function:
    return cached(_results, partial(hashkey, function.__name__), _lock, info=True)(function)  # type: ignore[return-value]


@_kept
def filter_sheet(net: VGG16, layer: Layer, view: str, input_channel: int) -> tuple[FilterSheet, bytes]:
    """All filters of a convolution, and the same sheet as a PNG."""
    sheet = draw_filters(net, layer, view, input_channel)
    return sheet, encode(sheet.picture)


@_kept
def map_sheet(
    net: VGG16, photo: StoredPhoto, layer: Layer, pipeline: str, order: str, contrast: str
) -> tuple[MapSheet, bytes]:
    """All maps of a layer for a photo on one sheet, and the same as a JPEG. Raises PhotoError."""
    sheet = draw_sheet(feature_maps(net, photo, layer, pipeline), order, contrast)
    return sheet, encode(sheet.picture, "jpeg")


def feature_maps(net: VGG16, photo: StoredPhoto, layer: Layer, pipeline: str) -> Maps:
    """All maps of a layer for a photo, with what the layer read; a ReLU's follow from its convolution's.

    Raises PhotoError.
    """
    if layer.kind == "relu":
        return computed_maps(net, photo, ARCHITECTURE.convolution_of(layer), pipeline).rectified()
    return computed_maps(net, photo, layer, pipeline)


@_kept
def computed_maps(net: VGG16, photo: StoredPhoto, layer: Layer, pipeline: str) -> Maps:
    """The same for a layer that the network itself must compute."""
    return compute_maps(net, open_photo(photo.path), [layer], pipeline)[0]


@_kept
def seen(photo: StoredPhoto) -> Image.Image:
    """The 224 px of a photo that every network sees. Raises PhotoError."""
    return crop_like_training(open_photo(photo.path))


@_kept
def likely_classes(net: VGG16, photo: StoredPhoto) -> list[tuple[str, float]]:
    """The classes that the whole network finds likely; `net` is its convolutional half. Raises PhotoError."""
    return top_classes(load_for(find_layer(CLASS), SHEET_DEVICE), photo.path)


@_kept
def traced(net: VGG16, photo: StoredPhoto, layer: Layer) -> Trace:
    """What a photo made of every convolution up to a layer's. Raises PhotoError."""
    return trace(net, open_photo(photo.path), layer)


def explained(net: VGG16, photo: StoredPhoto, target: Target, cell: tuple[int, int], depth: int = TREE_DEPTH) -> Why:
    """The explanation that the page shows of a cell of a map. Raises PhotoError."""
    return explain(net, traced(net, photo, target.layer), target, cell, TREE_COUNT, depth)


@_kept
def exemplar_tiles(shelf: Shelf, target: Target, count: int) -> list[tuple[Exemplar, bytes]]:
    """A channel's exemplars, each with its patch as a JPEG."""
    return [(exemplar, encode(patch_tile(shelf, exemplar), "jpeg")) for exemplar in shelf.exemplars(target, count)]


@_kept
def scaled_exemplars(shelf: Shelf, target: Target, count: int) -> list[tuple[Exemplar, bytes]]:
    """The same at the scale of the atlas's pictures."""
    return _scaled(shelf, target.layer, shelf.exemplars(target, count))


def _scaled(shelf: Shelf, layer: Layer, exemplars: Iterable[Exemplar]) -> list[tuple[Exemplar, bytes]]:
    return [(exemplar, encode(atlas_scale_tile(shelf, exemplar, layer), "jpeg")) for exemplar in exemplars]


def scaled_addresses(shelf: Shelf, target: Target, count: int) -> list[tuple[Exemplar, str]]:
    """The same with addresses that contain the pictures."""
    return [(exemplar, picture_url(jpeg)) for exemplar, jpeg in scaled_exemplars(shelf, target, count)]


@_kept
def _best_photos(shelf: Shelf, layer: Layer) -> tuple[tuple[int, int], bytes]:
    return _small(best_photos(shelf, layer))


def _small(sheet: Image.Image) -> tuple[tuple[int, int], bytes]:
    return sheet.size, encode(sheet, "webp", quality=BEST_QUALITY)


def best_sheet(layer: Layer) -> tuple[tuple[int, int], bytes]:
    """Every channel's best photo on one sheet, small: its size in px, and the sheet as a WebP. Raises ShelfError."""
    return _best_photos(load_shelf(), layer)


def places(net: VGG16, photo: StoredPhoto, layer: Layer) -> Places:
    """The places of a photo in a convolution: large, but quickly found from its maps. Raises PhotoError."""
    return find_places(net, feature_maps(net, photo, layer, "network"))


@_kept
def grouped(net: VGG16, photo: StoredPhoto, layer: Layer, count: int) -> tuple[list[Group], list[bytes]]:
    """The groups of a photo, and of each the photo, lit where it is, as a JPEG. Raises PhotoError."""
    found = find_groups(places(net, photo, layer), count)
    return found.groups, [encode(found.tile(number), "jpeg") for number in range(len(found.groups))]


@_kept
def leading(net: VGG16, photo: StoredPhoto) -> Everywhere:
    """The leading channels of all places of a photo, in the last layer of each block. Raises PhotoError."""
    return leading_everywhere(net, open_photo(photo.path))


_ask = _kept(ask)
_atlas_sheet = _kept(Atlas.sheet)


def asked(seed: int, layer: Layer, questions: int, reference: str, about: str) -> list[Question]:
    """The questions of a quiz about the shelf in use. Raises ShelfError, ConceptsError, SettingError."""
    if about == "channels":
        return _ask(load_shelf(), seed, layer, questions, reference)
    found = concepts(layer)
    return ask(found.shelf, seed, layer, questions, reference, found)  # quick: their tables are small


def atlas_sheet(layer: Layer) -> AtlasSheet:
    """The atlas's sheet of a layer; a ReLU or pool has its convolution's. Raises AtlasError."""
    return _atlas_sheet(load_atlas(), ARCHITECTURE.convolution_of(layer), load_vgg16(SHEET_DEVICE))


def concepts(layer: Layer) -> Concepts:
    """The concepts of a layer; a ReLU has its convolution's. Raises LayerError, ConceptsError."""
    net = load_vgg16(SHEET_DEVICE)
    return read_concepts(net, concept_layer(net.architecture, layer.convolution))


@_kept
def concepts_jpeg(found: Concepts) -> bytes:
    """Their pictures for the browser."""
    return encode(found.picture, "jpeg")


@_kept
def concept_tiles(found: Concepts, number: int, count: int) -> list[tuple[Exemplar, bytes]]:
    """The exemplars of a concept, each at the scale of its picture as a JPEG."""
    return _scaled(found.shelf, find_layer(found.layer), found.concepts[number].exemplars[:count])


@_kept
def concepts_best(found: Concepts) -> tuple[tuple[int, int], bytes]:
    """Every concept's best photo on one sheet, small: its size in px, and the sheet as a WebP."""
    best = [concept.exemplars[0] for concept in found.concepts]
    return _small(small_pieces(found.shelf, find_layer(found.layer), best))


def concept_maps(net: VGG16, photo: StoredPhoto, found: Concepts) -> Maps:
    """The values of every concept at every cell of a photo, in place of the layer's maps. Raises PhotoError."""
    return known.concept_maps(found, feature_maps(net, photo, net.architecture.find(found.layer), "network"))


def source() -> known.Source:
    """Where the page's views come from."""
    return known.Source(load_vgg16(SHEET_DEVICE), atlas_sheet, scaled_addresses)


def tile(layer: Layer, channel: int) -> Address:
    """The address of the atlas's picture of a channel, small; "" if the atlas has none."""
    return source().tile(layer, channel)


def atlas_webp(layer: Layer) -> bytes:
    """The same as it is stored. Raises AtlasError."""
    return load_atlas().webp(ARCHITECTURE.convolution_of(layer))


def atlas_jpeg(layer: Layer, times: int = 1) -> bytes:
    """The same for the browser, so many times narrower. Raises AtlasError.

    It opens a JPEG five times as fast: a WebP of 512 pictures keeps a core busy while a visitor may already be growing
    one of them.
    """
    return _atlas_jpeg(load_atlas(), ARCHITECTURE.convolution_of(layer), load_vgg16(SHEET_DEVICE), times)


@_kept
def _atlas_jpeg(atlas: Atlas, layer: Layer, net: VGG16, times: int) -> bytes:
    sheet = _atlas_sheet(atlas, layer, net).picture
    return encode(sheet, "jpeg", quality=ATLAS_QUALITY) if times == 1 else smaller(sheet, times)


def alike_on_photos(shelf: Shelf, layer: Layer) -> list[list[tuple[int, float]]] | None:
    """For each channel of a layer, those whose maxima on the photos vary most like its own, with the correlations.

    None if the shelf does not keep all maxima. Raises ShelfError.
    """
    return _alike_on_photos(shelf, ARCHITECTURE.convolution_of(layer))


@_kept
def _alike_on_photos(shelf: Shelf, layer: Layer) -> list[list[tuple[int, float]]] | None:
    maxima = shelf.layer_maxima(layer)
    if maxima is None:
        return None
    likeness = correlations(maxima)
    rows = zip(likeness, most_alike(likeness), strict=True)
    return [[(other, float(row[other])) for other in others] for row, others in rows]
