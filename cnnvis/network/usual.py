"""What is usual for each channel on photos, and where shelf and atlas lie: what a network knows beside its weights."""

import hashlib
import json
import logging
import os
from functools import cache
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from cnnvis.network.vgg import VGG16, PhotoStatistics

log = logging.getLogger(__name__)

STATISTICS = Path(__file__).parents[1] / "assets" / "photo_statistics.safetensors"
SHELF = Path(__file__).parents[1] / "assets" / "shelf"
ATLAS = Path(__file__).parents[1] / "assets" / "atlas"


@cache
def tensors_sha256(net: VGG16) -> str:
    """The sha256 of a network's convolutions as little-endian float16, in the order of the layers.

    The bundled file, the Hub's and torchvision's `.pth` of the same network agree in it.
    """
    digest = hashlib.sha256()
    for layer in net.architecture.convolutions:
        for tensor in (net.get_submodule(layer).weight, net.get_submodule(layer).bias):
            assert isinstance(tensor, Tensor)
            digest.update(tensor.half().cpu().contiguous().numpy().astype("<f2").tobytes())
    return digest.hexdigest()


def photo_statistics() -> dict[str, PhotoStatistics] | None:
    """How the bundled weights respond to the photos of the shelf; made by benchmarks/make_statistics.py."""
    try:
        tables = load_file(STATISTICS)
        photos = int(tables.pop("photos"))
        return {layer: PhotoStatistics(mean, deviation, photos) for layer, (mean, deviation) in tables.items()}
    except Exception as error:  # missing or damaged in any way: a score then goes without selectivity
        log.warning("photo statistics %s cannot be read (%s): restore it from the repository.", STATISTICS.name, error)
        return None


def shelf_folder() -> Path:
    """The photo shelf in use: the one that CNNVIS_SHELF names, or the bundled one."""
    return Path(os.environ.get("CNNVIS_SHELF", "").strip() or SHELF)


def atlas_folder() -> Path:
    """The atlas in use: the one that CNNVIS_ATLAS names, or the bundled one."""
    return Path(os.environ.get("CNNVIS_ATLAS", "").strip() or ATLAS)


def usual_responses(net: VGG16) -> tuple[dict[str, PhotoStatistics], dict[str, Tensor]] | None:
    """How large each convolution's maps usually are: their maxima, and their means after ReLU, on the shelf in use.

    None if it does not know these weights.
    """
    folder = shelf_folder()
    try:
        about = json.loads((folder / "shelf.json").read_text(encoding="utf-8"))
        if about["weights_sha256"] != tensors_sha256(net):
            return None
        with safe_open(folder / "index.safetensors", framework="pt") as file:
            layers, tensor = net.architecture.convolutions, file.get_tensor
            maxima = {
                layer: PhotoStatistics(tensor(f"{layer}.mean"), tensor(f"{layer}.deviation"), about["count"])
                for layer in layers
            }
            return maxima, {layer: tensor(f"{layer}.usual") for layer in layers}
    except Exception as error:  # missing or damaged in any way: maps then go without the order "unusual"
        log.warning("photo shelf %s cannot be read (%s).", folder.name, error)
        return None
