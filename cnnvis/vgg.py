"""VGG16's convolutional half as one named, frozen `nn.Sequential` that can be cut at any layer.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015.
Nothing here touches the disk or the network.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from math import isfinite
from operator import index
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cnnvis.classes import CLASSES, class_number
from cnnvis.errors import ChannelError, LayerError

BLOCKS = (2, 2, 3, 3, 3)  # convolutions in each block
WIDTHS = (64, 128, 256, 512, 512)  # channels in each block
PICTURE_PX = 224  # the side of the pictures that VGG16 was trained on
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]; torchvision's and the weights' own
IMAGENET_STD = (0.229, 0.224, 0.225)

Kind = Literal["conv", "relu", "pool", "class"]
Mixture = Mapping[int, float]  # channel to weight: several channels of a layer as one


@dataclass(frozen=True)
class Layer:
    """One of the 31 steps, and what geometry alone says about it."""

    name: str  # conv3_1
    kind: Kind
    index: int  # position in torchvision's `features`
    channels: int
    stride: int  # px of the picture between two neighbouring values of a map
    receptive_field: int  # px of the picture, along one side, that one value sees

    def as_dict(self) -> dict[str, Any]:
        """The layer as plain values, ready for JSON."""
        return asdict(self)


def layer_table(widths: Sequence[int] = WIDTHS) -> tuple[Layer, ...]:
    """The 31 layers in order, with receptive fields and strides worked out step by step."""
    layers: list[Layer] = []
    stride, field = 1, 1
    for block, (convolutions, width) in enumerate(zip(BLOCKS, widths, strict=True), start=1):
        for number in range(1, convolutions + 1):
            field += 2 * stride  # a 3×3 window reaches one map cell further on each side
            layers.append(Layer(f"conv{block}_{number}", "conv", len(layers), width, stride, field))
            layers.append(Layer(f"relu{block}_{number}", "relu", len(layers), width, stride, field))
        field += stride  # a 2×2 window reaches one cell further on one side
        stride *= 2
        layers.append(Layer(f"pool{block}", "pool", len(layers), width, stride, field))
    return tuple(layers)


LAYERS = layer_table()
# The answers of the whole network before softmax, each to all of the picture; only with the classifier there.
CLASS = Layer("class", "class", len(LAYERS), len(CLASSES), PICTURE_PX, PICTURE_PX)
CONVOLUTIONS = tuple(layer.name for layer in LAYERS if layer.kind == "conv")


def field(layer: Layer, row: int, column: int) -> tuple[int, int, int, int]:
    """What one value of a map sees, as left, top, right and bottom in px of the picture; its edges may lie outside.

    Every convolution pads its input by one cell on each side, so the first value begins outside the picture.
    """
    start = -sum(before.stride for before in LAYERS[: layer.index + 1] if before.kind == "conv")
    left, top = start + column * layer.stride, start + row * layer.stride
    return left, top, left + layer.receptive_field, top + layer.receptive_field


class Normalize(nn.Module):
    """RGB in [0, 1] to the units VGG16 was trained on, (N, 3, H, W) to (N, 3, H, W)."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """(rgb − mean) / std, channel by channel."""
        return (rgb - self.mean) / self.std


class VGG16(nn.Sequential):
    """The network: children `input, conv1_1, relu1_1, …, pool5`, frozen, in eval mode."""

    origin: Any = None  # weights.Origin, set by whoever loaded the weights
    # Layer to the mean and deviation (channels,) of its channels on the example photos; set together with `origin`.
    photo_statistics: Mapping[str, tuple[Tensor, Tensor]] | None = None

    def __repr__(self) -> str:
        names = list(self._modules)
        return f"VGG16({names[0]} … {names[-1]}: {len(names)} steps, {self.origin or 'random weights'})"


def build(widths: Sequence[int] = WIDTHS) -> VGG16:
    """An untrained VGG16 trunk; smaller `widths` (channels per block) make a toy with the same 31 names."""
    steps: OrderedDict[str, nn.Module] = OrderedDict(input=Normalize())
    before = 3
    for layer in layer_table(widths):
        if layer.kind == "conv":
            steps[layer.name] = nn.Conv2d(before, layer.channels, kernel_size=3, padding=1)
            before = layer.channels
        elif layer.kind == "relu":
            # Not in-place: a ReLU that overwrites its input would make conv maps read as ReLU maps.
            steps[layer.name] = nn.ReLU()
        else:
            steps[layer.name] = nn.MaxPool2d(kernel_size=2, stride=2)
    return VGG16(steps).eval().requires_grad_(False)


def with_classifier(net: VGG16) -> VGG16:
    """The same network, its modules shared, with an untrained classifier behind it: six more steps, `class` the last.

    The fully connected layers are convolutions over what is left of the picture, (N, 1000, 1, 1) at the end; as in
    torchvision a picture of another size is averaged to 7 × 7 first. Dropout does nothing in eval mode and is left out.
    """
    steps = OrderedDict(net.named_children())
    steps["avgpool"] = nn.AdaptiveAvgPool2d(7)
    steps["fc6"] = nn.Conv2d(convolution(net, "conv5_3").out_channels, 4096, kernel_size=7)
    steps["relu6"] = nn.ReLU()
    steps["fc7"] = nn.Conv2d(4096, 4096, kernel_size=1)
    steps["relu7"] = nn.ReLU()
    steps["class"] = nn.Conv2d(4096, len(CLASSES), kernel_size=1)
    whole = VGG16(steps).eval().requires_grad_(False)
    whole.origin, whole.photo_statistics = net.origin, net.photo_statistics
    return whole


def find_layer(name: str | int, kind: Kind | None = None) -> Layer:
    """The layer that `name` means, in any of the three dialects.

    `conv3_1`, torchvision's `features.10`, `features[10]` or `10`, and Keras's `block3_conv1` are one layer.
    With `kind="conv"` anything but a convolution is refused.
    Raises LayerError.
    """
    layer = _BY_DIALECT.get(str(name).strip().lower().replace("[", ".").rstrip("]").replace("-", "_"))
    if layer is None:
        raise LayerError.unknown(name, [layer.name for layer in LAYERS])
    if kind == "conv" and layer.kind != "conv":
        raise LayerError.not_a_convolution(
            layer.name, CONVOLUTIONS[-1] if layer is CLASS else convolution_name(layer.name)
        )
    return layer


def dialects(layer: Layer) -> list[str]:
    """Every name that `find_layer` knows a layer by: cnnvis's own, torchvision's two, and Keras's where it has one."""
    names = [layer.name, f"features.{layer.index}", str(layer.index)]
    if match := re.fullmatch(r"conv(\d)_(\d)", layer.name):
        names.append(f"block{match[1]}_conv{match[2]}")
    if match := re.fullmatch(r"pool(\d)", layer.name):
        names.append(f"block{match[1]}_pool")
    return names


