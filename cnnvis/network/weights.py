"""Find the weights and load the network; `checkpoints.py` reads the file.

The weights come from the file CNNVIS_WEIGHTS names; without one, from the Hub's file if it is in the Hub's cache, and
otherwise from the bundled file. Nothing here uses the internet unless CNNVIS_WEIGHTS is `hub`.
"""

import hashlib
import logging
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
from cnnvis.network.usual import path_in, photo_statistics, usual_responses
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
    """The file a network's weights were read from."""

    source: Source
    path: Path
    sha256: str  # of the whole file
    stored_as: str  # the dtype in the file, such as float16; the network computes in float32
    classes: int = 0  # of the file's classifier; 0: it has none that can be used
    batch_norm: bool = False  # whether the file has it; it is folded into the convolutions
    rest: bool = False  # whether the file holds anything else, such as another classifier; it is left out
    network: str = ""  # if the file holds several, such as a model and its average: this one's name in it, the first

    @property
    def full(self) -> bool:
        """Whether the file also holds a classifier for ImageNet's 1,000 classes."""
        return self.classes == len(CLASSES)

    def __str__(self) -> str:
        notes = {
            "batch norm folded into the convolutions": self.batch_norm,
            f"{self.classes} classes by number": self.classes and not self.full,
            "other contents left out": self.rest,
            f"the first of its networks: {self.network}": self.network,
        }
        words = [f"{HUB_REPO if self.source == 'hub' else self.source} {self.path.name}", self.stored_as]
        return ", ".join([*words, *(note for note, applies in notes.items() if applies), f"sha256 {self.sha256[:12]}"])

    def as_dict(self) -> dict[str, str | bool | int]:
        """The origin as plain values, ready for JSON; the file is named without its folders."""
        fields = {
            name: getattr(self, name) for name in ("sha256", "stored_as", "full", "classes", "batch_norm", "network")
        }
        return {"source": self.source, "file": self.path.name, **fields}


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """Choose the device: `wanted`, or the GPU if there is one. Raises SettingError if there is no such device."""
    allowed = ["cpu"]
    if torch.cuda.is_available():
        allowed = ["cuda", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    name = allowed[0] if wanted is None else str(wanted)
    if name not in allowed:
        raise SettingError.not_one_of("device", name, allowed)
    return torch.device(name)


def load_vgg16(device: str | torch.device | None = None) -> VGG16:
    """Load the convolutional half of VGG16, frozen, channels-last, on `device` (default: the GPU if there is one).

    If CNNVIS_WEIGHTS names the weights of VGG11, 13 or 19, it is that network; its `architecture` says so. It is read
    once for each device and each value of CNNVIS_WEIGHTS, and all callers share it, so never write to it.
    Raises WeightsError.
    """
    wanted = _choice(), pick_device(device)
    if wanted not in _loaded:
        with _loading:
            if wanted not in _loaded:
                _loaded[wanted] = _load(*wanted)
    return _loaded[wanted]


def load_whole_vgg16(device: str | torch.device | None = None) -> VGG16:
    """Load VGG16 with its classifier, as the layer `class` and `top_classes` need it.

    It has as many classes as the file, and shares the convolutions of `load_vgg16`. The first call reads the
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
    """Load the network `layer` needs: with the classifier for `class`, otherwise the convolutions alone.

    Raises WeightsError, and LayerError if `class` has another number of classes in these weights.
    """
    trunk = load_vgg16(device)
    if layer.kind != "class":
        return trunk
    if trunk.origin.classes not in (0, layer.channels):
        raise LayerError.other_classes(trunk.origin.classes)
    return load_whole_vgg16(device)


def architecture_in_use() -> Architecture:
    """The architecture of the chosen weights, with their file's classes. Raises WeightsError."""
    net = load_vgg16()
    return replace(net.architecture, classes=net.origin.classes)


def is_loaded() -> bool:
    """Whether `load_vgg16` has read the chosen weights, for any device."""
    return any(choice == _choice() for choice, _ in list(_loaded))


def read_weights() -> tuple[dict[str, Tensor], Origin]:
    """Read the 26 tensors `features.N.weight` and `.bias` as float32 on the CPU, and the file they are from.

    N is torchvision's for a network without batch norm. Raises WeightsError.
    """
    checkpoint, origin = _read_choice(_choice())
    indices = {layer.name: layer.index for layer in checkpoint.architecture.layers}
    keys = {key: key.partition(".")[::2] for key in checkpoint.trunk}
    return {f"features.{indices[name]}.{part}": checkpoint.trunk[key] for key, (name, part) in keys.items()}, origin


def _choice() -> str:
    return path_in("CNNVIS_WEIGHTS")


def _load(choice: str, device: torch.device) -> VGG16:
    with torch.inference_mode(False):  # weights made inside a caller's would refuse every later gradient
        checkpoint, origin = _read_choice(choice)
        with torch.device("meta"):  # takes no memory for weights, and none of the caller's random numbers
            net = build(replace(checkpoint.architecture, classes=0))
        net.load_state_dict(checkpoint.trunk, assign=True)
        net[0] = Normalize()
        net.origin = origin
        if origin.source != "file":  # the statistics were measured with the published weights
            net.photo_statistics = photo_statistics()
        for name, tables in usual_responses(net).items():
            setattr(net, name, tables)
        return net.to(device).to(memory_format=torch.channels_last).requires_grad_(False).eval()


def _load_classifier(trunk: VGG16, device: torch.device) -> VGG16:
    origin: Origin = trunk.origin
    if not origin.classes:
        what = "has a classifier that is not VGG16's" if origin.rest else "has no classifier, only the convolutions"
        raise WeightsError(f"weights file {origin.path.name!r} {what}: {GET_WHOLE_NETWORK}.")
    with torch.inference_mode(False):
        with torch.device("meta"):
            whole = with_classifier(trunk, origin.classes)
        for name, tensor in _read(origin.source, origin.path)[0].classifier.items():
            child, _, part = name.partition(".")
            module = whole.get_submodule(child)
            shape = getattr(module, part).shape  # torchvision stores the first one flat, (4096, 512·7·7)
            values = tensor.to(torch.float32, copy=True).reshape(shape).to(device)
            setattr(module, part, nn.Parameter(values, requires_grad=False))
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
        checkpoint = read_checkpoint(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except Unusable as error:
        refusal = WeightsError(f"weights file {path.name!r} {error}: {error.way_out or WAY_OUT[source]}.")
        refusal.add_note(f"the file is {path.absolute()}")
        raise refusal from error
    about = {name: getattr(checkpoint, name) for name in ("stored_as", "batch_norm", "rest", "network")}
    return checkpoint, Origin(source, path, sha256, classes=checkpoint.architecture.classes, **about)


def cached_file() -> Path | None:
    """The weights file in the Hub's cache, if there is one."""
    try:
        path = try_to_load_from_cache(HUB_REPO, HUB_FILE, revision=HUB_REVISION)
    except OSError:  # an unreadable cache counts as none
        return None
    return Path(path) if isinstance(path, str) else None


def download() -> Path:
    """Download the weights file into the Hub's cache. Raises WeightsError."""
    try:
        # Ask once first: with its retries, hf_hub_download takes 23 s to report that there is no network.
        get_hf_file_metadata(hf_hub_url(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
        return Path(hf_hub_download(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
    except Exception as error:  # from the Hub's client, the disk, HTTP or Xet: they share no base class
        raise WeightsError(
            f"weights file {HUB_FILE!r} of {HUB_REPO} could not be downloaded ({type(error).__name__}): "
            "check the connection and try again, or unset CNNVIS_WEIGHTS to use the bundled file."
        ) from error
