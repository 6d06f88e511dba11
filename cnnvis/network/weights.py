"""Find the weights and load the network. What is in a weights file, `checkpoints.py` finds out.

The weights come from the first of these: the file that CNNVIS_WEIGHTS names, the Hub's file if it is already in the
Hub's cache, the bundled file. Nothing here waits for the internet unless CNNVIS_WEIGHTS is `hub`.
"""

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Literal

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from torch import Tensor, nn

from cnnvis.errors import GET_WHOLE_NETWORK, LayerError, SettingError, WeightsError
from cnnvis.network.architecture import Architecture, Layer
from cnnvis.network.checkpoints import Checkpoint, read_checkpoint
from cnnvis.network.classes import CLASSES
from cnnvis.network.other_files import Unusable
from cnnvis.network.usual import photo_statistics, usual_responses
from cnnvis.network.vgg import VGG16, Normalize, build, with_classifier

BUNDLED = Path(__file__).parents[1] / "assets" / "vgg16_features.safetensors"
Source = Literal["bundled", "hub", "file"]
WAY_OUT = {
    "bundled": "restore it from the repository",
    "hub": "delete it from the Hub's cache",
    "file": "name another in CNNVIS_WEIGHTS, or unset it to use the bundled file",
}
log = logging.getLogger(__name__)
_loaded: dict[tuple[str, torch.device], VGG16] = {}
_loading = Lock()
HUB_REPO = "timm/vgg16.tv_in1k"
HUB_FILE = "model.safetensors"
HUB_REVISION = "3394518cba29aee1ea82a49d971be90d2dd1dab7"


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
            net.photo_statistics = photo_statistics()
        net.usual, net.mean_activation = usual_responses(net) or (None, None)
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


def cached_file() -> Path | None:
    """The file in the Hub's cache, if it is there."""
    try:
        path = try_to_load_from_cache(HUB_REPO, HUB_FILE, revision=HUB_REVISION)
    except OSError:  # treat an unreadable cache as none
        return None
    return Path(path) if isinstance(path, str) else None


def download() -> Path:
    """Download the file into the Hub's cache. Raises WeightsError."""
    try:
        # Ask once, without retries: hf_hub_download alone takes 23 s to report that there is no network.
        get_hf_file_metadata(hf_hub_url(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
        return Path(hf_hub_download(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
    except Exception as error:  # the Hub client's, the disk's, the HTTP library's, Xet's: they share no base class
        raise WeightsError(
            f"weights file {HUB_FILE!r} of {HUB_REPO} could not be downloaded ({type(error).__name__}): "
            "check the connection and try again, or unset CNNVIS_WEIGHTS to use the bundled file."
        ) from error
