"""Find the weights and load the network. Only this module reads weights from disk or from the Hugging Face Hub.

The weights come from the first of these: the file that CNNVIS_WEIGHTS names, the Hub's file if it is already in the
Hub's cache, the bundled file. Nothing here waits for the internet unless CNNVIS_WEIGHTS is `hub`.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from cnnvis.architecture import LAYERS, Layer
from cnnvis.errors import GET_WHOLE_NETWORK, SettingError, WeightsError
from cnnvis.vgg import VGG16, Normalize, PhotoStatistics, build, with_classifier

HUB_REPO = "timm/vgg16.tv_in1k"
HUB_FILE = "model.safetensors"
HUB_REVISION = "3394518cba29aee1ea82a49d971be90d2dd1dab7"
BUNDLED = Path(__file__).parent / "assets" / "vgg16_features.safetensors"
STATISTICS = Path(__file__).parent / "assets" / "photo_statistics.safetensors"
SHELF = Path(__file__).parent / "assets" / "shelf"
ATLAS = Path(__file__).parent / "assets" / "atlas"

# Our names of the 26 tensors to torchvision's: conv1_1.weight is features.0.weight.
KEYS = {
    f"{layer.name}.{part}": f"features.{layer.index}.{part}"
    for layer in LAYERS
    if layer.kind == "conv"
    for part in ("weight", "bias")
}
# Our names of the classifier's tensors to torchvision's, and to timm's.
CLASSIFIERS = tuple(
    {f"{step}.{part}": f"{name}.{part}" for step, name in names.items() for part in ("weight", "bias")}
    for names in (
        {"fc6": "classifier.0", "fc7": "classifier.3", "class": "classifier.6"},
        {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "class": "head.fc"},
    )
)
CLASSIFIER_KEYS = {key for names in CLASSIFIERS for key in names.values()}

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
    full: bool  # whether the file also holds the classifier

    def __str__(self) -> str:
        place = f"{HUB_REPO} {self.path.name}" if self.source == "hub" else f"{self.source} {self.path.name}"
        return f"{place}, {self.stored_as}, sha256 {self.sha256[:12]}"

    def as_dict(self) -> dict[str, str | bool]:
        """The origin as plain values, ready for JSON; names the file without its folders."""
        return {
            "source": self.source,
            "file": self.path.name,
            "sha256": self.sha256,
            "stored_as": self.stored_as,
            "full": self.full,
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

    It is read once for each device and each value of CNNVIS_WEIGHTS, and all callers share it: never write to it.
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

    It shares the convolutions of `load_vgg16`. The first call reads the classifier's 124 million weights.
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

    Raises WeightsError.
    """
    return load_whole_vgg16(device) if layer.kind == "class" else load_vgg16(device)


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

    Raises WeightsError.
    """
    return _read_choice(_choice())


def _choice() -> str:
    return os.environ.get("CNNVIS_WEIGHTS", "").strip()


def _load(choice: str, device: torch.device) -> VGG16:
    # Weights made inside a caller's inference mode would refuse every later gradient.
    with torch.inference_mode(False):
        state, origin = _read_choice(choice)
        net = _blank()
        net.load_state_dict({name: state[key] for name, key in KEYS.items()}, assign=True)
        net[0] = Normalize()
        net.origin = origin
        if origin.source != "file":  # the statistics were measured with the published weights
            net.photo_statistics = _photo_statistics()
        net.usual, net.mean_activation = _usual(net) or (None, None)
        return net.to(device).to(memory_format=torch.channels_last).requires_grad_(False).eval()


def _load_classifier(trunk: VGG16, device: torch.device) -> VGG16:
    origin: Origin = trunk.origin
    if not origin.full:
        found = f"has no classifier, only the convolutions: {GET_WHOLE_NETWORK}"
        raise WeightsError(f"weights file {origin.path.name!r} {found}.")
    with torch.inference_mode(False):
        with torch.device("meta"):
            whole = with_classifier(trunk)
        state, keys, _ = _open(origin.source, origin.path, CLASSIFIER_KEYS)
        names = next(names for names in CLASSIFIERS if set(names.values()) <= keys)
        for name, key in names.items():
            step, _, part = name.partition(".")
            blank = getattr(whole.get_submodule(step), part)
            tensor = state[key]
            if tensor.numel() != blank.numel():
                expected = f"not {tuple(blank.shape)}"
                raise _refusal(origin.source, origin.path, f"has {key} of shape {tuple(tensor.shape)}, {expected}")
            # torchvision stores the first one flat, (4096, 512·7·7), in the same order.
            values = tensor.to(torch.float32, copy=True).reshape(blank.shape).to(device)
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


def _blank() -> VGG16:
    """The network without memory for weights; building it leaves the caller's random numbers alone."""
    with torch.device("meta"):
        return build()


