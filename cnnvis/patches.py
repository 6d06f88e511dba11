"""Where a photo excites a channel most: the pieces of it that single cells of a feature map see."""

import math
from dataclasses import dataclass

from PIL import Image

from cnnvis.features import Maps
from cnnvis.images import Pictured
from cnnvis.vgg import CONVOLUTIONS, check_channel, field


@dataclass(frozen=True, repr=False)
class Patch(Pictured):
    """A piece of the photo: what one cell of a feature map sees, exactly."""

    picture: Image.Image  # black where the cell looks beyond the photo
    layer: str
    channel: int
    value: float  # of the map in that cell
    row: int  # of the cell in the map
    column: int
    box: tuple[int, int, int, int]  # left, top, right, bottom in px of `Maps.photo`; its edges may lie outside


def patches(maps: Maps, channel: int, count: int = 6) -> list[Patch]:
    """The pieces of the photo that excite a channel most, strongest first, none nearer than half its side to another.

    Fewer than `count` where the channel answers in fewer places, none where nothing is above zero.
    Raises ChannelError.
    """
    number = check_channel(channel, len(maps.values), maps.layer.name)
    values = maps.values[number].clone()
    found: list[Patch] = []
    while len(found) < count and (value := float(values.max())) > 0:
        row, column = divmod(int(values.argmax()), values.shape[1])
        box = _seen(maps, row, column)
        found.append(Patch(maps.photo.crop(box), maps.layer.name, number, value, row, column, box))
        near = max(1, (box[2] - box[0]) * values.shape[1] // (2 * maps.photo.width))  # cells in half a patch
        values[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = -math.inf
    return found


def _seen(maps: Maps, row: int, column: int) -> tuple[int, int, int, int]:
    """What one cell sees of the photo, as left, top, right and bottom in px."""
    if maps.pipeline == "network":
        return field(maps.layer, row, column)
    # Convolutions alone: each looks one px further, and nothing is skipped.
    reach = CONVOLUTIONS.index(maps.layer.name) + 1
    return column - reach, row - reach, column + reach + 1, row + reach + 1
