"""How a filter is applied, number by number: the window, the kernels, their products, the sum, the bias, the ReLU.

The sum worked out here by hand can be compared with the same value in the network's own feature map.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import pad

from cnnvis.analysis.maps import Maps
from cnnvis.analysis.patches import Box
from cnnvis.checks import check_cell
from cnnvis.network.vgg import VGG16, bias_of, conv_module
from cnnvis.pictures.images import HEAT, PHOTO_SIDE, SHEET_BACKGROUND, colour, signed, stretch

PANEL_PX, GAP_PX = PHOTO_SIDE, 12
BANDS, STOPS = 8, 12  # the window moves along this many bands, with this many stops in each
WINDOW_COLOUR, LEAST_WINDOW_PX = (255, 140, 0), 7


@dataclass(frozen=True)
class Applied:
    """A filter laid over one photo: everything that its map is made of."""

    layer: str
    channel: int
    photo: Image.Image  # 224 px, as the network sees it
    inputs: Tensor  # (C, H, W), what the filter slides over: the previous layer's maps; at conv1_1 the normalised photo
    kernels: Tensor  # (C, 3, 3), the filter
    bias: float
    map: Tensor  # (H, W), the network's own, before ReLU

    @property
    def largest_kernel(self) -> int:
        """The input channel whose kernel has the largest L2 norm."""
        return int(self.kernels.flatten(1).norm(dim=1).argmax())

    def at(self, row: int, column: int) -> "Sum":
        """Work out one value of the map. Raises SettingError for a cell outside it."""
        row, column = check_cell(row, column, self.map)
        # Like the network, pad with zeros. At conv1_1 zero is ImageNet's mean colour, not black.
        padded = pad(self.inputs, (1, 1, 1, 1))
        window = padded[:, row : row + 3, column : column + 3].double()
        network = float(self.map[row, column])
        return Sum(self.layer, self.channel, row, column, window, self.kernels.double(), self.bias, network)


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
        """Each number in the window times the weight over it, (C, 3, 3)."""
        return self.window * self.kernels

    @property
    def by_input(self) -> Tensor:
        """What each input channel contributes, (C,)."""
        return self.products.sum((1, 2))

    @property
    def total(self) -> float:
        """All products plus the bias: the value before ReLU."""
        return float(self.products.sum()) + self.bias

    @property
    def rectified(self) -> float:
        """The value after ReLU."""
        return max(0.0, self.total)


def apply_to_maps(net: VGG16, maps: Maps, channel: int) -> Applied:
    """Lay one filter over the photo whose maps have been computed; the network does not run again."""
    module = conv_module(net, maps.layer)
    kernels, bias = module.weight[channel].float().cpu(), bias_of(module, channel)
    return Applied(maps.layer.name, channel, maps.photo, maps.inputs, kernels, bias, maps.values[channel])


def sliding(applied: Applied) -> list[Image.Image]:
    """Draw the filter sliding over its input while the map grows beside it; the last picture has the whole map.

    At conv1_1 the input is the photo. Elsewhere it is many maps; the one with the largest kernel is shown. The map is
    blue below zero and orange above. A real filter stops at every value; this one stops at a few.
    """
    height, width = applied.map.shape
    left, right = _input_picture(applied), map_picture(applied)
    # Where bands and stops end, in cells of the map; a small map has fewer cells than stops.
    rows = np.unique(np.linspace(0, height, BANDS + 1).round().astype(int))
    columns = np.unique(np.linspace(0, width, STOPS + 1).round().astype(int))
    pictures = []
    for top, bottom in pairwise(rows):
        for begin, end in pairwise(columns):
            partial = Image.new("RGB", right.size, SHEET_BACKGROUND)
            for cells in ((0, 0, width, top), (0, top, end, bottom)):
                box = _pixels(cells, width, height)
                partial.paste(right.crop(box), box)
            middle = (int(top + bottom - 1) // 2, int(begin + end - 1) // 2)
            pictures.append(_side_by_side(with_window(left, middle, (height, width)), partial))
    return [*pictures, _side_by_side(left, right)]


def map_picture(applied: Applied) -> Image.Image:
    """Draw the whole map before ReLU at 224 px, zero in the middle of the colours."""
    colours = signed(applied.map, float(applied.map.abs().max()))
    return Image.fromarray(colours).resize((PANEL_PX, PANEL_PX), Image.Resampling.NEAREST)


def _input_picture(applied: Applied) -> Image.Image:
    if applied.layer == "conv1_1":
        return applied.photo
    values = applied.inputs[applied.largest_kernel]
    picture = Image.fromarray(colour(stretch(values, values.min(), values.max()), HEAT))
    return picture.resize((PANEL_PX, PANEL_PX), Image.Resampling.NEAREST)


def _pixels(cells: Box, width: int, height: int) -> Box:
    """Convert a box in cells of a map to px of its panel."""
    left, top, right, bottom = cells
    across, down = PANEL_PX / width, PANEL_PX / height
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def with_window(picture: Image.Image, cell: tuple[int, int], shape: tuple[int, int]) -> Image.Image:
    """Outline the window around a cell (row, column) of a map of `shape` on a 224 px picture, at least 7 px wide."""
    (row, column), (height, width) = cell, shape
    left, top, right, bottom = _pixels((column - 1, row - 1, column + 2, row + 2), width, height)
    margin = max(0, LEAST_WINDOW_PX - (right - left)) // 2
    outline = (left - margin - 2, top - margin - 2, right + margin + 1, bottom + margin + 1)
    marked = picture.copy()
    ImageDraw.Draw(marked).rectangle(outline, outline=WINDOW_COLOUR, width=2)
    return marked


def _side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (2 * PANEL_PX + GAP_PX, PANEL_PX), "white")
    both.paste(left, (0, 0))
    both.paste(right, (PANEL_PX + GAP_PX, 0))
    return both
