"""What the page knows of one filter, for the view of it: its picture, the photos that excite it, and its wiring."""

from cnnvis.errors import PhotoError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.ui.parts.photo import whose
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import find_photo
from cnnvis.views import known
from cnnvis.views.channel import Own
from cnnvis.views.html import Address


def source() -> known.Source:
    """Where the page's views come from: what visitors share."""
    return known.Source(load_vgg16(SHEET_DEVICE), cache.atlas_sheet, cache.scaled_addresses)


def channel_view(target: Target, photo: str, concepts: str = "") -> str:
    """Everything about a channel on one screen, as HTML; `photo` is the digest of the visitor's photo.

    `concepts` are those that it takes part in, as HTML.
    """
    target = convolution(target)
    return known.channel(source(), target).view(own_map(target, photo), concepts)


def grown(target: Target) -> tuple[AtlasSheet, Address] | str:
    """The atlas's sheet and the address of a channel's picture; or why there is none."""
    return known.grown(source(), target)


def own_map(target: Target, digest: str) -> Own | str:
    """The visitor's photo with the map laid over it; or why not, "" if they have chosen none."""
    try:
        photo = find_photo(digest)
        if photo is None:
            return ""
        maps = cache.feature_maps(load_vgg16(SHEET_DEVICE), photo, target.layer, "network")
    except PhotoError as error:
        return error.sentence()
    return known.own_map(maps, target, whose(photo))
