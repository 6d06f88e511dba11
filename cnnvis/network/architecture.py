"""The architecture of a VGG: its layers, their names in three dialects, and how much of the picture each layer sees.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015.

Layers and channels are looked up and checked here once, where they enter cnnvis. Everything inside passes the
resulting `Layer` or `Target` on and checks nothing again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from cnnvis.checks import real_number, whole_number
from cnnvis.errors import ChannelError, LayerError
from cnnvis.network.classes import CLASSES, class_number

Kind = Literal["conv", "relu", "pool", "class"]
Direction = Mapping[int, float]  # channel to weight: several channels of a layer as one

CLASS = "class"  # the layer of the logits
CLASS_DIALECTS = (CLASS, "classifier.6", "predictions")  # torchvision's and Keras's names for it
CHANNEL_MARK = ":"  # between layer and channel, as in Lucid and Lucent
MOST_WEIGHT = 1e6  # of a channel in a direction; far larger ones would overflow
CLASSIFIER_CELLS = 7  # the classifier reads a map of 7 × 7 cells
CLASSIFIER_LAYERS = 3  # fully connected; the paper counts them too, so VGG16 has only 13 convolutions


@dataclass(frozen=True)
class Layer:
    """One layer of a network and its geometry."""

    name: str  # conv3_1
    kind: Kind
    index: int  # position in torchvision's `features`
    channels: int
    stride: int  # px of the picture between two neighbouring values of a map
    receptive_field: int  # px of the picture that one value sees, along one side
    offset: int  # px from the picture's edge to the first value's receptive field; negative if that begins outside
    depth: int  # convolutions up to and including this layer
    convolution: str  # the one its maps come from: itself, or for a ReLU or pool the one before it

    def as_dict(self) -> dict[str, Any]:
        """The layer as plain values, ready for JSON."""
        names = ("name", "kind", "index", "channels", "stride", "receptive_field")
        return {name: getattr(self, name) for name in names}

    def field(self, row: int, column: int) -> tuple[int, int, int, int]:
        """The box one value of a map sees: left, top, right, bottom in px of the picture; it may reach outside."""
        left, top = self.offset + column * self.stride, self.offset + row * self.stride
        return left, top, left + self.receptive_field, top + self.receptive_field

    def relu(self) -> "Layer":
        """The ReLU after this convolution."""
        return replace(self, name=self.name.replace("conv", "relu"), kind="relu", index=self.index + 1)

    @property
    def block(self) -> int:
        """The number of its block, counted from 1; 0 for the layer `class`."""
        return 0 if self.kind == "class" else int(self.name.partition("_")[0][4:])

    def dialects(self) -> list[str]:
        """Its name in cnnvis, torchvision's two, and Keras's where there is one."""
        if self.kind == "class":
            return list(CLASS_DIALECTS)
        keras = [] if self.kind == "relu" else [f"block{self.block}_{self.kind}{self.name.partition('_')[2]}"]
        return [self.name, f"features.{self.index}", str(self.index), *keras]


@dataclass(frozen=True, repr=False)
class Target:
    """One channel of a layer, or several with a weight each; looked up and checked."""

    layer: Layer
    direction: Direction  # {17: 1.0} for channel 17 alone
    name: str = "direction"  # of several channels, in files and headings: also "place-5-7", "group-2"

    @property
    def number(self) -> int:
        """The channel's number, for a target with only one."""
        (number,) = self.direction
        return number

    @property
    def channel(self) -> int | Direction:
        """The channel as records hold it: its number, or the weights of several."""
        return self.number if list(self.direction.values()) == [1.0] else self.direction

    @property
    def written(self) -> int | dict[str, float]:
        """The same for JSON, whose keys are text."""
        return self.number if self.channel is not self.direction else text_keys(self.direction)

    @property
    def short(self) -> str:
        """What files call it: its number, or the name of its direction."""
        return self.name if self.channel is self.direction else str(self.number)

    def __str__(self) -> str:
        words = self.name if self.channel is self.direction else f"channel {self.number}"
        return f"{self.layer.name} {words}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __hash__(self) -> int:  # a dictionary has none
        return hash((self.layer, frozenset(self.direction.items()), self.name))


