"""Why a filter answers as it does at one place of a photo: what each channel that it reads adds, several layers back.

Linear algebra on the weights and one pass of the network: a value before ReLU is the sum of nine products for every
input channel, and the bias. Behind a ReLU and a pool, an input is again such a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from cnnvis.analysis.wiring import INPUT, layer_before
from cnnvis.checks import cell_or_largest, whole_between, winner
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.precision import full_precision
from cnnvis.network.vgg import VGG16, architecture_of, bias_of, conv_module, up_to
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.version import Recorded

MOST_COUNT, MOST_DEPTH = 16, 4


@dataclass(frozen=True)
class Contribution:
    """What one input channel adds to a value, and where its own value comes from.

    `value`, `bias` and `rest` are of the input's own convolution, before ReLU, in the cell whose product is largest;
    behind a pool in the cell that won it. value = bias + rest + all that `contributions` add.
    """

    layer: str  # "input" for the normalised red, green and blue
    channel: int
    adds: float  # all nine products
    row: int
    column: int
    value: float
    bias: float
    rest: float
    contributions: list["Contribution"]  # none where nothing is added, and where the tree ends


@dataclass(frozen=True)
class Why(Recorded):
    """Why a filter has this value at this place. value = bias + rest + all that `contributions` add."""

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
    """What one photo made of a layer and the convolutions before it, as far back as an explanation goes."""

    maps: Mapping[str, Tensor]  # (channels, H, W) before ReLU, by convolution
    inputs: Mapping[str, Tensor]  # (channels, H, W), what each convolution read


def trace(net: VGG16, photo: Image.Image, layer: Layer) -> Trace:
    """Pass a photo through the network once, in float32, and keep what the last convolutions read and made."""
    maps, inputs = {}, {}
    convolutions = net.architecture.convolutions[: layer.depth][-MOST_DEPTH - 1 :]  # all of them would be 90 MB
    values = to_tensor(crop_like_training(photo)).to(net.device).contiguous(memory_format=torch.channels_last)
    with full_precision(net.device), torch.inference_mode():
        for name, step in up_to(net, layer.convolution).named_children():
            made = step(values)
            if name in convolutions:
                maps[name], inputs[name] = made[0].cpu(), values[0].cpu()
            values = made
    return Trace(maps, inputs)


def explain(
    net: VGG16, found: Trace, target: Target, place: tuple[int | None, int | None], count: int, depth: int
) -> Why:
    """`why` for a trace. Raises SettingError for a place outside the map."""
    shown = found.maps[target.layer.name][target.number]
    row, column = cell_or_largest(*place, shown)
    bias, rest, contributions = _Tree(net, found, count).reasons(target, row, column, depth)
    return Why(target.layer.name, target.number, row, column, float(shown[row, column]), bias, rest, contributions)


@dataclass(frozen=True)
class _Tree:
    """Follows values back through a trace, naming `count` inputs at every node."""

    net: VGG16
    found: Trace
    count: int

    def reasons(self, target: Target, row: int, column: int, depth: int) -> tuple[float, float, list[Contribution]]:
        """The bias of a value, what its unnamed inputs add, and its named ones, `depth` layers back."""
        module = conv_module(self.net, target.layer)
        products = (
            _window(self.found.inputs[target.layer.name], row, column).double()
            * module.weight[target.number].double().cpu()
        )
        sums = products.sum((1, 2))
        named = sums.abs().argsort(descending=True, stable=True)[: self.count].tolist()
        contributions = []
        for channel in named:
            down, right = divmod(int(products[channel].abs().argmax()), 3)
            cell = max(0, row + down - 1), max(0, column + right - 1)  # outside only where nothing is added
            contributions.append(self.node(target.layer, channel, float(sums[channel]), cell, depth))
        rest = float(sums.sum() - sums[named].sum())
        return bias_of(module, target.number), rest, contributions

    def node(self, reader: Layer, channel: int, adds: float, cell: tuple[int, int], depth: int) -> Contribution:
        """One input of a convolution, at the cell of what it reads."""
        layer = layer_before(self.net, reader)
        if layer is None:
            value = float(self.found.inputs[reader.name][channel][cell])
            return Contribution(INPUT, channel, adds, *cell, value, 0.0, value, [])
        maps, read = self.found.maps[layer.name], self.found.inputs[reader.name]
        row, column = cell if maps.shape[1] == read.shape[1] else winner(maps[channel], *cell)
        value = float(maps[channel, row, column])
        if adds and depth > 1:
            return Contribution(
                layer.name, channel, adds, row, column, value,
                *self.reasons(Target(layer, {channel: 1.0}), row, column, depth - 1),
            )  # fmt: skip
        bias = bias_of(conv_module(self.net, layer), channel)
        return Contribution(layer.name, channel, adds, row, column, value, bias, value - bias, [])


def _window(inputs: Tensor, row: int, column: int) -> Tensor:
    """What a filter covers at a place, (channels, 3, 3); zeros beyond the edge, as the network pads."""
    top, left = max(0, row - 1), max(0, column - 1)
    piece = inputs[:, top : row + 2, left : column + 2]
    before_down, before_right = top - (row - 1), left - (column - 1)
    after_down, after_right = 3 - before_down - piece.shape[1], 3 - before_right - piece.shape[2]
    return pad(piece, (before_right, after_right, before_down, after_down))
