"""VGG16 as one named, frozen `nn.Sequential` that can be cut at any layer.

To reach a layer, cut the network there: there are no hooks. Nothing here touches the disk or the internet.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnnvis.architecture import CLASSIFIER_CELLS, Architecture, Layer
from cnnvis.classes import CLASSES
from cnnvis.errors import UnavailableError

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]; torchvision's weights were trained with these
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Normalise RGB in [0, 1] as in VGG16's training; the shape (N, 3, H, W) stays."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """(rgb − mean) / std, channel by channel."""
        return (rgb - self.mean) / self.std


class PhotoStatistics(NamedTuple):
    """How strongly each channel of a layer usually responds: a number for each map, over photos."""

    mean: Tensor  # (channels,), average over the photos
    deviation: Tensor  # (channels,), standard deviation over the photos
    photos: int  # how many were measured


class VGG16(nn.Sequential):
    """The network: children `input, conv1_1, relu1_1, …, pool5`, frozen, in eval mode. Made by `build`."""

    architecture: Architecture
    origin: Any = None  # weights.Origin; None: random weights
    photo_statistics: Mapping[str, PhotoStatistics] | None = None  # by layer; None: not known for these weights
    usual: Mapping[str, PhotoStatistics] | None = None  # the same of the maps' maxima, by convolution

    @property
    def device(self) -> torch.device:
        """The device that the network computes on."""
        return next(self.parameters()).device

    def __repr__(self) -> str:
        names = list(self._modules)
        return f"VGG16({names[0]} … {names[-1]}: {len(names)} steps, {self.origin or 'random weights'})"


def build(architecture: Architecture | None = None) -> VGG16:
    """Build the untrained convolutional half; an architecture with small widths makes a toy with the same names."""
    architecture = architecture or Architecture()
    children: OrderedDict[str, nn.Module] = OrderedDict(input=Normalize())
    before = 3  # red, green and blue
    for layer in architecture.layers:
        if layer.kind == "conv":
            children[layer.name] = nn.Conv2d(before, layer.channels, kernel_size=3, padding=1)
            before = layer.channels
        elif layer.kind == "relu":
            # Not in-place: a ReLU that overwrites its input would turn the maps of the convolution into its own.
            children[layer.name] = nn.ReLU()
        else:
            children[layer.name] = nn.MaxPool2d(kernel_size=2, stride=2)
    net = VGG16(children).eval().requires_grad_(False)
    net.architecture = architecture
    return net


def with_classifier(net: VGG16) -> VGG16:
    """Add an untrained classifier after `net`, whose modules are shared: six more children, the last named `class`.

    The fully connected layers become convolutions over what is left of the picture, (N, 1000, 1, 1) at the end. As in
    torchvision, the map is averaged to 7 × 7 first if the picture has another size. Dropout, which does nothing in
    eval mode, is left out.
    """
    children = OrderedDict(net.named_children())
    children["avgpool"] = nn.AdaptiveAvgPool2d(CLASSIFIER_CELLS)
    children["fc6"] = nn.Conv2d(net.architecture.layers[-1].channels, 4096, kernel_size=CLASSIFIER_CELLS)
    children["relu6"] = nn.ReLU()
    children["fc7"] = nn.Conv2d(4096, 4096, kernel_size=1)
    children["relu7"] = nn.ReLU()
    children["class"] = nn.Conv2d(4096, len(CLASSES), kernel_size=1)
    whole = VGG16(children).eval().requires_grad_(False)
    whole.architecture = replace(net.architecture, classes=len(CLASSES))
    whole.origin, whole.photo_statistics, whole.usual = net.origin, net.photo_statistics, net.usual
    return whole


def cut(net: VGG16, layer: str | Layer) -> nn.Sequential:
    """The part of `net` up to and including `layer`; modules are shared, not copied. Raises LayerError."""
    return up_to(net, layer.name if isinstance(layer, Layer) else net.architecture.find(layer).name)


def up_to(net: VGG16, name: str) -> nn.Sequential:
    """The part of `net` up to and including the child called `name`."""
    children = list(net.named_children())
    end = [child for child, _ in children].index(name) + 1
    return nn.Sequential(OrderedDict(children[:end]))


def conv_module(net: VGG16, layer: Layer) -> nn.Conv2d:
    """The convolution that the maps of `layer` come from, as a module."""
    module = net.get_submodule(layer.convolution)
    assert isinstance(module, nn.Conv2d)
    return module


def bias_of(module: nn.Conv2d, channel: int) -> float:
    """The bias of one channel of a convolution."""
    assert module.bias is not None  # `build` always makes one
    return float(module.bias[channel])


def fast_dtype(device: torch.device | str) -> torch.dtype:
    """The fastest precision good enough for an ascent: bfloat16 where the hardware multiplies it, otherwise float32.

    On a CPU without bfloat16 instructions (AVX512-BF16 or AMX) autocast would only add conversions.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    asked = (getattr(torch.cpu, name, bool) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return torch.bfloat16 if kind == "cpu" and any(ask() for ask in asked) else torch.float32


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """A context in which a GPU's convolutions repeat bit for bit and float32 is not rounded to TF32.

    Raises UnavailableError if the GPU's memory does not suffice.
    """
    on_gpu = device.type == "cuda"
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with cudnn if on_gpu else nullcontext():
            yield
    except torch.OutOfMemoryError as error:
        raise UnavailableError.memory() from error


def forward(part: nn.Sequential, rgb: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Pass RGB (N, 3, H, W) through a part of a network, convolutions in `precision`; the result is float32."""
    with exact(rgb.device), torch.autocast(rgb.device.type, precision, enabled=precision != torch.float32):
        return part(rgb.contiguous(memory_format=torch.channels_last)).float()  # type: ignore[no-any-return]