class Targeted:
    """Gives a class that has a `target` the `layer` and `channel` that records use."""

    target: Target

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.target.layer.name

    @property
    def channel(self) -> int | Direction:
        """The channel's number, or the weights of several channels."""
        return self.target.channel


@dataclass(frozen=True)
class Architecture:
    """The convolutions of each block and their widths, and everything that follows from them."""

    blocks: tuple[int, ...] = (2, 2, 3, 3, 3)  # convolutions in each block; VGG16 is the paper's configuration D
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)  # channels in each block
    classes: int = 0  # logits of the classifier; 0: the convolutional half alone

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the convolutional half in order, with their strides and receptive fields."""
        layers: list[Layer] = []
        stride, field, offset, depth = 1, 1, 0, 0
        for block, (convolutions, width) in enumerate(zip(self.blocks, self.widths, strict=True), start=1):
            for number in range(1, convolutions + 1):
                field += 2 * stride  # a 3×3 window reaches one cell further on each side,
                offset -= stride  # and its padding starts one cell outside the map
                depth += 1
                name = f"conv{block}_{number}"
                layer = Layer(name, "conv", len(layers), width, stride, field, offset, depth, name)
                layers += [layer, layer.relu()]
            field += stride  # a 2×2 window reaches one cell further on one side
            stride *= 2
            layers.append(Layer(f"pool{block}", "pool", len(layers), width, stride, field, offset, depth, name))
        return tuple(layers)

    @property
    def name(self) -> str:
        """VGG16, or whatever the paper would call a network with this many layers that have weights."""
        return f"VGG{len(self.convolutions) + CLASSIFIER_LAYERS}"

    @cached_property
    def convolutions(self) -> tuple[str, ...]:
        """The names of the convolutions, in order."""
        return tuple(layer.name for layer in self.layers if layer.kind == "conv")

    @cached_property
    def logits(self) -> Layer:
        """The layer `class`: the logits, each of which sees the whole picture."""
        last = self.layers[-1]
        side = CLASSIFIER_CELLS * last.stride
        return Layer(CLASS, "class", len(self.layers), self.classes, side, side, 0, last.depth, CLASS)

    @cached_property
    def _by_dialect(self) -> dict[str, Layer]:
        return {name: layer for layer in (*self.layers, self.logits) for name in layer.dialects()}

    def find(self, name: str | int, kind: Literal["conv"] | None = None) -> Layer:
        """Look up the layer called `name` in any of the three dialects.

        `conv3_1`, torchvision's `features.10`, `features[10]` or `10`, and Keras's `block3_conv1` all name the same
        layer; so do Lucent's `features_10`, `module.features.10` and `block3/conv1`. With `kind="conv"`, only a
        convolution will do.
        Raises LayerError.
        """
        layer = self._by_dialect.get(_normalized(name))
        if layer is None:
            if CHANNEL_MARK in str(name):
                raise LayerError.with_channel(name)
            raise LayerError.unknown(name, [layer.name for layer in self.layers])
        if kind == "conv" and layer.kind != "conv":
            nearest = self.convolutions[-1] if layer.kind == "class" else layer.convolution
            raise LayerError.not_a_convolution(layer.name, nearest)
        if layer.kind == "class" and not self.classes:
            raise LayerError.no_classifier()
        return layer

    def convolution_of(self, layer: Layer) -> Layer:
        """The convolution the maps of `layer` come from."""
        return self._by_dialect[layer.convolution]

    def target(self, layer: str | int, channel: object = None, kind: Literal["conv"] | None = None) -> Target:
        """Look up one channel of a layer; `layer="conv5_3:165"` names both. Raises LayerError, ChannelError."""
        name, channel = _split(layer, channel)
        checked = self.find(name, kind)
        return Target(checked, {check_channel(channel, checked): 1.0})

    def weighted_target(self, layer: str | int, channel: object = None, called: str = Target.name) -> Target:
        """The same, or several channels with a weight each, {17: 1.0, 42: -0.5}; then `called` is its short name.

        Raises LayerError, ChannelError.
        """
        if not isinstance(channel, Mapping):
            return self.target(layer, channel)
        name, _ = _split(layer, channel)
        checked = self.find(name)
        weights = {check_channel(number, checked): real_number(weight) for number, weight in channel.items()}
        direction = {n: weight for n, weight in weights.items() if weight is not None and abs(weight) <= MOST_WEIGHT}
        if direction != weights or not any(direction.values()):
            raise ChannelError.no_weights(channel, checked.name)
        return Target(checked, direction, called)

    def read_target(self, layer: str | int, direction: str) -> Target:
        """The same for a direction as text in JSON, {"17": 0.83, "42": 0.4}. Raises LayerError, ChannelError."""
        checked = self.find(layer)
        try:
            read = json.loads(direction)
        except (TypeError, ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise ChannelError.unread(direction)
        return self.weighted_target(checked.name, read)


def text_keys(direction: Direction) -> dict[str, float]:
    """A direction as JSON has it, {"17": 0.83}."""
    return {str(channel): weight for channel, weight in direction.items()}


def check_channel(channel: object, layer: Layer) -> int:
    """Read `channel` as the number of one of the layer's channels. Raises ChannelError.

    In a layer `class` with ImageNet's 1,000 classes it may also be a class's name, such as "goldfish".
    """
    named = layer.kind == "class" and layer.channels == len(CLASSES)
    if named and isinstance(channel, str) and whole_number(channel) is None:
        return class_number(channel)
    return check_index(channel, layer.channels, layer, "channel")


def check_index(value: object, count: int, layer: Layer, name: str) -> int:
    """Read `value` as an int from 0 to `count` − 1; `name` is the parameter's name. Raises ChannelError."""
    number = whole_number(value)
    if number is None or not 0 <= number < count:
        raise ChannelError.outside(name, value, count, layer.name)
    return number


