"""What a layer answers to a photo: all its feature maps on a sheet, one large, one channel through every layer."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from cnnvis.classes import CLASSES
from cnnvis.errors import LayerError, SettingError
from cnnvis.images import (
    HEAT,
    PHOTO_SIDE,
    Photo,
    Pictured,
    Pixels,
    blend,
    colour,
    columns_for,
    contact_sheet,
    crop_like_training,
    open_photo,
    signed,
    stretch,
    to_tensor,
)
from cnnvis.vgg import CLASS, CONVOLUTIONS, Layer, channels_of, check_channel, cut, exact, find_layer

PIPELINES = ("network", "conv_chain")
ORDERS = ("index", "strength")
CONTRASTS = ("map", "layer")
TILE_PX, GAP_PX = 56, 2
LARGE_PX = 448
# Convolutions alone never pool, so at 224 px the chain costs 738 GMAC, 48 times the network. A photo is shrunk until
# the chain up to the layer asked for fits in this, about half a second on two cores.
CHAIN_BUDGET = 30e9  # multiply-adds
CHAIN_LEAST_SIDE = 32  # px


@dataclass(frozen=True)
class Maps:
    """Every feature map of one layer on one photo."""

    layer: Layer
    pipeline: str
    values: Tensor  # (channels, h, w), float32 on the CPU
    photo: Image.Image  # the picture the network saw, without its normalisation

    @property
    def strength(self) -> Tensor:
        """The mean of each map, (channels,); of a conv layer that is before ReLU."""
        return self.values.mean((1, 2))

    def rectified(self) -> "Maps":
        """Behind the ReLU that follows: the same maps of a conv layer with everything below zero cut off."""
        relu = find_layer(self.layer.name.replace("conv", "relu"))
        return replace(self, layer=relu, values=self.values.clamp_min(0))


@dataclass(frozen=True, repr=False)
class MapSheet(Pictured):
    """All feature maps of a layer on one contact sheet; tile i is channel `order[i]`."""

    picture: Image.Image
    layer: str
    pipeline: str
    channels: int
    size: list[int]  # [height, width] of one map
    input_side: int  # px of the square picture that went in
    columns: int
    cell: int  # px from one tile to the next, the gap included
    gap: int  # px of each cell, right and below, that belong to no tile
    order: list[int]
    strength: list[float]  # mean of each map, in the order of the tiles

    def record(self) -> dict[str, Any]:
        """Everything but the picture, as plain values."""
        return {name: value for name, value in vars(self).items() if name != "picture"}


@dataclass(frozen=True, repr=False)
class FeatureMap(Pictured):
    """One feature map, large, and laid over the photo."""

    picture: Image.Image
    overlay: Image.Image
    layer: str
    channel: int
    pipeline: str
    min: float
    max: float
    mean: float
    span: list[float]  # the values that the two ends of the colours stand for
    size: list[int]  # [height, width] of the map itself

    def record(self) -> dict[str, Any]:
        """Everything but the pictures, as plain values."""
        return {name: value for name, value in vars(self).items() if name not in ("picture", "overlay")}


def feature_maps(net: nn.Sequential, photo: Photo, layer: str, pipeline: str = "network") -> Maps:
    """Every map of `layer` on a photo.

    `network` is what VGG16 computes: torchvision's resize and crop to 224 px, normalisation, ReLUs, pooling.
    `conv_chain` is what the original notebook of 2020 does: the whole photo squashed to a square, not normalised, the
    convolutions alone one after the other. So that this stays affordable the square shrinks for deep layers
    (`chain_side`).
    Raises LayerError, SettingError, PhotoError.
    """
    found = find_layer(layer)
    check_pipeline(pipeline)
    if pipeline == "conv_chain" and found.kind != "conv":
        raise LayerError(f"the conv_chain pipeline has convolutions alone, no {found.name}: choose a conv layer.")
    return _answers(net, photo, [found.name], pipeline)[0]


def check_pipeline(pipeline: str) -> None:
    """Raise SettingError where `pipeline` is not one of the two."""
    if pipeline not in PIPELINES:
        raise SettingError.not_one_of("pipeline", pipeline, PIPELINES)


def _answers(net: nn.Sequential, photo: Photo, layers: Sequence[str], pipeline: str) -> list[Maps]:
    """The maps of several layers, in the order of the network, from one pass."""
    picture = open_photo(photo)
    if pipeline == "network":
        steps = cut(net, layers[-1])
        seen = crop_like_training(picture)
    else:
        steps = _convolutions_alone(net, layers[-1])
        side = chain_side(net, layers[-1])
        seen = picture.resize((side, side), Image.Resampling.BILINEAR)
    answers = []
    device = next(net.parameters()).device
    with exact(device), torch.inference_mode():
        values = to_tensor(seen).to(device)
        for name, step in steps.named_children():
            values = step(values)
            if name in layers:
                answers.append(Maps(find_layer(name), pipeline, values[0].float().cpu(), seen))
    return answers


def _convolutions_alone(net: nn.Sequential, layer: str) -> nn.Sequential:
    children = cut(net, layer).named_children()
    return nn.Sequential(OrderedDict((name, child) for name, child in children if name.startswith("conv")))


def chain_side(net: nn.Sequential, layer: str) -> int:
    """The side in px of the square photo that keeps the conv_chain pipeline up to `layer` affordable; 224 at most."""
    kernels = (kernel for kernel in _convolutions_alone(net, layer).parameters() if kernel.dim() == 4)
    multiply_adds = sum(kernel.numel() for kernel in kernels)  # per pixel
    return max(CHAIN_LEAST_SIDE, min(PHOTO_SIDE, int((CHAIN_BUDGET / multiply_adds) ** 0.5)))


def map_sheet(
    net: nn.Sequential,
    photo: Photo,
    layer: str,
    pipeline: str = "network",
    order: str = "index",
    contrast: str = "map",
) -> MapSheet:
    """All maps of a layer on one sheet, by channel number or strongest first.

    `contrast="map"` stretches each map to its own range, `"layer"` all of them to the layer's.
    Raises LayerError, SettingError, PhotoError.
    """
    check_sheet(order, contrast)
    return draw_sheet(feature_maps(net, photo, layer, pipeline), order, contrast)


def check_sheet(order: str, contrast: str) -> None:
    """Raise SettingError where `order` or `contrast` is not one of the known words."""
    if order not in ORDERS:
        raise SettingError.not_one_of("order", order, ORDERS)
    if contrast not in CONTRASTS:
        raise SettingError.not_one_of("contrast", contrast, CONTRASTS)


def draw_sheet(maps: Maps, order: str = "index", contrast: str = "map") -> MapSheet:
    """The contact sheet of maps already computed."""
    check_sheet(order, contrast)
    strength = maps.strength
    tiles = strength.argsort(descending=True) if order == "strength" else torch.arange(len(strength))
    values = maps.values[tiles]
    low, high = (values.amin((1, 2), keepdim=True), values.amax((1, 2), keepdim=True))
    if contrast == "layer":
        low, high = low.min(), high.max()
    columns = columns_for(len(tiles))
    return MapSheet(
        picture=contact_sheet(_resize(colour(stretch(values, low, high), HEAT), TILE_PX), columns, GAP_PX),
        layer=maps.layer.name,
        pipeline=maps.pipeline,
        channels=len(tiles),
        size=list(values.shape[1:]),
        input_side=maps.photo.width,
        columns=columns,
        cell=TILE_PX + GAP_PX,
        gap=GAP_PX,
        order=tiles.tolist(),
        strength=strength[tiles].tolist(),
    )


def feature_map(net: nn.Sequential, photo: Photo, layer: str, channel: int, pipeline: str = "network") -> FeatureMap:
    """One channel's map, large, and as an overlay on the photo; raises LayerError, ChannelError and the like."""
    found = find_layer(layer)
    check_channel(channel, channels_of(net, found.name), found.name)
    return draw_map(feature_maps(net, photo, layer, pipeline), channel)


