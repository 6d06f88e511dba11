"""Where a photo activates a channel most: the pieces of the photo that the strongest cells of its map see."""

import math
from dataclasses import dataclass

from PIL import Image

from cnnvis.analysis.maps import Maps
from cnnvis.network.architecture import check_channel
from cnnvis.pictures.images import Pictured

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, repr=False)
class Patch(Pictured):
    """The piece of the photo that one cell of a feature map sees, moved inside where the cell sees beyond the photo."""

    picture: Image.Image  # of the receptive field's size
    layer: str
    channel: int
    value: float  # of the map in that cell
    row: int  # of the cell in the map
    column: int
    box: Box  # left, top, right, bottom in px of `Maps.photo`


def patches(maps: Maps, channel: int, count: int = 6) -> list[Patch]:
    """Cut out the pieces of the photo that activate a channel most, strongest first.

    No two are closer than half a patch. There are fewer than `count` if the channel is active in fewer cells, and none
    if nothing is above zero. Raises ChannelError.
    """
    return cut_patches(maps, check_channel(channel, maps.layer), count)


def cut_patches(maps: Maps, channel: int, count: int = 6) -> list[Patch]:
    """`patches` for a channel already checked."""
    values = maps.values[channel].clone()
    strongest: list[Patch] = []
    while len(strongest) < count and (value := float(values.max())) > 0:
        row, column = divmod(int(values.argmax()), values.shape[1])
        box = moved_inside(_seen(maps, row, column), maps.photo.width)
        strongest.append(Patch(maps.photo.crop(box), maps.layer.name, channel, value, row, column, box))
        near = max(1, (box[2] - box[0]) * values.shape[1] // (2 * maps.photo.width))  # cells in half a patch
        values[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = -math.inf
    return strongest


def moved_inside(box: Box, side: int) -> Box:
    """A box of at most `side` px, moved into a picture of that side where it sticks out."""
    left, top, right, bottom = box
    across = max(0, -left) + min(0, side - right)
    down = max(0, -top) + min(0, side - bottom)
    return left + across, top + down, right + across, bottom + down


def _seen(maps: Maps, row: int, column: int) -> Box:
    """What one cell sees of the photo, in px."""
    if maps.pipeline == "network":
        return maps.layer.field(row, column)
    reach = maps.layer.depth  # with convolutions alone, each reaches one px further and nothing is skipped
    return column - reach, row - reach, column + reach + 1, row + reach + 1
