"""How a layer responds to a photo: all its feature maps, one map large, one channel through every convolution."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from cnnvis.errors import LayerError, SettingError
from cnnvis.network.architecture import CLASS, Layer, check_channel
from cnnvis.network.classes import class_names
from cnnvis.network.precision import full_precision
from cnnvis.network.vgg import VGG16, PhotoStatistics, architecture_of, cut
from cnnvis.pictures.images import (
    HEAT,
    PHOTO_SIDE,
    Pictured,
    Pixels,
    blend,
    colour,
    columns_for,
    contact_sheet,
    crop_like_training,
    signed,
    stretch,
    to_tensor,
)
from cnnvis.pictures.photo import Photo, open_photo

PIPELINES = ("network", "conv_chain")
ORDERS = ("index", "strength", "unusual")
CONTRASTS = ("map", "layer")
TILE_PX, GAP_PX = 56, 2
LARGE_PX = 448
DRAWN_AT_ONCE = 16  # maps
# Convolutions alone never pool, so at 224 px the chain costs 738 GMAC, 48 times the network. The photo is shrunk until
# the chain up to the chosen layer fits this budget, about half a second on two cores.
CHAIN_BUDGET = 30e9  # multiply-adds


@dataclass(frozen=True)
class Maps:
    """Every feature map of one layer for one photo."""

    layer: Layer
    pipeline: str
    values: Tensor  # (channels, h, w), float32 on the CPU
    inputs: Tensor  # (in_channels, h, w), what the layer read: maps, or at conv1_1 the photo, normalised in the network
    photo: Image.Image  # what the network saw, before normalisation
    usual: PhotoStatistics | None = None  # of the maxima of the convolution's maps on the shelf; None: unknown

    @property
    def strength(self) -> Tensor:
        """The mean of each map, (channels,); in a conv layer, before ReLU."""
        return self.values.mean((1, 2))

    @property
    def deviations(self) -> Tensor:
        """How far each map's maximum lies above its usual one, in standard deviations, (channels,)."""
        assert self.usual is not None  # see `check_looks`
        maxima = self.values.amax((1, 2))
        return (maxima - self.usual.mean) / self.usual.deviation.clamp_min(1e-9)

    def rectified(self) -> "Maps":
        """The maps of the ReLU after this conv layer: everything below zero becomes zero."""
        return replace(self, layer=self.layer.relu(), values=self.values.clamp_min(0), inputs=self.values)


@dataclass(frozen=True, repr=False)
class MapSheet(Pictured):
    """All feature maps of a layer on one contact sheet; tile i is channel `order[i]`."""

    picture: Image.Image
    layer: str
    pipeline: str
    channels: int
    size: list[int]  # [height, width] of one map
    input_side: int  # px, the side of the square picture that the network saw
    columns: int
    cell: int  # px from one tile to the next, the gap included
    gap: int  # px between tiles, to the right of each and below it
    order: list[int]
    strength: list[float]  # mean of each map, in the order of the tiles


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
    span: list[float]  # the values at the two ends of the colours
    size: list[int]  # [height, width] of the map itself


def feature_maps(net: VGG16, photo: Photo, layer: str, pipeline: str = "network") -> Maps:
    """Compute every map of `layer` for a photo.

    `network` is what VGG16 computes: torchvision's resize and crop to 224 px, normalisation, ReLUs, pooling.
    `conv_chain` is what the original notebooks (2020) do: they squash the whole photo to a square, do not normalise it,
    and apply nothing but the convolutions, one after the other. To keep deep layers affordable, their square is smaller
    (`chain_side`). With another number of threads, the last digits may differ.
    Raises LayerError, SettingError, PhotoError.
    """
    checked = check_layer(net, layer, pipeline)
    return compute_maps(net, open_photo(photo), [checked], pipeline)[0]


def check_layer(net: VGG16, layer: str, pipeline: str) -> Layer:
    """Find a layer that the pipeline has. Raises LayerError, SettingError."""
    checked = architecture_of(net).find(layer)
    SettingError.check("pipeline", pipeline, PIPELINES)
    if pipeline == "conv_chain" and checked.kind != "conv":
        raise LayerError(f"the conv_chain pipeline has convolutions only, so no {checked.name}: choose a conv layer.")
    return checked


