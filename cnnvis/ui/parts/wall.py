"""A layer's atlas as a chooser: all of it, or some of its channels, in any order."""

from collections.abc import Callable, Sequence

from cnnvis.errors import AtlasError
from cnnvis.network.architecture import Layer
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.sheet import Item, Tiles
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url


def wall(choice: Choice, channels: Sequence[int], note: Callable[[int], str] | None = None, across: int = 0) -> Tiles:
    """Channels of the choice's layer as tiles of the atlas; `note` describes each one under the mouse.

    Choosing one keeps the chosen layer, even if that is the ReLU or pool after. Raises AtlasError.
    """
    sheet = cache.atlas_sheet(choice.layer)
    words = note or (lambda channel: atlas_note(sheet, channel))
    items = [Item(channel, choice.layer.name, channel, words(channel)) for channel in channels]
    src = file_url(atlas_file(choice))
    return Tiles(src, sheet.picture.size, sheet.cell, sheet.gap, sheet.columns, items, across)


def atlas_file(choice: Choice) -> str:
    """The path of the atlas's sheet, for the browser. Raises AtlasError, UnavailableError."""
    return bytes_file(cache.atlas_webp(choice.layer), f"{choice.layer.convolution}-atlas.webp")


def atlas_note(sheet: AtlasSheet, channel: int) -> str:
    """How strong a channel's picture is."""
    tile = sheet.tiles[channel]
    return f"robust activation {written(tile.robust, '.1f')}" if tile.fires else "never fires"


def atlas_tag(layer: Layer, channel: int, alt: str = "", *, px: int = 0) -> str:
    """A channel's picture from the atlas as an <img>; nothing if the atlas has none."""
    try:
        return image_tag(cache.atlas_sheet(layer).tile(channel), alt, px=px)
    except AtlasError:
        return ""
