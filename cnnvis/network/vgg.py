"""VGG16 as one named, frozen `nn.Sequential` that can be cut at any layer.

There are no hooks: to reach a layer, cut the network at it. Nothing here touches the disk or the internet.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnnvis.errors import WeightsError
from cnnvis.network.architecture import CLASSIFIER_CELLS, Architecture, Direction, Layer
from cnnvis.network.classes import CLASSES
from cnnvis.network.precision import PLAIN, full_precision

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]; torchvision's weights were trained with these
IMAGENET_STD = (0.229, 0.224, 0.225)
CLASSIFIER_WIDTH = 4096  # outputs of the first two fully connected layers


class Normalize(nn.Module):
    """Normalise RGB in [0, 1] as in VGG16's training; the shape (N, 3, H, W) stays the same."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN, **PLAIN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD, **PLAIN).view(3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """(rgb − mean) / std, channel by channel."""
        return (rgb - self.mean) / self.std


class PhotoStatistics(NamedTuple):
    """How strongly each channel of a layer usually responds, from one number per map and photo."""

    mean: Tensor  # (channels,), over the photos
    deviation: Tensor  # (channels,), standard deviation over the photos
    photos: int  # how many were measured


class VGG16(nn.Sequential):
    """The network: children `input, conv1_1, relu1_1, …, pool5`, frozen, in eval mode. `build` makes one."""

    architecture: Architecture
    origin: Any = None  # weights.Origin; None: random weights
    photo_statistics: Mapping[str, PhotoStatistics] | None = None  # by layer; None: unknown for these weights
    usual: Mapping[str, PhotoStatistics] | None = None  # the same for the maps' maxima, by convolution
    # After ReLU, over all cells of the shelf's photos and over those at the maps' border, (channels,), by convolution.
    mean_activation: Mapping[str, Tensor] | None = None
    spread: Mapping[str, Tensor] | None = None  # standard deviation; None also for a shelf of version 1
    border: Mapping[str, Tensor] | None = None  # mean at the border, where the padding makes channels fire
    border_spread: Mapping[str, Tensor] | None = None

    @property
    def device(self) -> torch.device:
        """The device the network computes on."""
        return next(self.parameters()).device

    def __repr__(self) -> str:
        first, *_, last = self._modules
        about = f"{first} … {last}: {len(self._modules)} modules, {self.origin or 'random weights'}"
        return f"{self.architecture.name}({about})"


def architecture_of(net: VGG16) -> Architecture:
    """The architecture a network carries. Raises WeightsError unless it is one of cnnvis."""
    if not isinstance(net, VGG16):
        raise WeightsError.not_ours(net)
    return net.architecture


def build(architecture: Architecture | None = None) -> VGG16:
    """Build the untrained convolutional half; small widths make a toy with the same layer names."""
    architecture = architecture or Architecture()
    children: OrderedDict[str, nn.Module] = OrderedDict(input=Normalize())
    before = 3  # red, green and blue
    for layer in architecture.layers:
        if layer.kind == "conv":
            children[layer.name] = nn.Conv2d(before, layer.channels, kernel_size=3, padding=1)
            before = layer.channels
        elif layer.kind == "relu":
            children[layer.name] = nn.ReLU()  # not in place, which would overwrite the convolution's maps
        else:
            children[layer.name] = nn.MaxPool2d(kernel_size=2, stride=2)
    net = VGG16(children).eval().requires_grad_(False)
    net.architecture = architecture
    return net


