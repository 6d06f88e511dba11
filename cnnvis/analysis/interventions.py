"""Does an explanation matter? What is left of the value when the channels that it names are silenced everywhere.

Unlike the sums, this claim could fail, so as many random channels of the same layers are silenced for comparison.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cnnvis.analysis.why import Contribution, Why
from cnnvis.analysis.wiring import INPUT
from cnnvis.network.architecture import Target
from cnnvis.network.precision import PLAIN, full_precision
from cnnvis.network.vgg import VGG16, forward, narrowed, up_to
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.version import Recorded

DRAWS = 16
NAMED_DEPTHS = (2, 3)  # layers back whose named channels are silenced


@dataclass(frozen=True)
class Ablated(Recorded):
    """A value before ReLU, and what is left of it when channels it depends on are set to zero everywhere."""

    layer: str
    channel: int
    row: int
    column: int
    value: float
    without: float  # the value without the channels that the explanation names two and three layers back
    without_random: float  # the value without as many random channels of the same layers; the mean of `draws`
    draws: int
    silenced: dict[str, list[int]]


def ablate(net: VGG16, photo: Photo, explanation: Why, draws: int = DRAWS, seed: int = 0) -> Ablated:
    """Silence what an explanation of a value on this photo names; then random channels instead. Raises PhotoError."""
    named = named_channels(explanation)
    draw = random.Random(seed)
    counts = {layer: net.architecture.find(layer).channels for layer in named}
    variants = [named]
    for _ in range(draws):
        variants.append({layer: sorted(draw.sample(range(counts[layer]), len(named[layer]))) for layer in named})
    layer, channel, row, column = explanation.layer, explanation.channel, explanation.row, explanation.column
    without, *others = _run(net, open_photo(photo), layer, variants)[:, channel, row, column].tolist()
    return Ablated(layer, channel, row, column, explanation.value, without, sum(others) / draws, draws, named)


def named_channels(explanation: Why) -> dict[str, list[int]]:
    """The channels that an explanation names two and three layers back, by layer."""
    named: dict[str, set[int]] = {}
    for depth, node in _nodes(explanation.contributions, 1):
        if depth in NAMED_DEPTHS and node.layer != INPUT:
            named.setdefault(node.layer, set()).add(node.channel)
    return {layer: sorted(channels) for layer, channels in named.items()}


def _nodes(inputs: Sequence[Contribution], depth: int) -> Iterator[tuple[int, Contribution]]:
    for node in inputs:
        yield depth, node
        yield from _nodes(node.contributions, depth + 1)


def _run(net: VGG16, photo: Any, layer: str, variants: Sequence[Mapping[str, Sequence[int]]]) -> Tensor:
    """The maps of a layer (variants, channels, H, W), different channels at zero in each; shared until the first."""
    values = to_tensor(crop_like_training(photo)).to(net.device).contiguous(memory_format=torch.channels_last)
    with full_precision(net.device), torch.inference_mode():
        for name, module in up_to(net, layer).named_children():
            values = module(values)
            if name in variants[0]:
                if len(values) < len(variants):
                    values = values.repeat(len(variants), 1, 1, 1)
                for number, channels in enumerate(variants):
                    values[number, list(channels[name])] = 0  # before the ReLU, which leaves zero as it is
        return values.expand(len(variants), -1, -1, -1).cpu()


@dataclass(frozen=True)
class ColourSensitivity(Recorded):
    """A channel's activation on a picture, and on the same picture in other colours of the same brightness.

    Brightness here means the mean of red, green and blue; every pixel keeps it.
    """

    colour: float  # the picture as it is
    grey: float
    once: float  # red is shown as green, green as blue, blue as red
    twice: float
    measure: str  # "maximum" or "mean" of the map, before ReLU in a convolution


def colour_sensitivity(
    net: VGG16, picture: Image.Image, target: Target, measure: str = "maximum", precision: torch.dtype = torch.float32
) -> ColourSensitivity:
    """Measure a channel on a square RGB picture in four colourings: its map's "maximum" (for photos) or "mean"."""
    body, after = narrowed(net, target.layer, list(target.direction))
    weights = torch.tensor(list(target.direction.values()), **PLAIN).to(net.device)
    with full_precision(net.device), torch.inference_mode():
        maps = after(forward(body, recoloured(to_tensor(picture)).to(net.device), precision))
        mixed = torch.einsum("c,nchw->nhw", weights, maps).flatten(1)
    values = mixed.amax(1) if measure == "maximum" else mixed.mean(1)
    colour, grey, once, twice = values.tolist()
    return ColourSensitivity(colour, grey, once, twice, measure)


def recoloured(rgb: Tensor) -> Tensor:
    """A picture (1, 3, H, W) as it is, grey, and with its three colours rotated once and twice, (4, 3, H, W)."""
    grey = rgb.mean(1, keepdim=True).expand_as(rgb)
    return torch.cat([rgb, grey, rgb.roll(1, 1), rgb.roll(2, 1)])
