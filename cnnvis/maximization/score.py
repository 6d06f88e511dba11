"""Scores of a picture: how strongly the saved file activates its channel, and how strongly distorted copies still do.

Activation alone rewards noise that only the network sees, so the two are always given together.
"""

import io
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine, center_crop

from cnnvis.maximization.ascent import Snapshot
from cnnvis.network.architecture import Direction, Target
from cnnvis.network.precision import PLAIN, fast_dtype, full_precision
from cnnvis.network.vgg import VGG16, architecture_of, cut, forward, narrowed
from cnnvis.pictures.images import PHOTO_SIDE, Pictured, to_tensor
from cnnvis.pictures.photo import Photo, open_photo

MEASURED_FROM = 64  # px; a smaller picture is resized
ROBUST_COPIES = 16
COPIES_AT_ONCE = 4  # in one batch: a quarter of the memory, and on a CPU up to twice as fast
ROBUST_JPEG = 75  # quality
ROBUST_TURN = 10.0  # degrees, either way
ROBUST_SCALE = (0.8, 1.2)
ROBUST_CROP = 0.75  # of the side
SATURATED = 2  # of 255: a colour value this close to black or white counts as saturated
SLOPE_FREQUENCIES = (1 / 64, 1 / 4)  # cycles per px: waves of 64 to 4 px, which JPEG does not blur


@dataclass(frozen=True)
class Selectivity:
    """How far the picture lifts its channel above the channel's average on photos, compared with the other channels.

    A channel's lift: the mean of its map on the picture, minus its average on the photos, divided by its standard
    deviation on the photos.
    """

    rank: int  # of the channel's lift among its layer's; 1 is the largest
    of: int  # channels ranked: those whose response differs between the photos
    deviations: float  # the channel's lift, in standard deviations
    photos: int  # how many photos the average and the deviation were measured on


@dataclass(frozen=True)
class Score:
    """How one picture activates one channel."""

    saved_activation: float  # the channel's mean on the 8-bit picture, float32; in a conv layer, before ReLU
    robust: float  # the same over 16 compressed, rotated, scaled and cropped copies, in the device's fast precision
    fires: bool  # whether the map is above zero anywhere
    strongest: float  # the map's largest value on the same picture; photos are ranked by theirs
    saturation: float  # share of the colour values within 2/255 of black or white, 0 to 1
    naturalness: float | None  # slope of the power spectrum; photographs: about -2 to -3. None: all of one colour
    selectivity: Selectivity | None  # None where it is unknown: see `_selectivity`

    def record(self) -> dict[str, Any]:
        """The score as plain values."""
        return asdict(self)


def score(net: VGG16, picture: Photo, layer: str, channel: int | Direction | None = None) -> Score:
    """Score an 8-bit picture for one channel of a layer, or for a weighted sum of several.

    A square picture of 64 to 224 px is measured as it is; any other is resized to 224 px first (Lanczos).
    Robust activation is this project's own measure: the picture is compressed as JPEG of quality 75; then each of 16
    copies is rotated by up to 10°, scaled by 0.8 to 1.2 (bilinear, on black) and cropped to the central 75 % of the
    side. The 16 distortions are always the same. A picture made of invisible noise loses almost everything this way.
    Raises LayerError, ChannelError, PhotoError.
    """
    target = architecture_of(net).weighted_target(layer, channel)
    return score_target(net, open_photo(picture), target)


def score_target(net: VGG16, picture: Image.Image, target: Target) -> Score:
    """`score` for a target already checked."""
    picture = picture.convert("RGB")
    response = respond(net, as_measured(picture), target)
    return Score(
        saved_activation=response.activation, robust=response.robust, fires=response.fires,
        strongest=response.strongest, saturation=saturation(picture), naturalness=spectral_slope(picture),
        selectivity=_selectivity(net, target.layer.name, list(target.direction), response.means),
    )  # fmt: skip


def as_measured(picture: Image.Image) -> Image.Image:
    """A picture at the size at which it is measured: its own if it is square and 64 to 224 px, otherwise 224 px."""
    width, height = picture.size
    if width == height and MEASURED_FROM <= width <= PHOTO_SIDE:
        return picture
    return picture.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Response:
    """How a layer responds to a picture at the picture's own size."""

    activation: float  # the target's mean, in float32; in a convolution, before ReLU
    robust: float  # the same over 16 distorted copies, in the device's fast precision
    fires: bool  # whether the map of any of its channels is above zero anywhere
    strongest: float  # the target's largest value
    means: Tensor  # (channels,) on the CPU: the mean of every map of the layer


