"""Your own filter: 3×3 weights for red, green and blue, applied to a photo exactly as conv1_1 applies its filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, cosine_similarity

from cnnvis.checks import real_number
from cnnvis.errors import SettingError, short
from cnnvis.network.architecture import check_channel
from cnnvis.network.precision import PLAIN, full_precision
from cnnvis.network.vgg import VGG16, architecture_of, bias_of, conv_module
from cnnvis.pictures.images import to_tensor

MAX_WEIGHT = 100  # the largest weight or bias, either sign
COLOURS = ("red", "green", "blue")
Weights = Sequence[Sequence[object]]  # three rows of three weights; or three such kernels

# As they are applied, unflipped: the top left weight lies on the value above and to the left.
PRESETS: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "blur": ((0.0625, 0.125, 0.0625), (0.125, 0.25, 0.125), (0.0625, 0.125, 0.0625)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "Sobel across": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "Sobel down": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "Laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "emboss": ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
    "identity": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
}


@dataclass(frozen=True)
class OwnKernel:
    """A filter for the photo, already checked."""

    kernels: Tensor  # (3, 3, 3) for red, green and blue, float32
    bias: float = 0.0


@dataclass(frozen=True)
class OwnMap:
    """What your own filter makes of a photo."""

    kernel: OwnKernel
    photo: Image.Image  # 224 px, as the network sees it
    values: Tensor  # (224, 224), before ReLU
    nearest: tuple[int, float] | None  # the most similar filter of conv1_1, and the cosine; None if all weights are 0

    @property
    def rectified(self) -> Tensor:
        """The map after ReLU, (224, 224)."""
        return self.values.clamp_min(0)


def check_kernel(kernel: object, bias: object = 0.0) -> OwnKernel:
    """Read weights and bias: numbers from −100 to 100, which may be text.

    `kernel` is (3, 3) for all three colours, or (3, 3, 3) with one for each. Raises SettingError, which says where a
    wrong weight stands.
    """
    given = np.asarray(kernel, dtype=object)
    if given.shape not in ((3, 3), (3, 3, 3)):
        raise SettingError("the kernel is not 3 × 3: give three rows of three weights, or one such kernel per colour.")
    of_colours = [f" of {colour}" for colour in COLOURS] if given.ndim == 3 else [""]
    weights = [
        _number(f"weight in row {row + 1}, column {column + 1}{of_colours[index]}", weight)
        for (index, row, column), weight in np.ndenumerate(given.reshape(-1, 3, 3))
    ]
    return OwnKernel(torch.tensor(weights, **PLAIN).view(-1, 3, 3).expand(3, 3, 3), _number("bias", bias))


def filter_kernel(net: VGG16, channel: object) -> OwnKernel:
    """A filter of conv1_1 as a starting point. Raises ChannelError."""
    layer = architecture_of(net).layers[0]
    number, module = check_channel(channel, layer), conv_module(net, layer)
    return OwnKernel(module.weight[number].float().cpu(), bias_of(module, number))


def apply_to_seen(net: VGG16, seen: Image.Image, kernel: OwnKernel) -> OwnMap:
    """Apply a checked filter to the 224 px that the network sees, as conv1_1 applies its filters.

    That is, to the normalised colours, with zeros beyond the edge; the results of the three colours and the bias are
    added up. As in the network, the kernel is not flipped.
    """
    with full_precision(net.device), torch.inference_mode():
        normalised = net.get_submodule("input")(to_tensor(seen).to(net.device))
        bias = torch.tensor([kernel.bias], **PLAIN).to(net.device)
        values = conv2d(normalised, kernel.kernels[None].to(net.device), bias, padding=1)
    return OwnMap(kernel, seen, values[0, 0].cpu(), _nearest(net, kernel))


def _nearest(net: VGG16, kernel: OwnKernel) -> tuple[int, float] | None:
    """The filter of conv1_1 with the largest cosine of all 27 weights; the biases are left out."""
    if not kernel.kernels.any():
        return None
    filters = conv_module(net, net.architecture.layers[0]).weight.float().cpu().flatten(1)
    cosines = cosine_similarity(filters, kernel.kernels.reshape(1, 27), eps=1e-30)
    channel = int(cosines.argmax())
    return channel, float(cosines[channel])


def _number(name: str, value: object) -> float:
    number = real_number(value)
    if number is None or abs(number) > MAX_WEIGHT:
        came = "empty" if value in (None, "") else short(value)
        raise SettingError(f"the {name} is {came}: give a number from −{MAX_WEIGHT} to {MAX_WEIGHT}.")
    return number
