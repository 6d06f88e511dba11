"""How a filter is applied, number by number: the window, the kernels, their products, the sum, the bias, the ReLU.

What is worked out here by hand is set beside the same number in the network's own feature map.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from cnnvis.errors import SettingError
from cnnvis.images import (
    HEAT,
    PHOTO_SIDE,
    SHEET_BACKGROUND,
    Photo,
    colour,
    crop_like_training,
    open_photo,
    signed,
    stretch,
    to_tensor,
)
from cnnvis.vgg import channels_of, check_channel, convolution, cut, exact, find_layer, whole_number

PANEL_PX, GAP_PX = PHOTO_SIDE, 12
BANDS, STOPS = 8, 12  # the window sweeps this many bands, stopping this often in each
WINDOW_COLOUR, LEAST_WINDOW_PX = (255, 140, 0), 7


@dataclass(frozen=True)
class Applied:
    """A convolution's filter over one photo: everything that its map is made of."""

    layer: str
    channel: int
    photo: Image.Image  # 224 px, as the network sees it
    inputs: Tensor  # (C, H, W), what the filter slides over: the normalised photo, or the maps of the layer before
    kernels: Tensor  # (C, 3, 3), the filter
    bias: float
    map: Tensor  # (H, W), the network's own, before ReLU

    @property
    def strongest(self) -> int:
        """The input channel whose kernel is largest (L2 norm)."""
        return int(self.kernels.flatten(1).norm(dim=1).argmax())

    def at(self, row: int, column: int) -> "Sum":
        """The arithmetic of one value of the map. Raises SettingError."""
        place = []
        for name, value, count in (("row", row, self.map.shape[0]), ("column", column, self.map.shape[1])):
            number = whole_number(value)
            if number is None or not 0 <= number < count:
                raise SettingError.outside(name, value, "a whole number from 0", count - 1)
            place.append(number)
        down, right = place
        # Beyond the edge the network pads with zeros, of what is normalised: not with black.
        padded = nn.functional.pad(self.inputs, (1, 1, 1, 1))
        window = padded[:, down : down + 3, right : right + 3].double()
        return Sum(self.layer, self.channel, down, right, window, self.kernels.double(), self.bias,
                   float(self.map[down, right]))  # fmt: skip


@dataclass(frozen=True)
class Sum:
    """One value of a feature map, worked out by hand in double precision."""

    layer: str
    channel: int
    row: int
    column: int
    window: Tensor  # (C, 3, 3), what the filter covers here
    kernels: Tensor  # (C, 3, 3)
    bias: float
    network: float  # the same value in the network's own map

    @property
    def products(self) -> Tensor:
        """Each number of the window times the weight that lies on it, (C, 3, 3)."""
        return self.window * self.kernels

    @property
    def by_input(self) -> Tensor:
        """What each input channel adds, (C,)."""
        return self.products.sum((1, 2))

    @property
    def total(self) -> float:
        """All products and the bias: the value before ReLU."""
        return float(self.products.sum()) + self.bias

    @property
    def rectified(self) -> float:
        """The value behind ReLU."""
        return max(0.0, self.total)


def apply_filter(net: nn.Sequential, photo: Photo, layer: str, channel: int) -> Applied:
    """Lay one filter of a convolution over a photo. Raises LayerError, ChannelError, PhotoError."""
    name = find_layer(layer, kind="conv").name
    number = check_channel(channel, channels_of(net, name), name)
    seen = crop_like_training(open_photo(photo))
    module = convolution(net, name)
    device = next(net.parameters()).device
    with exact(device), torch.inference_mode():
        inputs = cut(net, name)[:-1](to_tensor(seen).to(device))
        answer = module(inputs)[0, number]
    return Applied(
        layer=name,
        channel=number,
        photo=seen,
        inputs=inputs[0].float().cpu(),
        kernels=module.weight[number].float().cpu(),
        bias=0.0 if module.bias is None else float(module.bias[number]),
        map=answer.float().cpu(),
    )


def sliding(applied: Applied) -> list[Image.Image]:
    """The filter sliding over what it reads, and the map growing beside it, as pictures; the last has the whole map.

    It reads the photo at conv1_1, elsewhere many maps at once: shown is the one of its strongest input channel. The map
    is blue below zero and orange above. The filter really stops at every value; here at a few, or it would take hours.
    """
    height, width = applied.map.shape
    left = _reading(applied)
    right = map_picture(applied)
    # Ends of the bands and of the stops in cells of the map; small maps have fewer cells than stops.
    rows = np.unique(np.linspace(0, height, BANDS + 1).round().astype(int))
    columns = np.unique(np.linspace(0, width, STOPS + 1).round().astype(int))
    frames = []
    for top, bottom in pairwise(rows):
        for begin, end in pairwise(columns):
            grown = Image.new("RGB", right.size, SHEET_BACKGROUND)
            for box in ((0, 0, width, top), (0, top, end, bottom)):
                place = _pixels(box, width, height)
                grown.paste(right.crop(place), place)
            middle = (int(top + bottom - 1) // 2, int(begin + end - 1) // 2)
            frames.append(_side_by_side(with_window(left, middle, (height, width)), grown))
    return [*frames, _side_by_side(left, right)]


def map_picture(applied: Applied) -> Image.Image:
    """The whole map before ReLU, 224 px, zero in the middle of the colours."""
    colours = signed(applied.map, float(applied.map.abs().max()))
    return Image.fromarray(colours).resize((PANEL_PX, PANEL_PX), Image.Resampling.NEAREST)


def _reading(applied: Applied) -> Image.Image:
    if applied.layer == "conv1_1":
        return applied.photo
    values = applied.inputs[applied.strongest]
    picture = Image.fromarray(colour(stretch(values, values.min(), values.max()), HEAT))
    return picture.resize((PANEL_PX, PANEL_PX), Image.Resampling.NEAREST)


def _pixels(box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """Cells of the map, left, top, right and bottom, as px of its panel."""
    left, top, right, bottom = (
        round(int(edge) * PANEL_PX / count) for edge, count in zip(box, (width, height) * 2, strict=True)
    )
    return left, top, right, bottom


def with_window(picture: Image.Image, cell: tuple[int, int], shape: tuple[int, int]) -> Image.Image:
    """A 224 px picture with the window around a cell (row, column) of a map of `shape` on it, larger if need be."""
    (row, column), (height, width) = cell, shape
    left, top, right, bottom = _pixels((column - 1, row - 1, column + 2, row + 2), width, height)
    grow = max(0, LEAST_WINDOW_PX - (right - left)) // 2
    marked = picture.copy()
    edge = (left - grow - 2, top - grow - 2, right + grow + 1, bottom + grow + 1)
    ImageDraw.Draw(marked).rectangle(edge, outline=WINDOW_COLOUR, width=2)
    return marked


def _side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (2 * PANEL_PX + GAP_PX, PANEL_PX), "white")
    both.paste(left, (0, 0))
    both.paste(right, (PANEL_PX + GAP_PX, 0))
    return both
