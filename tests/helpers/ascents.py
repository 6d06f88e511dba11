"""Small ascents on toy networks, and plain code to compare their pictures with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import normalize, pil_to_tensor

from cnnvis.maximization.ascent import Snapshot, maximize
from cnnvis.network.vgg import VGG16, cut
from helpers import EXAMPLES

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAT = EXAMPLES / "chelsea.jpg"


def begin(net: VGG16, layer: str, channel: int, settings: Any = "fourier", **more: Any) -> Iterator[Snapshot]:
    """Start a small ascent that yields a snapshot of every step. Deepdream starts from the photo of the cat."""
    start = {"start": CAT} if "deepdream" in (settings, getattr(settings, "recipe", None)) else {}
    return maximize(net, layer, channel, settings, **{"size": 64, "steps": 6, "every": 0, **start, **more})


def run(net: VGG16, layer: str, channel: Any, settings: Any = "fourier", **more: Any) -> list[Snapshot]:
    """Run a small ascent and return a snapshot of every step."""
    return list(begin(net, layer, channel, settings, **more))


def pixels(picture: Image.Image) -> NDArray[np.int64]:
    return np.asarray(picture).astype(int)


def activations(snapshots: list[Snapshot]) -> list[float]:
    """Return the activation of every step. The start has none."""
    assert snapshots[0].activation is None
    return [snapshot.activation for snapshot in snapshots[1:] if snapshot.activation is not None]


def same(first: Image.Image, second: Image.Image) -> bool:
    return first.tobytes() == second.tobytes()


def maps_of(net: VGG16, picture: Image.Image, layer: str) -> Tensor:
    """Compute a layer's maps of a finished picture, with torchvision's normalisation."""
    maps: Tensor = cut(net, layer)[1:](normalize(pil_to_tensor(picture)[None] / 255, MEAN, STD))[0]
    return maps
