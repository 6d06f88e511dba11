"""Why a filter responds as it does in one cell: what each channel that it reads adds, several layers back.

This takes one pass of the network and linear algebra on the weights: a value before ReLU is the sum of nine products
for every input channel, plus the bias. Behind a ReLU and perhaps a pool, each input is again such a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from cnnvis.analysis.wiring import INPUT, neighbour
from cnnvis.checks import cell_or_largest, whole_between, winner
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.precision import full_precision
from cnnvis.network.vgg import VGG16, architecture_of, bias_of, conv_module, up_to
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.version import Recorded

MOST_COUNT, MOST_DEPTH = 16, 4
Cell = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Contribution:
    """What one input channel adds to a value, and where its own value comes from.

    `value`, `bias` and `rest` belong to the input's own convolution, before ReLU, in the cell whose product is largest,
    or behind a pool in the cell that won it. value = bias + rest + all that `contributions` add.
    """

    layer: str  # "input" for the normalised red, green and blue
    channel: int
    adds: float  # all nine products
    row: int
    column: int
    value: float
    bias: float
    rest: float
    contributions: list["Contribution"]  # empty where nothing is added and where the tree ends


@dataclass(frozen=True)
class Why(Recorded):
    """Why a filter has this value in this cell. value = bias + rest + all that `contributions` add."""

    layer: str
    channel: int
    row: int
    column: int
    value: float  # before ReLU
    bias: float
    rest: float  # what all other input channels add
    contributions: list[Contribution]  # the strongest by absolute value


def why(
    net: VGG16,
    photo: Photo,
    layer: str,
    channel: int | None = None,
    row: int | None = None,
    column: int | None = None,
    count: int = 5,
    depth: int = 3,
) -> Why:
    """Explain one value of a convolution's map on a photo, before ReLU; by default the map's largest.

    `count` (1 to 16) input channels are named at every node, `depth` (1 to 4) layers back; the rest is one number.
    Raises LayerError, ChannelError, PhotoError, SettingError.
    """
    target = architecture_of(net).target(layer, channel, kind="conv")
    count, depth = whole_between("count", count, 1, MOST_COUNT), whole_between("depth", depth, 1, MOST_DEPTH)
    return explain(net, trace(net, open_photo(photo), target.layer), target, (row, column), count, depth)


@dataclass(frozen=True)
class Trace:
    """What a layer and the convolutions before it made of one photo, as far back as an explanation goes."""

    maps: Mapping[str, Tensor]  # (channels, H, W) before ReLU, by convolution
    inputs: Mapping[str, Tensor]  # (channels, H, W), what each convolution read


def trace(net: VGG16, photo: Image.Image, layer: Layer) -> Trace:
    """Pass a photo through the network once, in float32, and keep what the last convolutions read and made."""
    maps, inputs = {}, {}
    convolutions = net.architecture.convolutions[: layer.depth][-MOST_DEPTH - 1 :]  # all of them would be 90 MB
    values = to_tensor(crop_like_training(photo)).to(net.device).contiguous(memory_format=torch.channels_last)
    with full_precision(net.device), torch.inference_mode():
        for name, module in up_to(net, layer.convolution).named_children():
            read, values = values, module(values)
            if name in convolutions:
                maps[name], inputs[name] = values[0].cpu(), read[0].cpu()
    return Trace(maps, inputs)


def explain(
    net: VGG16, traced: Trace, target: Target, cell: tuple[int | None, int | None], count: int, depth: int
) -> Why:
    """`why` for a trace. Raises SettingError for a cell outside the map."""
    shown = traced.maps[target.layer.name][target.number]
    row, column = cell_or_largest(*cell, shown)
    reasons = _Tree(net, traced, count).reasons(target.layer, target.number, (row, column), depth)
    return Why(target.layer.name, target.number, row, column, float(shown[row, column]), *reasons)


@dataclass(frozen=True)
class _Tree:
    """Follows values back through a trace, naming `count` inputs at every node."""

    net: VGG16
    traced: Trace
    count: int

    def reasons(self, layer: Layer, channel: int, cell: Cell, depth: int) -> tuple[float, float, list[Contribution]]:
        """The bias of a value, what its unnamed inputs add, and its named inputs, `depth` layers back."""
        row, column = cell
        module = conv_module(self.net, layer)
        window = _window(self.traced.inputs[layer.name], row, column)
        products = window.double() * module.weight[channel].double().cpu()
        sums = products.sum((1, 2))
        named = sums.abs().argsort(descending=True, stable=True)[: self.count].tolist()
        contributions = []
        for number in named:
            down, right = divmod(int(products[number].abs().argmax()), 3)
            strongest = max(0, row + down - 1), max(0, column + right - 1)  # outside only where nothing is added
            contributions.append(self.node(layer, number, float(sums[number]), strongest, depth))
        return bias_of(module, channel), float(sums.sum() - sums[named].sum()), contributions

    def node(self, reader: Layer, channel: int, adds: float, cell: Cell, depth: int) -> Contribution:
        """One input of a convolution, in the cell of what it reads."""
        layer, read = neighbour(self.net, reader, -1), self.traced.inputs[reader.name]
        if layer is None:
            value = float(read[channel][cell])
            return Contribution(INPUT, channel, adds, *cell, value, 0.0, value, [])
        maps = self.traced.maps[layer.name]
        cell = cell if maps.shape[1] == read.shape[1] else winner(maps[channel], *cell)
        value = float(maps[channel][cell])
        if adds and depth > 1:
            bias, rest, contributions = self.reasons(layer, channel, cell, depth - 1)
            return Contribution(layer.name, channel, adds, *cell, value, bias, rest, contributions)
        bias = bias_of(conv_module(self.net, layer), channel)
        return Contribution(layer.name, channel, adds, *cell, value, bias, value - bias, [])


def _window(inputs: Tensor, row: int, column: int) -> Tensor:
    """What a filter covers around a cell, (channels, 3, 3); zeros beyond the edge, as the network pads."""
    height, width = inputs.shape[1:]
    piece = inputs[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return pad(piece, (int(column == 0), int(column == width - 1), int(row == 0), int(row == height - 1)))
