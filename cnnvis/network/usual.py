"""What a network knows besides its weights: its usual responses, and where shelf, atlas and concepts are."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from cnnvis.network.vgg import VGG16, PhotoStatistics

log = logging.getLogger(__name__)

_ASSETS = Path(__file__).parents[1] / "assets"
STATISTICS = _ASSETS / "photo_statistics.safetensors"
SHELF, ATLAS, CONCEPTS = _ASSETS / "shelf", _ASSETS / "atlas", _ASSETS / "concepts"
SPREAD = ("spread", "border", "border_spread")  # what a shelf's index has since version 2


@cache
def tensors_sha256(net: VGG16) -> str:
    """The sha256 of a network's convolutions as little-endian float16, in the order of the layers.

    It is the same for the bundled file, the Hub's and torchvision's `.pth` of one network.
    """
    digest = hashlib.sha256()
    for layer in net.architecture.convolutions:
        for tensor in (net.get_submodule(layer).weight, net.get_submodule(layer).bias):
            assert isinstance(tensor, Tensor)
            digest.update(tensor.half().cpu().contiguous().numpy().astype("<f2").tobytes())
    return digest.hexdigest()


def photo_statistics() -> dict[str, PhotoStatistics] | None:
    """How the bundled weights respond to the shelf's photos; made by benchmarks/make_statistics.py."""
    try:
        tables = load_file(STATISTICS)
        photos = int(tables.pop("photos"))
        return {layer: PhotoStatistics(mean, deviation, photos) for layer, (mean, deviation) in tables.items()}
    except Exception as error:  # missing or damaged in any way: a score then has no selectivity
        log.warning("photo statistics %s cannot be read (%s): restore it from the repository.", STATISTICS.name, error)
        return None


def path_in(variable: str) -> str:
    """The path that an environment variable holds, or ""; `~` and `$NAME` in it mean what they mean to a shell."""
    return os.path.expandvars(os.path.expanduser(os.environ.get(variable, "").strip()))


def shelf_folder() -> Path:
    """The photo shelf in use: the one CNNVIS_SHELF names, or the bundled one."""
    return Path(path_in("CNNVIS_SHELF") or SHELF)


def atlas_folder() -> Path:
    """The atlas in use: the one CNNVIS_ATLAS names, or the bundled one."""
    return Path(path_in("CNNVIS_ATLAS") or ATLAS)


def concepts_folder() -> Path:
    """The concepts in use: those that CNNVIS_CONCEPTS names, or the bundled ones."""
    return Path(path_in("CNNVIS_CONCEPTS") or CONCEPTS)


def usual_responses(net: VGG16) -> dict[str, Mapping[str, Any]]:
    """How large each convolution's maps usually are on the shelf in use, by the network's attribute, then by layer.

    None of them if the shelf was not made with these weights; one of version 1 lacks what `SPREAD` names.
    """
    folder = shelf_folder()
    try:
        about = json.loads((folder / "shelf.json").read_text(encoding="utf-8"))
        if about["weights_sha256"] != tensors_sha256(net):
            return {}
        with safe_open(folder / "index.safetensors", framework="pt") as file:
            layers, tensor, photos = net.architecture.convolutions, file.get_tensor, about["count"]
            table = ((layer, tensor(f"{layer}.mean"), tensor(f"{layer}.deviation")) for layer in layers)
            maxima = {layer: PhotoStatistics(mean, deviation, photos) for layer, mean, deviation in table}
            names = {"mean_activation": "usual"} | ({name: name for name in SPREAD} if about["version"] > 1 else {})
            tables = {name: {layer: tensor(f"{layer}.{of}") for layer in layers} for name, of in names.items()}
            return {"usual": maxima, **tables}
    except Exception as error:  # missing or damaged in any way: maps then have no order "unusual"
        log.warning("photo shelf %s cannot be read (%s).", folder.name, error)
        return {}
