"""Results that visitors share: filter sheets, feature maps and classes, each computed once.

Every cache has the network in its key, so another network in the same process gets results of its own.
"""

from functools import lru_cache

from cnnvis.architecture import CLASS, Layer, find_layer
from cnnvis.features import Maps, compute_maps, top_classes
from cnnvis.filters import FilterSheet, draw_filters
from cnnvis.images import encode
from cnnvis.photo import open_photo
from cnnvis.ui.photos import StoredPhoto
from cnnvis.ui.zero import LIGHT_DEVICE
from cnnvis.vgg import VGG16
from cnnvis.weights import load_for

KEPT_SHEETS = 32  # at most 4 MB each
KEPT_MAPS = 8  # at most 26 MB each, in the chain 77 MB
KEPT_CLASSES = 64


@lru_cache(maxsize=KEPT_SHEETS)
def filter_sheet(net: VGG16, layer: Layer, view: str, input_channel: int) -> tuple[FilterSheet, bytes]:
    """All filters of a convolution, and the same sheet as a PNG."""
    sheet = draw_filters(net, layer, view, input_channel)
    return sheet, encode(sheet.picture)


@lru_cache(maxsize=KEPT_MAPS)
def feature_maps(net: VGG16, photo: StoredPhoto, layer: Layer, pipeline: str) -> Maps:
    """All maps of a layer for a photo, with what the layer read. Raises PhotoError."""
    return compute_maps(net, open_photo(photo.path), [layer], pipeline)[0]


@lru_cache(maxsize=KEPT_CLASSES)
def likely_classes(net: VGG16, photo: StoredPhoto) -> list[tuple[str, float]]:
    """The classes that the whole network finds likely. `net` is its convolutional half. Raises PhotoError."""
    return top_classes(load_for(find_layer(CLASS), LIGHT_DEVICE), photo.path)