def compute_maps(net: VGG16, picture: Image.Image, layers: Sequence[Layer], pipeline: str) -> list[Maps]:
    """Compute the maps of several layers, given in the order of the network, in one pass over an opened photo."""
    if pipeline == "network":
        part, seen = cut(net, layers[-1]), crop_like_training(picture)
    else:
        part, side = _convolutions_alone(net, layers[-1]), chain_side(net, layers[-1])
        seen = picture.resize((side, side), Image.Resampling.BILINEAR)
    wanted = {layer.name: layer for layer in layers}
    computed = []
    with full_precision(net.device), torch.inference_mode():
        values = to_tensor(seen).to(net.device)
        for name, module in part.named_children():
            inputs, values = values, module(values)
            if name in wanted:
                maps, read = values[0].float().cpu(), inputs[0].float().cpu()
                usual = net.usual.get(wanted[name].convolution) if net.usual and pipeline == "network" else None
                computed.append(Maps(wanted[name], pipeline, maps, read, seen, usual))
    return computed


def _convolutions_alone(net: VGG16, layer: Layer) -> nn.Sequential:
    children = cut(net, layer).named_children()
    return nn.Sequential(OrderedDict((name, child) for name, child in children if name.startswith("conv")))


def chain_side(net: VGG16, layer: Layer) -> int:
    """The side in px of the square photo that keeps the conv_chain pipeline up to `layer` affordable; at most 224."""
    parameters = _convolutions_alone(net, layer).parameters()
    multiply_adds = sum(weights.numel() for weights in parameters if weights.dim() == 4)  # per pixel; biases add none
    return min(PHOTO_SIDE, int((CHAIN_BUDGET / multiply_adds) ** 0.5))


def map_sheet(
    net: VGG16, photo: Photo, layer: str, pipeline: str = "network", order: str = "index", contrast: str = "map"
) -> MapSheet:
    """Draw all maps of a layer on one sheet: by channel number, strongest first or most unusual first.

    `order="strength"` goes by the map's mean, `"unusual"` by how many standard deviations its maximum lies above what
    is usual on the photo shelf, so that channels that are always on do not lead.
    `contrast="map"` stretches each map over its own range, `"layer"` stretches all of them over the layer's.
    Raises LayerError, SettingError, PhotoError.
    """
    checked = check_layer(net, layer, pipeline)
    check_looks(net, pipeline, order, contrast)
    return draw_sheet(compute_maps(net, open_photo(photo), [checked], pipeline)[0], order, contrast)


def check_looks(net: VGG16, pipeline: str, order: str, contrast: str) -> None:
    """Check how a sheet is to be drawn. Raises SettingError."""
    SettingError.check("order", order, ORDERS)
    SettingError.check("contrast", contrast, CONTRASTS)
    if order == "unusual" and not knows_usual(net, pipeline):
        raise SettingError("order unusual needs the network pipeline and a photo shelf made with these weights.")


def knows_usual(net: VGG16, pipeline: str) -> bool:
    """Whether maps can be ordered by how unusual they are."""
    return pipeline == "network" and net.usual is not None


def draw_sheet(maps: Maps, order: str = "index", contrast: str = "map") -> MapSheet:
    """Draw the contact sheet of maps already computed."""
    strength = maps.strength
    if order == "index":
        tiles = torch.arange(len(strength), device="cpu")
    else:
        tiles = (strength if order == "strength" else maps.deviations).argsort(descending=True, stable=True)
    low, high = maps.values.amin((1, 2), keepdim=True), maps.values.amax((1, 2), keepdim=True)
    if contrast == "layer":
        low, high = low.min().expand_as(low), high.max().expand_as(high)
    drawn = []
    for first in range(0, len(tiles), DRAWN_AT_ONCE):  # all at once would take 100 MB in shallow layers
        some = tiles[first : first + DRAWN_AT_ONCE]
        drawn.append(_resize(colour(stretch(maps.values[some], low[some], high[some]), HEAT), TILE_PX))
    columns = columns_for(len(tiles))
    return MapSheet(
        picture=contact_sheet(np.concatenate(drawn), columns, GAP_PX), layer=maps.layer.name, pipeline=maps.pipeline,
        channels=len(tiles), size=list(maps.values.shape[1:]), input_side=maps.photo.width, columns=columns,
        cell=TILE_PX + GAP_PX, gap=GAP_PX, order=tiles.tolist(), strength=strength[tiles].tolist(),
    )  # fmt: skip


