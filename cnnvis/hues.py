"""Colour or shape? What is left of a channel's activation when the picture is grey, or its colours change places."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cnnvis.network.architecture import Target
from cnnvis.network.vgg import PLAIN, VGG16, exact, forward, narrowed
from cnnvis.pictures.images import to_tensor
from cnnvis.version import __version__


@dataclass(frozen=True)
class Hues:
    """A channel's activation on a picture, and on the same picture in other colours of the same brightness.

    Brightness here is the mean of red, green and blue, which all of them keep at every pixel.
    """

    colour: float  # the picture as it is
    grey: float
    once: float  # red is shown as green, green as blue, blue as red
    twice: float
    measure: str  # "maximum" or "mean" of the map, before ReLU in a convolution

    def record(self) -> dict[str, Any]:
        """Everything as plain values, with the version of cnnvis."""
        return {**asdict(self), "cnnvis": __version__}


def hues(
    net: VGG16,
    picture: Image.Image,
    target: Target,
    measure: str = "maximum",
    precision: torch.dtype = torch.float32,
) -> Hues:
    """Measure a channel on a square RGB picture in four colourings, by the maximum of its map (photos) or its mean."""
    body, after = narrowed(net, target.layer, list(target.mixture))
    weights = torch.tensor(list(target.mixture.values()), **PLAIN).to(net.device)
    with exact(net.device), torch.inference_mode():
        maps = after(forward(body, recoloured(to_tensor(picture)).to(net.device), precision))
        mixed = torch.einsum("c,nchw->nhw", weights, maps).flatten(1)
    values = mixed.amax(1) if measure == "maximum" else mixed.mean(1)
    colour, grey, once, twice = values.tolist()
    return Hues(colour, grey, once, twice, measure)


def recoloured(rgb: Tensor) -> Tensor:
    """A picture (1, 3, H, W) as it is, grey, and with its colours moved on by one and by two places, (4, 3, H, W)."""
    grey = rgb.mean(1, keepdim=True).expand_as(rgb)
    return torch.cat([rgb, grey, rgb.roll(1, 1), rgb.roll(2, 1)])
