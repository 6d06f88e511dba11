"""What the page knows of one filter, for the view of it: its picture, the photos that excite it, and its wiring."""

import numpy as np

from cnnvis.analysis.maps import draw_map
from cnnvis.analysis.wiring import readers, reads
from cnnvis.errors import AtlasError, PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.parts.exemplars import BEST_PHOTOS
from cnnvis.ui.parts.photo import whose
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import find_photo
from cnnvis.views import channel as views
from cnnvis.views.html import picture_url
from cnnvis.views.wiring import readers_row, reads_row

WIRES_BESIDE = 6  # of what it reads, and of what reads it
MAP_PX = 192  # side of the photo with the map laid over it


def channel_view(target: Target, photo: str, concepts: str = "") -> str:
    """Everything about a channel on one screen, as HTML; `photo` is the digest of the visitor's photo.

    `concepts` are those that it takes part in, as HTML.
    """
    target, net = convolution(target), load_vgg16(SHEET_DEVICE)
    rows = (
        reads_row(net, target, reads(net, target)[:WIRES_BESIDE], cache.tile_url),
        readers_row(net, target, readers(net, target)[:WIRES_BESIDE], cache.tile_url),
    )
    return views.channel_view(target, grown(target), _best(target), _own(target, photo), rows, concepts)


def grown(target: Target) -> tuple[AtlasSheet, str] | str:
    """The atlas's sheet and the address of a channel's picture; or why there is none."""
    try:
        sheet = cache.atlas_sheet(target.layer)
    except AtlasError as error:
        return sentence(error)
    return sheet, picture_url(sheet.tile(target.number), "webp")


def _best(target: Target) -> views.Best | str:
    """The photos of the shelf that excite the channel most, at the picture's scale; or why there are none."""
    try:
        shelf = load_shelf()
        tiles = cache.scaled_exemplars(shelf, target, BEST_PHOTOS)
    except ShelfError as error:
        return sentence(error)
    return views.Best([(exemplar, picture_url(jpeg)) for exemplar, jpeg in tiles], len(shelf.photos))


def _own(target: Target, digest: str) -> views.Own | str:
    """The visitor's photo with the map laid over it; or why not, "" if they have chosen none."""
    try:
        photo = find_photo(digest)
        if photo is None:
            return ""
        maps = cache.feature_maps(load_vgg16(SHEET_DEVICE), photo, target.layer, "network")
    except PhotoError as error:
        return sentence(error)
    drawn = draw_map(maps, target.number)
    overlay = picture_url(drawn.overlay.resize((MAP_PX, MAP_PX)))
    return views.Own(overlay, whose(photo), drawn.max, stronger_photos(target, drawn.max))


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