def respond(net: VGG16, picture: Image.Image, target: Target) -> Response:
    """Pass a square RGB picture and its 16 distorted copies through the network, none of them resized to 224 px."""
    numbers = list(target.direction)
    body, after = narrowed(net, target.layer, numbers)
    with full_precision(net.device), torch.inference_mode():
        maps = forward(cut(net, target.layer), to_tensor(picture).to(net.device))[0]
        batches = distorted_copies(picture).to(net.device).tensor_split(ROBUST_COPIES // COPIES_AT_ONCE)
        copies = torch.cat([after(forward(body, batch, fast_dtype(net.device))) for batch in batches])
        weights = torch.tensor(list(target.direction.values()), **PLAIN).to(net.device)
        activation, robust = weights @ maps[numbers].mean((1, 2)), weights @ copies.mean((0, 2, 3))
        strongest = torch.tensordot(weights, maps[numbers], 1).max()
    fires, means = bool(maps[numbers].max() > 0), maps.mean((1, 2)).cpu()
    return Response(float(activation), float(robust), fires, float(strongest), means)


def saturation(picture: Image.Image) -> float:
    """The share of an RGB picture's colour values that lie within 2/255 of black or white."""
    values = np.asarray(picture)
    return float(((values <= SATURATED) | (values >= 255 - SATURATED)).mean())


def spectral_slope(picture: Image.Image) -> float | None:
    """The slope of log power over log frequency of a picture's brightness; photographs: about -2 to -3 (Field 1987).

    It is fitted by least squares to rings one cycle per picture wide, from 1/64 to 1/4 cycles per px. None if the
    picture has no contrast.
    """
    grey = np.asarray(picture.convert("L"), dtype=np.float64)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))  # otherwise the edges count as detail
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


def _selectivity(net: VGG16, layer: str, channels: Sequence[int], means: Tensor) -> Selectivity | None:
    """Rank the channel's lift in its layer; `means` (channels,) holds the mean of each map on the picture.

    None for several channels, for a layer without statistics, and for a channel that responds the same to every photo.
    """
    usual = (net.photo_statistics or {}).get(layer)
    if usual is None or len(channels) > 1:
        return None
    (channel,) = channels
    varied = usual.deviation > 0  # a channel that is silent on every photo cannot be compared
    if not varied[channel]:
        return None
    lift = ((means - usual.mean) / usual.deviation)[varied]
    mine = float((means[channel] - usual.mean[channel]) / usual.deviation[channel])
    return Selectivity(int((lift > mine).sum()) + 1, len(lift), mine, usual.photos)


def distorted_copies(picture: Image.Image) -> Tensor:
    """Make the 16 copies of a square picture on which robust activation is measured: (16, 3, 168, 168) of 224 px."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=ROBUST_JPEG)
    compressed = to_tensor(Image.open(buffer))
    draw = random.Random(0)
    copies = []
    for _ in range(ROBUST_COPIES):
        angle, scale = draw.uniform(-ROBUST_TURN, ROBUST_TURN), draw.uniform(*ROBUST_SCALE)
        turned = affine(compressed, angle, [0, 0], scale, [0.0, 0.0], InterpolationMode.BILINEAR, [0.0])
        copies.append(center_crop(turned, [round(ROBUST_CROP * picture.width)] * 2))
    return torch.cat(copies)


@dataclass(frozen=True, repr=False)
class Finished(Pictured):
    """A finished ascent: its last snapshot, and the score of that picture."""

    snapshot: Snapshot
    score: Score

    @property
    def picture(self) -> Image.Image:  # type: ignore[override]  # a field elsewhere
        """The picture of the last step."""
        return self.snapshot.picture

    def record(self) -> dict[str, Any]:
        """The record of the last snapshot, with its score."""
        return {**self.snapshot.record(), **self.score.record()}


def scored_record(net: VGG16, snapshot: Snapshot) -> dict[str, Any]:
    """The record of a snapshot with the score of its picture: the record that ends every ascent."""
    architecture_of(net)  # refuses a network from elsewhere
    return {**snapshot.record(), **score_target(net, snapshot.picture, snapshot.target).record()}
