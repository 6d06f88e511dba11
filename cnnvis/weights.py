"""Where the weights come from, and the network with them inside: the only place for disk and network.

In order: what CNNVIS_WEIGHTS names, the Hub's file if it is already in the Hub's cache, the bundled file.
Nothing here waits for a network unless CNNVIS_WEIGHTS says `hub`.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from cnnvis.errors import SettingError, WeightsError
from cnnvis.vgg import CLASS, LAYERS, VGG16, Normalize, build, find_layer, with_classifier

HUB_REPO = "timm/vgg16.tv_in1k"
HUB_FILE = "model.safetensors"
HUB_REVISION = "3394518cba29aee1ea82a49d971be90d2dd1dab7"
BUNDLED = Path(__file__).parent / "assets" / "vgg16_features.safetensors"
STATISTICS = Path(__file__).parent / "assets" / "photo_statistics.safetensors"

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
WHOLE_WAY_OUT = "start with CNNVIS_WEIGHTS=hub to download the whole network (553 MB, once)"

Source = Literal["bundled", "hub", "file"]
WAY_OUT = {
    "bundled": "install cnnvis again",
    "hub": "delete it from the Hub's cache",
    "file": "name another in CNNVIS_WEIGHTS, or unset it to use the bundled file",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Which file a network's weights were read from."""

    source: Source
    path: Path
    sha256: str  # of the whole file
    stored_as: str  # float16; computed in float32 whatever it is
    full: bool  # the file holds the classifier too

    def __str__(self) -> str:
        place = f"{HUB_REPO} {self.path.name}" if self.source == "hub" else f"{self.source} {self.path.name}"
        return f"{place}, {self.stored_as}, sha256 {self.sha256[:12]}"

    def as_dict(self) -> dict[str, str | bool]:
        """The origin as plain values, ready for JSON; the file by its name, without the server's folders."""
        return {
            "source": self.source,
            "file": self.path.name,
            "sha256": self.sha256,
            "stored_as": self.stored_as,
            "full": self.full,
        }


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """The device to compute on: `wanted`, or the GPU if there is one; raises SettingError if `wanted` is not here."""
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
    """VGG16 with its weights, frozen, channels-last, on `device` (default: the GPU if there is one).

    Read once per process, however many threads ask; everyone gets the same network, so never write to it.
    Raises WeightsError.
    """
    wanted = _choice(), pick_device(device)
    if wanted not in _loaded:
        with _loading:
            if wanted not in _loaded:
                _loaded[wanted] = _load(*wanted)
    return _loaded[wanted]


def load_whole_vgg16(device: str | torch.device | None = None) -> VGG16:
    """VGG16 with its classifier, where the file in use has one: the layer `class` and `top_classes` need it.

    Its convolutions are `load_vgg16`'s own; the classifier, 124 million weights, is read at the first call.
    Raises WeightsError.
    """
    trunk = load_vgg16(device)
    key = f"{_choice()} whole", pick_device(device)
    with _loading:
        if key not in _loaded:
            _loaded[key] = _load_classifier(trunk, key[1])
    return _loaded[key]


def load_for(layer: str) -> VGG16:
    """The network that `layer` needs: the convolutions, or for the layer `class` all of it. Raises as they do."""
    return load_whole_vgg16() if find_layer(layer) is CLASS else load_vgg16()


def read_weights() -> tuple[dict[str, Tensor], Origin]:
    """The 26 tensors `features.N.weight` and `.bias` as float32 on the CPU, and the file they are from.

    Raises WeightsError.
    """
    return _read_choice(_choice())


def _choice() -> str:
    return os.environ.get("CNNVIS_WEIGHTS", "").strip()


def _load(choice: str, device: torch.device) -> VGG16:
    # A first call from inside somebody's inference mode would make weights that refuse every later gradient.
    with torch.inference_mode(False):
        state, origin = _read_choice(choice)
        net = _blank()
        net.load_state_dict({name: state[key] for name, key in KEYS.items()}, assign=True)
        net[0] = Normalize()
        net.origin = origin
        if origin.source != "file":  # somebody's own weights answer photos in their own way
            net.photo_statistics = _photo_statistics()
        return net.to(device).to(memory_format=torch.channels_last).requires_grad_(False).eval()


