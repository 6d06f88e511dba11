"""A layer's filters: their kernels as pictures, their statistics, their nearest relatives.

A filter has the shape (in_channels, 3, 3): one 3×3 kernel for every channel of the layer before. Only conv1_1, whose
three input channels are red, green and blue, can be shown in colour; deeper filters are looked at one kernel at a time.
"""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from cnnvis.errors import SettingError
from cnnvis.images import GREY, Pictured, Pixels, colour, columns_for, contact_sheet, signed, stretch
from cnnvis.vgg import check_channel, convolution, find_layer

VIEWS = ("auto", "rgb", "signed", "gray")
NEAR_ZERO = 0.01  # of the layer's largest weight: what counts as near zero in `sparsity`
FULL_COLOUR = 0.995  # this share of a layer's weights lies within the signed scale; at the largest all would be pale
WEIGHT_PX = 16  # px for one weight on a sheet of all filters
GAP_PX = 4


@dataclass(frozen=True, repr=False)
class FilterSheet(Pictured):
    """All filters of a layer on one contact sheet; tile i is channel i."""

    picture: Image.Image
    layer: str
    view: str  # "rgb", "signed" or "gray"; never "auto"
    input_channel: int  # whose kernels are shown; without meaning for "rgb"
    channels: int
    columns: int
    cell: int  # px from one tile to the next, the gap included
    gap: int  # px of each cell, right and below, that belong to no tile
    scale: float | None  # weights of ±scale get the strongest colours; None where each kernel has its own range
    norm: list[float]  # L2 norm of each whole filter
    mean: list[float]  # mean weight of each whole filter
    sparsity: list[float]  # share of each filter's weights below 1 % of the layer's largest

    def record(self) -> dict[str, Any]:
        """Everything but the picture, as plain values."""
        return {name: value for name, value in vars(self).items() if name != "picture"}


@dataclass(frozen=True, repr=False)
class Filter(Pictured):
    """One filter: its strongest kernels, its statistics, and the filters of its layer most like it."""

    picture: Image.Image  # conv1_1: the filter in colour; deeper: its strongest kernels, strongest first
    layer: str
    channel: int
    input_channels: list[int]  # which kernels the picture shows, in its order; conv1_1: [0, 1, 2]
    scale: float  # weights of ±scale get the strongest colours
    bias: float
    norm: float
    mean: float
    sparsity: float
    nearest: list[tuple[int, float]]  # (channel, cosine similarity of the weights), most similar first


def filter_sheet(net: nn.Sequential, layer: str, view: str = "auto", input_channel: int = 0) -> FilterSheet:
    """Every filter of a convolution as a 3×3 picture.

    Views: `rgb` shows conv1_1's filters in colour, mid-grey being zero, one scale for the whole layer;
    `signed` shows the kernels of one input channel, blue below zero, orange above, one scale for the whole layer
    (the few weights beyond it, half a percent, are drawn in its strongest colour);
    `gray` shows the same kernels, each stretched from its own smallest to its own largest weight, as the original
    notebook does. `auto` is rgb at conv1_1, else signed.
    Raises LayerError, ChannelError, SettingError.
    """
    name = find_layer(layer, kind="conv").name
    if view not in VIEWS:
        raise SettingError.not_one_of("view", view, VIEWS)
    if view == "auto":
        view = "rgb" if name == "conv1_1" else "signed"
    if view == "rgb" and name != "conv1_1":
        raise SettingError(f"view 'rgb' fits conv1_1 alone, not {name}: choose signed or gray.")
    weights = convolution(net, name).weight.float().cpu()
    number = check_channel(input_channel, weights.shape[1], name, "input_channel")
    norm, mean, sparsity = _statistics(weights)
    columns = columns_for(len(weights))
    if view == "rgb":
        scale = _largest(weights)
        tiles = _colour_tiles(weights, scale)
    else:
        scale = float(weights.abs().flatten().quantile(FULL_COLOUR))
        tiles = _kernel_tiles(weights[:, number], view, scale)
    return FilterSheet(
        picture=contact_sheet(_enlarge(tiles, WEIGHT_PX), columns, GAP_PX),
        layer=name,
        view=view,
        input_channel=number,
        channels=len(weights),
        columns=columns,
        cell=3 * WEIGHT_PX + GAP_PX,
        gap=GAP_PX,
        scale=None if view == "gray" else scale,
        norm=norm.tolist(),
        mean=mean.tolist(),
        sparsity=sparsity.tolist(),
    )