def feature_map(
    net: VGG16, photo: Photo, layer: str, channel: int | None = None, pipeline: str = "network"
) -> FeatureMap:
    """Draw one channel's map, large, and as an overlay on the photo.

    Raises LayerError, ChannelError, SettingError, PhotoError.
    """
    target = architecture_of(net).target(layer, channel)
    check_layer(net, target.layer.name, pipeline)
    return draw_map(compute_maps(net, open_photo(photo), [target.layer], pipeline)[0], target.number)


def draw_map(maps: Maps, channel: int, px: int = LARGE_PX) -> FeatureMap:
    """Draw one of the maps already computed, `px` wide and high, by itself and as an overlay.

    The values of a conv layer have a sign: blue is below zero, orange above. In other layers the smallest is dark.
    """
    values = maps.values[channel]
    low, high = float(values.min()), float(values.max())
    if maps.layer.kind == "conv":
        high = max(high, -low)
        low, colours = -high, signed(values, high)
    else:
        colours = colour(stretch(values, low, high), HEAT)
    # ReLU discards what is below zero, so only the rest lights up. The overlay is smooth, because the cells of a
    # 14 × 14 map would hide the photo; the picture beside it shows the cells.
    fired = stretch(values.clamp_min(0), 0, values.max().clamp_min(0))
    glow = interpolate(fired[None, None], size=(px, px), mode="bilinear")[0, 0]
    photo = maps.photo.resize((px, px), Image.Resampling.BICUBIC)
    return FeatureMap(
        picture=Image.fromarray(_resize(colours[None], px)[0]),
        overlay=blend(photo, colour(glow, HEAT), 0.85 * glow), layer=maps.layer.name, channel=channel,
        pipeline=maps.pipeline, min=float(values.min()), max=float(values.max()), mean=float(values.mean()),
        span=[low, high], size=list(values.shape),
    )  # fmt: skip


def top_classes(net: VGG16, photo: Photo, count: int = 5) -> list[tuple[str, float]]:
    """Classify a photo: the most likely classes, by name where it is known, with their probabilities.

    Raises LayerError if the network has no classifier, PhotoError.
    """
    logits = feature_maps(net, photo, CLASS).values.flatten().double()
    probabilities = logits.softmax(0)
    likeliest = probabilities.argsort(descending=True)[:count]
    names = class_names(len(logits))
    return [(names[number], float(probabilities[number])) for number in likeliest.tolist()]


def channel_path(net: VGG16, photo: Photo, channel: int, pipeline: str = "network") -> list[FeatureMap]:
    """Draw the map of one channel number in every convolution, as the original notebooks (2020) do for channel 17.

    Convolutions too narrow to have that channel are left out (channel 100 begins at conv2_1).
    Raises ChannelError if no convolution has it, SettingError, PhotoError.
    """
    SettingError.check("pipeline", pipeline, PIPELINES)
    convolutions = [layer for layer in architecture_of(net).layers if layer.kind == "conv"]
    number = check_channel(channel, max(convolutions, key=lambda layer: layer.channels))
    wide_enough = [layer for layer in convolutions if number < layer.channels]
    return [draw_map(maps, number) for maps in compute_maps(net, open_photo(photo), wide_enough, pipeline)]


def _resize(tiles: Pixels, side: int) -> Pixels:
    """Resize square tiles (N, S, S, 3): enlarged, the cells stay visible; shrunk, every pixel counts."""
    pixels = torch.from_numpy(tiles).permute(0, 3, 1, 2).float()
    mode = "area" if pixels.shape[-1] > side else "nearest-exact"
    return interpolate(pixels, size=(side, side), mode=mode).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
