"""How good a picture is, in numbers: what the saved file does to its channel, and what a disturbed one still does.

Activation alone rewards noise that only the network sees, so the two are always given together.
"""

import io
import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine, center_crop

from cnnvis.ascent import Snapshot
from cnnvis.images import PHOTO_SIDE, to_tensor
from cnnvis.vgg import Mixture, channels_of, check_mixture, cut, fast_dtype, find_layer, forward

ROBUST_COPIES = 16
ROBUST_JPEG = 75  # quality
ROBUST_TURN = 10.0  # degrees, each way
ROBUST_SCALE = (0.8, 1.2)
ROBUST_CROP = 0.75  # of the side
SATURATED = 2  # of 255: this close to black or white a colour channel counts as saturated
SLOPE_FREQUENCIES = (1 / 64, 1 / 4)  # cycles per px: above the picture's own size, below what JPEG and pixels spoil


@dataclass(frozen=True)
class Selectivity:
    """How far the picture lifts its channel above the others of the layer, each measured against ordinary photos."""

    rank: int  # 1: no other channel is lifted further
    of: int  # channels of the layer
    deviations: float  # the channel's own lift, in standard deviations of its values on the example photos


@dataclass(frozen=True)
class Score:
    """What one picture does to one channel."""

    saved_activation: float  # the channel's mean on the 8-bit picture at 224 px, float32; a conv layer's before ReLU
    robust: float  # the mean of the same over 16 compressed, turned, scaled and cropped copies
    fires: bool  # the map is above zero somewhere; False: the channel never fires on this picture
    saturation: float  # share of the colour values within 2/255 of black or white, 0 to 1
    naturalness: float | None  # slope of the power spectrum; photographs: about -2. None for a picture of one colour
    selectivity: Selectivity | None  # None for several channels, and networks whose answers to photos are not known

    def record(self) -> dict[str, Any]:
        """The score as plain values."""
        return asdict(self)


def score(net: nn.Sequential, picture: Image.Image, layer: str, channel: int | Mixture) -> Score:
    """Score an 8-bit picture for one channel of a layer, or for several with a weight each, as `maximize` climbs them.

    Robust activation (design of this project): JPEG of quality 75, then for each of 16 copies a turn of up to 10°, a
    scale of 0.8 to 1.2, bilinear on black, and the central 75 % of the side; always the same 16. A picture made of
    invisible noise loses almost everything there.
    Raises LayerError, ChannelError.
    """
    found = find_layer(layer)
    mixture = check_mixture(channel, channels_of(net, found.name), found.name)
    numbers = list(mixture)
    picture = picture.convert("RGB")
    shown = picture
    if picture.size != (PHOTO_SIDE, PHOTO_SIDE):
        shown = picture.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    device = next(net.parameters()).device
    steps = cut(net, found.name)
    with torch.inference_mode():
        saved = forward(steps, to_tensor(shown).to(device))[0]
        copies = forward(steps, disturbed_copies(shown).to(device), fast_dtype(device))[:, numbers]
    weights = torch.tensor(list(mixture.values()), device=device)
    return Score(
        saved_activation=float(weights @ saved[numbers].mean((1, 2))),
        robust=float(weights @ copies.mean((0, 2, 3))),
        fires=bool(saved[numbers].max() > 0),
        saturation=saturation(picture),
        naturalness=spectral_slope(picture),
        selectivity=_selectivity(net, found.name, numbers, saved.mean((1, 2)).cpu()),
    )


def saturation(picture: Image.Image) -> float:
    """The share of an RGB picture's colour values within 2/255 of black or white."""
    values = np.asarray(picture)
    return float(((values <= SATURATED) | (values >= 255 - SATURATED)).mean())


def spectral_slope(picture: Image.Image) -> float | None:
    """The slope of log power over log frequency of a picture's brightness; photographs have about -2 (Field 1987).

    Least squares over rings of one cycle per picture, between 1/64 and 1/4 cycles per px. None without any contrast.
    """
    grey = np.asarray(picture.convert("L"), dtype=np.float64)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))  # or the edges would pass for detail
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None])
    side = max(grey.shape)
    ring = np.round(frequency * side).astype(int).ravel()
    counts, sums = np.bincount(ring), np.bincount(ring, weights=power.ravel())
    rings = np.arange(len(counts))
    kept = (rings >= max(1, SLOPE_FREQUENCIES[0] * side)) & (rings <= SLOPE_FREQUENCIES[1] * side) & (sums > 0)
    if kept.sum() < 2 or not grey.std():
        return None
    slope, _ = np.polyfit(np.log(rings[kept]), np.log(sums[kept] / counts[kept]), 1)
    return float(slope)


def _selectivity(net: nn.Sequential, layer: str, channels: list[int], means: Tensor) -> Selectivity | None:
    """`means` are the layer's channel means on the picture, (channels,)."""
    usual = (getattr(net, "photo_statistics", None) or {}).get(layer)
    if usual is None or len(channels) > 1:
        return None
    (channel,) = channels
    mean, deviation = usual
    lift = (means - mean) / deviation.clamp_min(1e-6)
    return Selectivity(int((lift > lift[channel]).sum()) + 1, len(lift), float(lift[channel]))


def disturbed_copies(picture: Image.Image) -> Tensor:
    """The 16 copies of a 224 px picture that robust activation is measured on, (16, 3, 168, 168)."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=ROBUST_JPEG)
    compressed = to_tensor(Image.open(buffer))
    draw = random.Random(0)
    copies = []
    for _ in range(ROBUST_COPIES):
        angle, scale = draw.uniform(-ROBUST_TURN, ROBUST_TURN), draw.uniform(*ROBUST_SCALE)
        turned = affine(compressed, angle, [0, 0], scale, [0.0, 0.0], InterpolationMode.BILINEAR, [0.0])
        copies.append(center_crop(turned, [round(ROBUST_CROP * PHOTO_SIDE)] * 2))
    return torch.cat(copies)


def scored_record(net: nn.Sequential, snapshot: Snapshot) -> dict[str, Any]:
    """The record of a snapshot, with the score of its picture added: what an ascent ends with everywhere."""
    return {**snapshot.record(), **score(net, snapshot.picture, snapshot.layer, snapshot.channel).record()}