_BY_DIALECT = {name: layer for layer in LAYERS for name in dialects(layer)}
_BY_DIALECT |= dict.fromkeys(("class", "classifier.6", "predictions"), CLASS)  # torchvision's and Keras's names for it


def check_channel(channel: object, channels: int, layer: str, name: str = "channel") -> int:
    """`channel` as an int from 0 to `channels` − 1; `name` is the parameter it came as. Raises ChannelError.

    Of the layer `class` it may also be a name, "goldfish".
    """
    number = whole_number(channel)
    if number is None and layer == CLASS.name and isinstance(channel, str):
        number = class_number(channel)
    if number is None or not 0 <= number < channels:
        raise ChannelError.outside(name, channel, channels, layer)
    return number


def check_mixture(channel: object, channels: int, layer: str) -> Mixture:
    """`channel`, a number or a mapping from numbers to weights, as such a mapping. Raises ChannelError."""
    if not isinstance(channel, Mapping):
        return {check_channel(channel, channels, layer): 1.0}
    mixture = {check_channel(number, channels, layer): real_number(weight) for number, weight in channel.items()}
    kept = {number: weight for number, weight in mixture.items() if weight is not None}
    if kept != mixture or not any(kept.values()):
        raise ChannelError.no_weights(channel, layer)
    return kept


def whole_number(value: object) -> int | None:
    """`value` as an int where it is one (4, 4.0, "4"; a page's number field sends floats), else None."""
    if isinstance(value, bool):
        return None
    with suppress(TypeError):
        return index(value)  # type: ignore[arg-type]  # whether it is one is what is asked; NumPy's integers are
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,12}\s*", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def real_number(value: object) -> float | None:
    """`value` as a finite float where it is one, else None."""
    try:
        number = float(value)  # type: ignore[arg-type]  # that it may not be one is what is asked
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and not isinstance(value, bool) else None


def convolution_name(layer: str) -> str:
    """The convolution that makes `layer`: itself, or for a ReLU or pooling layer the one before it."""
    if layer == CLASS.name:
        return layer
    return next(other.name for other in reversed(LAYERS[: find_layer(layer).index + 1]) if other.kind == "conv")


def convolution(net: nn.Sequential, layer: str) -> nn.Conv2d:
    """The module of that convolution."""
    module = cut(net, convolution_name(layer))[-1]
    assert isinstance(module, nn.Conv2d)
    return module


def channels_of(net: nn.Sequential, layer: str) -> int:
    """How many channels `layer` has in this network."""
    return convolution(net, layer).out_channels


def cut(net: nn.Sequential, layer: str) -> nn.Sequential:
    """The part of `net` up to and including `layer`; the modules are shared, not copied. Raises LayerError."""
    name, steps = find_layer(layer).name, [name for name, _ in net.named_children()]
    if name == CLASS.name and name not in steps:
        raise LayerError.no_classifier()
    return net[: steps.index(name) + 1]


def fast_dtype(device: torch.device | str) -> torch.dtype:
    """The quickest precision good enough for an ascent: bfloat16 where the hardware multiplies it, else float32.

    On a CPU without bfloat16 instructions (AVX512-BF16 or AMX) autocast would only add conversions.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    asked = (getattr(torch.cpu, name, bool) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return torch.bfloat16 if kind == "cpu" and any(ask() for ask in asked) else torch.float32


def exact(device: torch.device) -> AbstractContextManager[None]:
    """A context in which a GPU's convolutions give the same result every time, and float32 is not cut to TF32."""
    if device.type != "cuda":
        return nullcontext()
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return flags


def forward(steps: nn.Sequential, rgb: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """RGB (N, 3, H, W) through a cut network, with the convolutions in `precision`; the result is float32."""
    with exact(rgb.device), torch.autocast(rgb.device.type, precision, enabled=precision != torch.float32):
        return steps(rgb.contiguous(memory_format=torch.channels_last)).float()  # type: ignore[no-any-return]