def _normalized(name: object) -> str:
    """A layer's name as `Layer.dialects` spells it."""
    text = str(name).strip().lower().replace("[", ".").rstrip("]").replace("-", "_").replace("/", "_")
    inside = re.fullmatch(r"(?:.*\.)?features[._](\d+)", text)  # inside a module of any name
    return inside[1] if inside else text


def _split(layer: str | int, channel: object) -> tuple[str | int, object]:
    """Take "conv5_3:165" apart into layer and channel. Raises ChannelError if a channel is also given separately."""
    if not isinstance(layer, str) or CHANNEL_MARK not in layer:
        return layer, channel
    name, _, number = layer.partition(CHANNEL_MARK)
    if channel is not None:
        raise ChannelError.twice(number, channel)
    return name, number


# The four configurations of the paper in common use: A, B, D and E.
ARCHITECTURES = tuple(map(Architecture, ((1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4))))

# VGG16 as published, for use before a network is loaded. A loaded network carries its own: `net.architecture`.
ARCHITECTURE = Architecture(classes=len(CLASSES))
LAYERS = ARCHITECTURE.layers
CONVOLUTIONS = ARCHITECTURE.convolutions


def find_layer(name: str | int, kind: Literal["conv"] | None = None) -> Layer:
    """Look up a layer of VGG16 in any of the three dialects, as `Architecture.find` does. Raises LayerError."""
    return ARCHITECTURE.find(name, kind)


def convolution(target: Target) -> Target:
    """The same channel of the convolution its map comes from, where shelf, atlas and wiring keep it; of VGG16."""
    return replace(target, layer=ARCHITECTURE.convolution_of(target.layer))