def draw_map(maps: Maps, channel: int) -> FeatureMap:
    """One of the maps already computed, large and as an overlay.

    A conv layer's values have a sign: blue is below zero, orange above. Elsewhere the smallest is dark.
    """
    number = check_channel(channel, len(maps.values), maps.layer.name)
    values = maps.values[number]
    low, high = float(values.min()), float(values.max())
    if maps.layer.kind == "conv":
        high = max(high, -low)
        low, colours = -high, signed(values, high)
    else:
        colours = colour(stretch(values, low, high), HEAT)
    picture = Image.fromarray(_resize(colours[None], LARGE_PX)[0])
    # What is below zero ReLU throws away, so only what is above it lights up. Smooth, where the cells of a 14 × 14 map
    # would hide the photo; the picture beside it shows them as they are.
    fired = stretch(values.clamp_min(0), 0, values.max().clamp_min(0))
    glow = interpolate(fired[None, None], size=(LARGE_PX, LARGE_PX), mode="bilinear")[0, 0]
    photo = maps.photo.resize((LARGE_PX, LARGE_PX), Image.Resampling.BICUBIC)
    return FeatureMap(
        picture=picture,
        overlay=blend(photo, colour(glow, HEAT), 0.85 * glow),
        layer=maps.layer.name,
        channel=number,
        pipeline=maps.pipeline,
        min=float(values.min()),
        max=float(values.max()),
        mean=float(values.mean()),
        span=[low, high],
        size=list(values.shape),
    )


def top_classes(net: nn.Sequential, photo: Photo, count: int = 5) -> list[tuple[str, float]]:
    """What the whole network takes a photo for: the likeliest classes by name, with their probabilities.

    Raises LayerError where the network has no classifier, PhotoError.
    """
    answers = feature_maps(net, photo, CLASS.name).values.flatten().double().softmax(0)
    likeliest = answers.argsort(descending=True)[:count]
    return [(CLASSES[number], float(answers[number])) for number in likeliest.tolist()]


def channel_path(net: nn.Sequential, photo: Photo, channel: int, pipeline: str = "network") -> list[FeatureMap]:
    """One channel number followed through all convolutions, as the original notebook follows channel 17.

    Convolutions too narrow to have that channel are left out (channel 100 begins at conv2_1).
    Raises ChannelError where no layer has it, SettingError, PhotoError.
    """
    check_pipeline(pipeline)
    widest = max(CONVOLUTIONS, key=lambda name: channels_of(net, name))
    number = check_channel(channel, channels_of(net, widest), widest)
    wide_enough = [name for name in CONVOLUTIONS if number < channels_of(net, name)]
    return [draw_map(maps, number) for maps in _answers(net, photo, wide_enough, pipeline)]


def _resize(tiles: Pixels, side: int) -> Pixels:
    """Square tiles (N, S, S, 3) at another size: cells stay visible when enlarged, nothing is skipped when shrunk."""
    pixels = torch.from_numpy(tiles).permute(0, 3, 1, 2).float()
    if pixels.shape[-1] > side:
        resized = interpolate(pixels, size=(side, side), mode="area")
    else:
        resized = interpolate(pixels, size=(side, side), mode="nearest-exact")
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