def one_filter(net: nn.Sequential, layer: str, channel: int, kernels: int = 16, nearest: int = 8) -> Filter:
    """One filter of a convolution, large; deeper than conv1_1 as its strongest `kernels` (by L2 norm).

    Raises LayerError, ChannelError.
    """
    name = find_layer(layer, kind="conv").name
    kernels = max(1, kernels)
    weights = convolution(net, name).weight.float().cpu()
    number = check_channel(channel, len(weights), name)
    bias = convolution(net, name).bias
    norm, mean, sparsity = _statistics(weights)
    mine = weights[number]
    if name == "conv1_1":
        shown, scale = torch.arange(3), _largest(weights)
        picture = contact_sheet(_enlarge(_colour_tiles(mine[None], scale), 80), 1, 0)
    else:
        shown = mine.flatten(1).norm(dim=1).argsort(descending=True)[:kernels]
        scale = _largest(mine)
        tiles = _enlarge(_kernel_tiles(mine[shown], "signed", scale), 20)
        picture = contact_sheet(tiles, columns_for(len(tiles)), GAP_PX)
    return Filter(
        picture=picture,
        layer=name,
        channel=number,
        input_channels=shown.tolist(),
        scale=scale,
        bias=0.0 if bias is None else float(bias[number]),
        norm=float(norm[number]),
        mean=float(mean[number]),
        sparsity=float(sparsity[number]),
        nearest=_nearest(weights, number, nearest),
    )


def _largest(weights: Tensor) -> float:
    return float(weights.abs().max())


def _statistics(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """L2 norm, mean and share of near-zero weights of each filter of (out, in, 3, 3), each of shape (out,)."""
    flat = weights.flatten(1)
    near_zero = flat.abs() < NEAR_ZERO * flat.abs().max()
    return flat.norm(dim=1), flat.mean(dim=1), near_zero.float().mean(dim=1)


def _nearest(weights: Tensor, channel: int, count: int) -> list[tuple[int, float]]:
    flat = normalize(weights.flatten(1), dim=1)
    similarity = flat @ flat[channel]
    similarity[channel] = -2  # below every cosine: a filter is not its own neighbour
    order = similarity.argsort(descending=True)[: min(count, len(flat) - 1)]
    return [(int(other), float(similarity[other])) for other in order]


def _colour_tiles(weights: Tensor, scale: float) -> Pixels:
    """Filters (N, 3, 3, 3) over red, green and blue as colours (N, 3, 3, 3): −scale is 0, zero mid-grey, +scale 1."""
    return colour((0.5 + weights / (2 * scale)).permute(0, 2, 3, 1), GREY)[..., 0]


def _kernel_tiles(kernels: Tensor, view: str, scale: float) -> Pixels:
    """Kernels (N, 3, 3) as colours (N, 3, 3, 3), on the signed ramp or each in its own range of grey."""
    if view == "signed":
        return signed(kernels, scale)
    return colour(stretch(kernels, kernels.amin((1, 2), keepdim=True), kernels.amax((1, 2), keepdim=True)), GREY)


def _enlarge(tiles: Pixels, times: int) -> Pixels:
    """Each weight as a square of `times` × `times` px: a kernel is nine numbers, not a blur."""
    return tiles.repeat(times, axis=1).repeat(times, axis=2)
