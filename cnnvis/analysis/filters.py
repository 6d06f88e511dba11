"""The filters of a layer: pictures of their kernels, their statistics, and which are most similar.

A filter has the shape (in_channels, 3, 3): one 3×3 kernel for every channel of the layer before. Only the filters of
conv1_1, whose three input channels are red, green and blue, can be shown in colour. Deeper filters are shown one
kernel at a time.
"""

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv_transpose2d, normalize

from cnnvis.errors import SettingError
from cnnvis.network.architecture import Layer, Target, check_index
from cnnvis.network.precision import full_precision
from cnnvis.network.vgg import VGG16, architecture_of, bias_of, conv_module
from cnnvis.pictures.images import GREY, Pictured, Pixels, colour, columns_for, contact_sheet, signed, stretch

VIEWS = ("auto", "rgb", "signed", "gray")
NEAR_ZERO = 0.01  # of the layer's largest weight: below this, `sparsity` counts a weight as zero
FULL_COLOUR = 0.995  # share of a layer's weights within the signed scale; scaled to the largest, all would look pale
WEIGHT_PX = 16  # px for one weight on a sheet of all filters
LARGE_WEIGHT_PX, KERNEL_PX = 80, 20  # px for one weight of a single filter: in colour, and in each of its kernels
GAP_PX = 4
EXPANDED = ("conv1_2", "conv2_1")  # shallow enough to be drawn over the picture's own pixels
EXPANDED_WEIGHT_PX = 24


@dataclass(frozen=True, repr=False)
class FilterSheet(Pictured):
    """All filters of a layer on one contact sheet; tile i is channel i."""

    picture: Image.Image
    layer: str
    view: str  # "rgb", "signed" or "gray"; never "auto"
    input_channel: int  # whose kernels are shown; "rgb" ignores it
    channels: int
    columns: int
    cell: int  # px from one tile to the next, the gap included
    gap: int  # px between tiles, to the right of each and below it
    scale: float | None  # weights of ±scale get the strongest colours; None if each kernel has its own range
    norm: list[float]  # L2 norm of each whole filter
    mean: list[float]  # mean weight of each whole filter
    sparsity: list[float]  # share of each filter's weights below 1 % of the layer's largest


@dataclass(frozen=True, repr=False)
class Filter(Pictured):
    """One filter: its largest kernels, its statistics, and the most similar filters of its layer."""

    picture: Image.Image  # conv1_1: the filter in colour; deeper: its largest kernels, largest first
    layer: str
    channel: int
    input_channels: list[int]  # the kernels in the picture, in order; conv1_1: [0, 1, 2]
    scale: float  # weights of ±scale get the strongest colours
    bias: float
    norm: float
    mean: float
    sparsity: float
    nearest: list[tuple[int, float]]  # (channel, cosine similarity of the weights), most similar first


def filter_sheet(net: VGG16, layer: str, view: str = "auto", input_channel: int = 0) -> FilterSheet:
    """Draw every filter of a convolution as a 3×3 picture.

    Views: `rgb` shows the filters of conv1_1 in colour; mid-grey is zero, and the layer has one scale.
    `signed` shows the kernels of one input channel, blue below zero and orange above; the layer has one scale, and the
    0.5 % of weights beyond it get its strongest colour.
    `gray` stretches each of those kernels from its own smallest to its own largest weight, as the original
    notebooks (2020) do. `auto` is rgb at conv1_1 and signed elsewhere.
    Raises LayerError, ChannelError, SettingError.
    """
    return draw_filters(net, *check_sheet(net, layer, view, input_channel))


def check_sheet(net: VGG16, layer: str, view: str, input_channel: int) -> tuple[Layer, str, int]:
    """The arguments of `draw_filters`. Raises LayerError, ChannelError, SettingError."""
    convolution = architecture_of(net).find(layer, kind="conv")
    SettingError.check("view", view, VIEWS)
    if view == "rgb" and convolution.depth > 1:
        raise SettingError(f"view 'rgb' is for conv1_1 only, not {convolution.name}: choose signed or gray.")
    inputs = conv_module(net, convolution).in_channels
    return convolution, view, check_index(input_channel, inputs, convolution, "input_channel")


def draw_filters(net: VGG16, layer: Layer, view: str, input_channel: int) -> FilterSheet:
    """Draw the sheet for arguments already checked; a ReLU or pooling layer shows its convolution."""
    weights = conv_module(net, layer).weight.float().cpu()
    if view == "auto":
        view = "rgb" if layer.depth == 1 else "signed"
    if view == "rgb":
        scale = _largest(weights)
        tiles = _colour_tiles(weights, scale)
    else:
        scale = float(weights.abs().flatten().quantile(FULL_COLOUR))
        tiles = _kernel_tiles(weights[:, input_channel], view, scale)
    columns = columns_for(len(weights))
    return FilterSheet(
        picture=contact_sheet(_enlarge(tiles, WEIGHT_PX), columns, GAP_PX), layer=layer.convolution, view=view,
        input_channel=input_channel, channels=len(weights), columns=columns, cell=3 * WEIGHT_PX + GAP_PX, gap=GAP_PX,
        scale=None if view == "gray" else scale, **_statistics(weights),
    )  # fmt: skip


