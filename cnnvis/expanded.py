"""Expanded weights: a filter of conv1_2 or conv2_1 as one filter on the picture itself, with the ReLUs left out.

Voss et al., "Visualizing Weights", Distill 2021. Pooling counts as a mean. Beware of what cancels: without the ReLUs, a
strong response to one thing and its suppression elsewhere may add up to nothing.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv_transpose2d

from cnnvis.errors import LayerError
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.vgg import VGG16, architecture_of, conv_module, exact
from cnnvis.pictures.images import GREY, Pictured, colour

EXPANDED = ("conv1_2", "conv2_1")
WEIGHT_PX = 24


@dataclass(frozen=True, repr=False)
class Expanded(Pictured):
    """What a filter weighs in the normalised picture, were there no ReLUs before it."""

    picture: Image.Image  # in colour: mid-grey is zero, full colour ± scale
    layer: str
    channel: int
    scale: float
    weights: Tensor  # (3, side, side)


def expanded(net: VGG16, layer: str, channel: int) -> Expanded:
    """Expand a filter of conv1_2 (5 × 5 px) or conv2_1 (10 × 10 px). Raises LayerError, ChannelError."""
    target = architecture_of(net).target(layer, channel, kind="conv")
    if target.layer.name not in EXPANDED:
        raise LayerError(f"layer {target.layer.name!r} cannot be expanded: choose {' or '.join(EXPANDED)}.")
    return draw_expanded(net, target)


def draw_expanded(net: VGG16, target: Target) -> Expanded:
    """`expanded` for a target already checked."""
    weights = expand(net, target)
    scale = float(weights.abs().max())
    pixels = colour((0.5 + weights / (2 * (scale or 1.0))).permute(1, 2, 0), GREY)[..., 0]
    large = np.repeat(np.repeat(pixels, WEIGHT_PX, 0), WEIGHT_PX, 1)
    return Expanded(Image.fromarray(large), target.layer.name, target.number, scale, weights)


def expand(net: VGG16, target: Target) -> Tensor:
    """A filter's weights on the normalised picture, (3, side, side): its field without padding, ReLUs left out."""
    weights = conv_module(net, target.layer).weight[target.number][None].float().cpu()
    for layer in reversed(_before(net, target.layer)):
        if layer.kind == "pool":  # as a mean: a quarter of the weight on each of its 2 × 2 cells
            weights = weights.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
        elif layer.kind == "conv":
            with exact(weights.device):
                weights = conv_transpose2d(weights, conv_module(net, layer).weight.float().cpu())
    return weights[0]


def _before(net: VGG16, layer: Layer) -> list[Layer]:
    layers = net.architecture.layers
    return list(layers[: layers.index(net.architecture.convolution_of(layer))])
