"""How good a picture is, in numbers: what the saved file does to its channel, and what a disturbed one still does.

Activation alone rewards noise that only the network sees, so the two are always given together.
"""

import io
import random
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine, center_crop

from cnnvis.ascent import Snapshot
from cnnvis.images import PHOTO_SIDE, to_tensor
from cnnvis.vgg import channels_of, check_channel, cut, fast_dtype, find_layer, forward

ROBUST_COPIES = 16
ROBUST_JPEG = 75  # quality
ROBUST_TURN = 10.0  # degrees, each way
ROBUST_SCALE = (0.8, 1.2)
ROBUST_CROP = 0.75  # of the side


@dataclass(frozen=True)
class Score:
    """What one picture does to one channel."""

    saved_activation: float  # the channel's mean on the 8-bit picture at 224 px, float32; a conv layer's before ReLU
    robust: float  # the mean of the same over 16 compressed, turned, scaled and cropped copies
    fires: bool  # the map is above zero somewhere; False: the channel never fires on this picture

    def record(self) -> dict[str, Any]:
        """The score as plain values."""
        return asdict(self)


def score(net: nn.Sequential, picture: Image.Image, layer: str, channel: int) -> Score:
    """Score an 8-bit picture for one channel of a layer.

    Robust activation (design of this project): JPEG of quality 75, then for each of 16 copies a turn of up to 10°, a
    scale of 0.8 to 1.2, bilinear on black, and the central 75 % of the side; always the same 16. A picture made of
    invisible noise loses almost everything there.
    Raises LayerError, ChannelError.
    """
    found = find_layer(layer)
    number = check_channel(channel, channels_of(net, found.name), found.name)
    picture = picture.convert("RGB")
    if picture.size != (PHOTO_SIDE, PHOTO_SIDE):
        picture = picture.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    device = next(net.parameters()).device
    steps = cut(net, found.name)
    with torch.inference_mode():
        saved = forward(steps, to_tensor(picture).to(device))[0, number]
        copies = forward(steps, disturbed_copies(picture).to(device), fast_dtype(device))[:, number]
    return Score(float(saved.mean()), float(copies.mean()), bool(saved.max() > 0))


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