def one_filter(net: VGG16, layer: str, channel: int | None = None, kernels: int = 16, nearest: int = 8) -> Filter:
    """Draw one filter large; deeper than conv1_1, draw its `kernels` largest kernels by L2 norm.

    The record lists its `nearest` most similar filters.
    Raises LayerError, ChannelError.
    """
    target = architecture_of(net).target(layer, channel, kind="conv")
    module, number = conv_module(net, target.layer), target.number
    weights = module.weight.float().cpu()
    mine = weights[number]
    if target.layer.depth == 1:
        shown, scale = torch.arange(3, device="cpu"), _largest(weights)
        picture = contact_sheet(_enlarge(_colour_tiles(mine[None], scale), LARGE_WEIGHT_PX), 1, 0)
    else:
        shown = mine.flatten(1).norm(dim=1).argsort(descending=True)[: max(1, kernels)]
        scale = _largest(mine)
        tiles = _enlarge(_kernel_tiles(mine[shown], "signed", scale), KERNEL_PX)
        picture = contact_sheet(tiles, columns_for(len(tiles)), GAP_PX)
    return Filter(
        picture=picture, layer=target.layer.convolution, channel=number, input_channels=shown.tolist(), scale=scale,
        bias=bias_of(module, number), nearest=most_similar(weights, number, nearest),
        **{name: values[number] for name, values in _statistics(weights).items()},
    )  # fmt: skip


def colour_picture(weights: Tensor) -> Image.Image:
    """Draw a filter over red, green and blue, (3, 3, 3), as 3 × 3 px: mid-grey is zero, on a scale of its own."""
    return Image.fromarray(_colour_tiles(weights[None], _largest(weights) or 1.0)[0])


def _largest(weights: Tensor) -> float:
    return float(weights.abs().max())


def _statistics(weights: Tensor) -> dict[str, list[float]]:
    """For filters (out, in, 3, 3): the L2 norm, the mean and the share of near-zero weights of each, by field name."""
    flat = weights.flatten(1)
    near_zero = (flat.abs() < NEAR_ZERO * flat.abs().max()).float()
    columns = {"norm": flat.norm(dim=1), "mean": flat.mean(dim=1), "sparsity": near_zero.mean(dim=1)}
    return {name: column.tolist() for name, column in columns.items()}


def most_similar(weights: Tensor, channel: int, count: int = 8) -> list[tuple[int, float]]:
    """The filters of a layer, (filters, …), most like one of them, with the cosines of their weights; largest first."""
    flat = normalize(weights.flatten(1), dim=1)
    with full_precision(flat.device):
        similarity = flat @ flat[channel]
    similarity[channel] = -2  # below any cosine: a filter is not its own neighbour
    order = similarity.argsort(descending=True)[: min(count, len(flat) - 1)]
    return [(int(other), float(similarity[other])) for other in order]


def _colour_tiles(weights: Tensor, scale: float) -> Pixels:
    """Filters (N, 3, S, S) over red, green and blue as colours (N, S, S, 3): −scale is black, zero mid-grey."""
    return colour((0.5 + weights / (2 * scale)).permute(0, 2, 3, 1), GREY)[..., 0]


def _kernel_tiles(kernels: Tensor, view: str, scale: float) -> Pixels:
    """Kernels (N, 3, 3) as colours (N, 3, 3, 3): on the signed ramp, or each over its own range of grey."""
    if view == "signed":
        return signed(kernels, scale)
    return colour(stretch(kernels, kernels.amin((1, 2), keepdim=True), kernels.amax((1, 2), keepdim=True)), GREY)


def _enlarge(tiles: Pixels, times: int) -> Pixels:
    """Draw each weight as a square of `times` × `times` px."""
    return tiles.repeat(times, axis=1).repeat(times, axis=2)


@dataclass(frozen=True, repr=False)
class Expanded(Pictured):
    """The weights that a filter would give the normalised picture if there were no ReLUs before it."""

    picture: Image.Image  # in colour: mid-grey is zero, full colour ± scale
    layer: str
    channel: int
    scale: float
    weights: Tensor  # (3, side, side)


def draw_expanded(net: VGG16, target: Target) -> Expanded:
    """Expand a filter of one of the layers EXPANDED: at conv1_2 to 5 × 5 px, at conv2_1 to 10 × 10 px."""
    weights = _expand(net, target)
    scale = _largest(weights)
    pixels = _enlarge(_colour_tiles(weights[None], scale or 1.0), EXPANDED_WEIGHT_PX)[0]
    return Expanded(Image.fromarray(pixels), target.layer.name, target.number, scale, weights)


def _expand(net: VGG16, target: Target) -> Tensor:
    """A filter's weights on the normalised picture, (3, side, side): its field without padding, ReLUs left out."""
    weights = conv_module(net, target.layer).weight[target.number][None].float().cpu()
    layers = net.architecture.layers
    for layer in reversed(layers[: layers.index(net.architecture.convolution_of(target.layer))]):
        if layer.kind == "pool":  # as a mean: a quarter of the weight on each of its 2 × 2 cells
            weights = weights.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        elif layer.kind == "conv":
            with full_precision(weights.device):
                weights = conv_transpose2d(weights, conv_module(net, layer).weight.float().cpu())
    return weights[0]
