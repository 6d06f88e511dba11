"""A layer's atlas as a chooser: all of it, or some of its channels, in any order."""

from collections.abc import Callable, Sequence

from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.sheet import Item, Tiles
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url


def wall(choice: Choice, channels: Sequence[int], note: Callable[[int], str] | None = None, across: int = 0) -> Tiles:
    """Channels of the choice's layer as tiles of the atlas; `note` is what is said of each under the mouse.

    Choosing one keeps the chosen layer, even if that is the ReLU or pool after. Raises AtlasError.
    """
    found = cache.atlas_sheet(choice.layer)
    words = note or (lambda channel: atlas_note(found, channel))
    items = [Item(channel, choice.layer.name, channel, words(channel)) for channel in channels]
    size = found.picture.size
    return Tiles(file_url(atlas_file(choice)), size, found.cell, found.gap, found.columns, items, across)


def atlas_file(choice: Choice) -> str:
    """The path of the atlas's sheet, for the browser. Raises AtlasError, UnavailableError."""
    layer = choice.layer.convolution
    return bytes_file(cache.atlas_webp(choice.layer), f"{layer}-atlas.webp")


def atlas_note(found: AtlasSheet, channel: int) -> str:
    """How strong a channel's picture is."""
    tile = found.tiles[channel]
    return f"robust activation {written(tile.robust, '.1f')}" if tile.fires else "never fires"