def with_classifier(net: VGG16, classes: int = len(CLASSES)) -> VGG16:
    """Add an untrained classifier to `net`, whose modules are shared: six more children, the last named `class`.

    The fully connected layers become convolutions, with an output of (N, classes, 1, 1). As in torchvision, the last
    map is averaged to 7 × 7 first unless it has that size. Dropout is left out, as it does nothing in eval mode.
    """
    children = OrderedDict(
        net.named_children(),
        avgpool=nn.AdaptiveAvgPool2d(CLASSIFIER_CELLS),
        fc6=nn.Conv2d(net.architecture.layers[-1].channels, CLASSIFIER_WIDTH, kernel_size=CLASSIFIER_CELLS),
        relu6=nn.ReLU(),
        fc7=nn.Conv2d(CLASSIFIER_WIDTH, CLASSIFIER_WIDTH, kernel_size=1),
        relu7=nn.ReLU(),
    )
    children["class"] = nn.Conv2d(CLASSIFIER_WIDTH, classes, kernel_size=1)
    whole = VGG16(children).eval().requires_grad_(False)
    whole.architecture = replace(net.architecture, classes=classes)
    whole.origin, whole.photo_statistics = net.origin, net.photo_statistics
    whole.usual, whole.mean_activation, whole.spread = net.usual, net.mean_activation, net.spread
    whole.border, whole.border_spread = net.border, net.border_spread
    return whole


def cut(net: VGG16, layer: str | Layer) -> nn.Sequential:
    """The part of `net` up to and including `layer`; modules are shared, not copied. Raises LayerError."""
    return up_to(net, layer.name if isinstance(layer, Layer) else architecture_of(net).find(layer).name)


def up_to(net: VGG16, name: str) -> nn.Sequential:
    """The part of `net` up to and including the child called `name`."""
    children = list(net.named_children())
    end = [child for child, _ in children].index(name) + 1
    return nn.Sequential(OrderedDict(children[:end]))


def narrowed(
    net: VGG16, layer: Layer, channels: Sequence[int | Direction], precision: torch.dtype = torch.float32
) -> tuple[nn.Sequential, nn.Sequential]:
    """The part of `net` up to the convolution of `layer`, with only the given channels, and the part after it.

    A direction counts as one channel, whose filter is the weighted sum of its channels' filters.
    The second part leads on to `layer`: a ReLU, a ReLU and a pool, or nothing. Values and gradients equal the full
    layer's, up to rounding. In a precision other than float32 the convolutions are copies with cast weights, so that
    autocast need not cast them at every step: the result is the same bit for bit, and a step takes a tenth less time.
    Raises UnavailableError if the GPU's memory is too small.
    """
    body = up_to(net, layer.convolution)  # a new sequence of the network's own modules
    after = up_to(net, layer.name)[len(body) :]
    with full_precision(net.device):
        narrow = deepcopy(conv_module(net, layer))
        narrow.out_channels = len(channels)
        for name, tensor in narrow.state_dict().items():
            kept = torch.stack([_weighed(tensor, channel) for channel in channels])
            setattr(narrow, name, nn.Parameter(kept, requires_grad=False))
        setattr(body, layer.convolution, narrow.to(memory_format=torch.channels_last))
        if precision != torch.float32:
            for name, module in list(body.named_children()):
                if name in net.architecture.convolutions:  # not the classifier, with its 124 million weights
                    setattr(body, name, deepcopy(module).to(precision))
    return body, after


def _weighed(tensor: Tensor, channel: int | Direction) -> Tensor:
    if isinstance(channel, int):
        return tensor[channel]
    weights = tensor.new_tensor(list(channel.values()))
    mixed: Tensor = torch.tensordot(weights, tensor[list(channel)], 1)
    return mixed


def conv_module(net: VGG16, layer: Layer) -> nn.Conv2d:
    """The convolution the maps of `layer` come from, as a module."""
    module = net.get_submodule(layer.convolution)
    assert isinstance(module, nn.Conv2d)
    return module


def bias_of(module: nn.Conv2d, channel: int) -> float:
    """The bias of one channel of a convolution."""
    assert module.bias is not None  # `build` always makes one
    return float(module.bias[channel])


def forward(part: nn.Sequential, rgb: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Pass RGB (N, 3, H, W) through part of a network, with convolutions in `precision`; the result is float32."""
    with full_precision(rgb.device), torch.autocast(rgb.device.type, precision, enabled=precision != torch.float32):
        return part(rgb.contiguous(memory_format=torch.channels_last)).float()  # type: ignore[no-any-return]