def _read_choice(choice: str) -> tuple[dict[str, Tensor], Origin]:
    if choice == "hub":
        return _read("hub", _cached() or _download())
    if choice:
        return _read("file", Path(choice))
    if cached := _cached():
        try:
            return _read("hub", cached)
        except WeightsError as error:
            log.warning("%s Using the bundled file until then.", error)
    return _read("bundled", BUNDLED)


def _cached() -> Path | None:
    try:
        path = try_to_load_from_cache(HUB_REPO, HUB_FILE, revision=HUB_REVISION)
    except OSError:  # treat an unreadable cache as none
        return None
    return Path(path) if isinstance(path, str) else None


def _download() -> Path:
    try:
        # Ask once, without retries: hf_hub_download alone takes 23 s to report that there is no network.
        get_hf_file_metadata(hf_hub_url(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
        return Path(hf_hub_download(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
    except Exception as error:  # the Hub client's, the disk's, the HTTP library's, Xet's: they share no base class
        raise WeightsError(
            f"weights file {HUB_FILE!r} of {HUB_REPO} could not be downloaded ({type(error).__name__}): "
            "check the connection and try again, or unset CNNVIS_WEIGHTS to use the bundled file."
        ) from error


def _read(source: Source, path: Path) -> tuple[dict[str, Tensor], Origin]:
    """Read one file and check its tensors."""
    state, keys, sha256 = _open(source, path, set(KEYS.values()))
    trunk: dict[str, Tensor] = {}
    for name, blank in _blank().state_dict().items():
        key = KEYS[name]
        tensor = state.get(key)
        if not isinstance(tensor, Tensor):
            raise _refusal(source, path, f"has no {key}")
        if tensor.shape != blank.shape:
            raise _refusal(source, path, f"has {key} of shape {tuple(tensor.shape)}, not {tuple(blank.shape)}")
        # Copy even from float32: a memory-mapped tensor would crash the process if the file were replaced.
        trunk[key] = tensor.to(torch.float32, copy=True)
        if not (tensor.is_floating_point() and trunk[key].isfinite().all()):
            raise _refusal(source, path, f"has values in {key} that are not finite numbers")
    stored_as = str(state["features.0.weight"].dtype).removeprefix("torch.")
    return trunk, Origin(source, path, sha256, stored_as, any(set(names.values()) <= keys for names in CLASSIFIERS))


def _open(source: Source, path: Path, wanted: set[str]) -> tuple[Mapping[str, Tensor], set[str], str]:
    """Read the `wanted` tensors as stored (a .pth gives all), the names of all tensors, and the file's sha256."""
    if path.suffix.lower() not in (".safetensors", ".pth"):
        raise _refusal(source, path, "is neither .safetensors nor .pth nor the word hub")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        state, keys = _open_pth(path) if path.suffix.lower() == ".pth" else _open_safetensors(path, wanted)
    except FileNotFoundError as error:
        raise _refusal(source, path, "does not exist") from error
    except Exception as error:  # a broken zip, pickle or header can raise almost anything
        raise _refusal(source, path, f"is truncated, damaged or no weights file ({type(error).__name__})") from error
    return state, keys, sha256


def _open_safetensors(path: Path, wanted: set[str]) -> tuple[dict[str, Tensor], set[str]]:
    with safe_open(path, framework="pt") as file:
        keys = set(file.keys())
        return {key: file.get_tensor(key) for key in keys & wanted}, keys


def _open_pth(path: Path) -> tuple[dict[str, Tensor], set[str]]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise TypeError(f"{type(state).__name__} instead of a state dict")
    return state, set(state)


def _refusal(source: Source, path: Path, found: str) -> WeightsError:
    return WeightsError(f"weights file {path.name!r} {found}: {WAY_OUT[source]}.")