def _load_classifier(trunk: VGG16, device: torch.device) -> VGG16:
    origin: Origin = trunk.origin
    if not origin.full:
        found = f"has no classifier, only the convolutions: {WHOLE_WAY_OUT}"
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
            # torchvision's are flat, (4096, 512·7·7): the order of their numbers is the same.
            values = tensor.to(torch.float32, copy=True).reshape(blank.shape).to(device)
            setattr(whole.get_submodule(step), part, nn.Parameter(values, requires_grad=False))
        return whole.to(memory_format=torch.channels_last)


def _photo_statistics() -> dict[str, tuple[Tensor, Tensor]] | None:
    """What VGG16 answers to the example photos, made by benchmarks/make_statistics.py from the bundled weights."""
    if not STATISTICS.exists():
        return None
    return {layer: (mean, deviation) for layer, (mean, deviation) in load_file(STATISTICS).items()}


def _blank() -> VGG16:
    """The network without memory for its weights; building it draws no random numbers from the caller's seed."""
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
            log.warning("%s Until then the bundled file is used.", error)
    return _read("bundled", BUNDLED)


def _cached() -> Path | None:
    try:
        path = try_to_load_from_cache(HUB_REPO, HUB_FILE, revision=HUB_REVISION)
    except OSError:  # a cache that may not be read is no cache
        return None
    return Path(path) if isinstance(path, str) else None


def _download() -> Path:
    try:
        # Asked once, without retries: hf_hub_download alone takes 23 s to say that there is no network.
        get_hf_file_metadata(hf_hub_url(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
        return Path(hf_hub_download(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
    except Exception as error:  # the Hub client's own, the disk's, its HTTP library's, Xet's: they share no base
        raise WeightsError(
            f"weights file {HUB_FILE!r} of {HUB_REPO} could not be downloaded ({type(error).__name__}): "
            "try again with a network, or unset CNNVIS_WEIGHTS to use the bundled file."
        ) from error


def _read(source: Source, path: Path) -> tuple[dict[str, Tensor], Origin]:
    """The checked tensors of one file, and its origin."""
    state, keys, sha256 = _open(source, path, set(KEYS.values()))
    trunk: dict[str, Tensor] = {}
    for name, blank in _blank().state_dict().items():
        key = KEYS[name]
        tensor = state.get(key)
        if not isinstance(tensor, Tensor):
            raise _refusal(source, path, f"has no {key}")
        if tensor.shape != blank.shape:
            raise _refusal(source, path, f"has {key} of shape {tuple(tensor.shape)}, not {tuple(blank.shape)}")
        # A copy even from float32: a mapped tensor would take the process with it when the file is replaced.
        trunk[key] = tensor.to(torch.float32, copy=True)
        if not (tensor.is_floating_point() and trunk[key].isfinite().all()):
            raise _refusal(source, path, f"has values in {key} that are not finite numbers")
    stored_as = str(state["features.0.weight"].dtype).removeprefix("torch.")
    return trunk, Origin(source, path, sha256, stored_as, any(set(names.values()) <= keys for names in CLASSIFIERS))


def _open(source: Source, path: Path, wanted: set[str]) -> tuple[Mapping[str, Tensor], set[str], str]:
    """The `wanted` tensors as stored, the names of all tensors, and the file's sha256."""
    if path.suffix.lower() not in (".safetensors", ".pth"):
        raise _refusal(source, path, "is neither .safetensors nor .pth nor the word hub")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        state, keys = _open_pth(path) if path.suffix.lower() == ".pth" else _open_safetensors(path, wanted)
    except FileNotFoundError as error:
        raise _refusal(source, path, "does not exist") from error
    except Exception as error:  # a broken zip, pickle or header can raise nearly anything
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
