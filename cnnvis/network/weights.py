"""Find the weights and load the network. What is in a weights file, `checkpoints.py` finds out.

The weights come from the first of these: the file that CNNVIS_WEIGHTS names, the Hub's file if it is already in the
Hub's cache, the bundled file. Nothing here waits for the internet unless CNNVIS_WEIGHTS is `hub`.
"""

import hashlib
import json
import logging
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from cnnvis.errors import GET_WHOLE_NETWORK, LayerError, SettingError, WeightsError
from cnnvis.hub import HUB_REPO, cached_file, download
from cnnvis.network.architecture import Architecture, Layer
from cnnvis.network.checkpoints import Checkpoint, read_checkpoint
from cnnvis.network.classes import CLASSES
from cnnvis.network.other_files import Unusable
from cnnvis.network.vgg import VGG16, Normalize, PhotoStatistics, build, with_classifier

BUNDLED = Path(__file__).parents[1] / "assets" / "vgg16_features.safetensors"
STATISTICS = Path(__file__).parents[1] / "assets" / "photo_statistics.safetensors"
SHELF = Path(__file__).parents[1] / "assets" / "shelf"
ATLAS = Path(__file__).parents[1] / "assets" / "atlas"

Source = Literal["bundled", "hub", "file"]
WAY_OUT = {
    "bundled": "restore it from the repository",
    "hub": "delete it from the Hub's cache",
    "file": "name another in CNNVIS_WEIGHTS, or unset it to use the bundled file",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """The file that a network's weights were read from."""

    source: Source
    path: Path
    sha256: str  # of the whole file
    stored_as: str  # the type in the file, such as float16; the network computes in float32
    classes: int = 0  # of the classifier in the file; 0: it has none that can be used
    batch_norm: bool = False  # whether the file's network has it; here it is folded into the convolutions
    rest: bool = False  # whether the file holds something else, such as another classifier, which is left out

    @property
    def full(self) -> bool:
        """Whether the file also holds a classifier for ImageNet's 1,000 classes."""
        return self.classes == len(CLASSES)

    def __str__(self) -> str:
        place = f"{HUB_REPO} {self.path.name}" if self.source == "hub" else f"{self.source} {self.path.name}"
        said = {
            "batch norm folded into the convolutions": self.batch_norm,
            f"its {self.classes} classes by number": self.classes and not self.full,
            "what else it holds left out": self.rest,
        }
        words = [f"{place}, {self.stored_as}", *(name for name, applies in said.items() if applies)]
        return ", ".join([*words, f"sha256 {self.sha256[:12]}"])

    def as_dict(self) -> dict[str, str | bool | int]:
        """The origin as plain values, ready for JSON; names the file without its folders."""
        return {
            "source": self.source,
            "file": self.path.name,
            "sha256": self.sha256,
            "stored_as": self.stored_as,
            "full": self.full,
            "classes": self.classes,
            "batch_norm": self.batch_norm,
        }


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """Choose the device: `wanted`, or the GPU if there is one. Raises SettingError if `wanted` does not exist here."""
    allowed = ["cpu"]
    if torch.cuda.is_available():
        allowed = ["cuda", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    name = allowed[0] if wanted is None else str(wanted)
    if name not in allowed:
        raise SettingError.not_one_of("device", name, allowed)
    return torch.device(name)


_loaded: dict[tuple[str, torch.device], VGG16] = {}
_loading = Lock()


def load_vgg16(device: str | torch.device | None = None) -> VGG16:
    """Load the convolutional half of VGG16, frozen, channels-last, on `device` (default: the GPU if there is one).

    If CNNVIS_WEIGHTS names the weights of VGG11, 13 or 19, it is that network: its `architecture` says so. It is read
    once for each device and each value of CNNVIS_WEIGHTS, and all callers share it: never write to it.
    Raises WeightsError.
    """
    wanted = _choice(), pick_device(device)
    if wanted not in _loaded:
        with _loading:
            if wanted not in _loaded:
                _loaded[wanted] = _load(*wanted)
    return _loaded[wanted]


def load_whole_vgg16(device: str | torch.device | None = None) -> VGG16:
    """Load VGG16 with its classifier, which the layer `class` and `top_classes` need.

    It has as many classes as the file's, and shares the convolutions of `load_vgg16`. The first call reads the
    classifier's 124 million weights.
    Raises WeightsError, also if the file in use has no classifier.
    """
    trunk = load_vgg16(device)
    key = f"{_choice()} whole", pick_device(device)
    with _loading:
        if key not in _loaded:
            _loaded[key] = _load_classifier(trunk, key[1])
    return _loaded[key]


def load_for(layer: Layer, device: str | torch.device | None = None) -> VGG16:
    """Load the network that `layer` needs: the whole one for `class`, otherwise the convolutions.

    Raises WeightsError, LayerError if `class` has another number of classes there.
    """
    trunk = load_vgg16(device)
    if layer.kind != "class":
        return trunk
    if trunk.origin.classes not in (0, layer.channels):
        raise LayerError.other_classes(trunk.origin.classes)
    return load_whole_vgg16(device)


def architecture_in_use() -> Architecture:
    """The architecture of the weights now chosen, with the classes that their file has. Raises WeightsError."""
    net = load_vgg16()
    return replace(net.architecture, classes=net.origin.classes)


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


def is_loaded() -> bool:
    """Whether `load_vgg16` has read the weights now chosen, for any device."""
    return any(choice == _choice() for choice, _ in list(_loaded))


def read_weights() -> tuple[dict[str, Tensor], Origin]:
    """Read the 26 tensors `features.N.weight` and `.bias` as float32 on the CPU, and say which file they are from.

    N is torchvision's for a network without batch norm. Raises WeightsError.
    """
    found, origin = _read_choice(_choice())
    indices = {layer.name: layer.index for layer in found.architecture.layers}
    parted = {name.partition(".")[::2]: tensor for name, tensor in found.trunk.items()}
    return {f"features.{indices[layer]}.{part}": tensor for (layer, part), tensor in parted.items()}, origin


def _choice() -> str:
    return os.path.expandvars(os.path.expanduser(os.environ.get("CNNVIS_WEIGHTS", "").strip()))


def _load(choice: str, device: torch.device) -> VGG16:
    # Weights made inside a caller's inference mode would refuse every later gradient.
    with torch.inference_mode(False):
        found, origin = _read_choice(choice)
        with torch.device("meta"):  # no memory for weights, and the caller's random numbers are left alone
            net = build(replace(found.architecture, classes=0))
        net.load_state_dict(found.trunk, assign=True)
        net[0] = Normalize()
        net.origin = origin
        if origin.source != "file":  # the statistics were measured with the published weights
            net.photo_statistics = _photo_statistics()
        net.usual, net.mean_activation = _usual(net) or (None, None)
        return net.to(device).to(memory_format=torch.channels_last).requires_grad_(False).eval()


def _load_classifier(trunk: VGG16, device: torch.device) -> VGG16:
    origin: Origin = trunk.origin
    if not origin.classes:
        found = "has another classifier than VGG16's" if origin.rest else "has no classifier, only the convolutions"
        raise WeightsError(f"weights file {origin.path.name!r} {found}: {GET_WHOLE_NETWORK}.")
    with torch.inference_mode(False):
        with torch.device("meta"):
            whole = with_classifier(trunk, origin.classes)
        for name, tensor in _read(origin.source, origin.path)[0].classifier.items():
            step, _, part = name.partition(".")
            # torchvision stores the first one flat, (4096, 512·7·7), in the same order.
            shape = getattr(whole.get_submodule(step), part).shape
            values = tensor.to(torch.float32, copy=True).reshape(shape).to(device)
            setattr(whole.get_submodule(step), part, nn.Parameter(values, requires_grad=False))
        return whole.to(memory_format=torch.channels_last)


def _photo_statistics() -> dict[str, PhotoStatistics] | None:
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


def _usual(net: VGG16) -> tuple[dict[str, PhotoStatistics], dict[str, Tensor]] | None:
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


def _read_choice(choice: str) -> tuple[Checkpoint, Origin]:
    if choice == "hub":
        return _read("hub", cached_file() or download())
    if choice:
        return _read("file", Path(choice))
    if cached := cached_file():
        try:
            return _read("hub", cached)
        except WeightsError as error:
            log.warning("%s Using the bundled file until then.", error.in_terminal())
    return _read("bundled", BUNDLED)


def _read(source: Source, path: Path) -> tuple[Checkpoint, Origin]:
    """Read one file and check its tensors."""
    try:
        found = read_checkpoint(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except Unusable as error:
        refusal = WeightsError(f"weights file {path.name!r} {error}: {error.way_out or WAY_OUT[source]}.")
        refusal.add_note(f"the file is {path.absolute()}")
        raise refusal from error
    return found, Origin(
        source, path, sha256, found.stored_as, found.architecture.classes, found.batch_norm, found.rest
    )
