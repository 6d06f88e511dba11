"""Find the VGG in a weights file, whatever names and wrapping it was saved with.

The content of the file counts, not its suffix. Nothing but tensors is ever unpickled.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from cnnvis.network.architecture import ARCHITECTURE, ARCHITECTURES, CLASSIFIER_CELLS, Architecture
from cnnvis.network.other_files import Unusable, refusal_of_pickle, refuse_archive, refuse_beginning
from cnnvis.network.vgg import CLASSIFIER_WIDTH

# The classifier's modules: our names to torchvision's, and to timm's.
CLASSIFIERS: tuple[Mapping[str, str], ...] = (
    {"fc6": "classifier.0", "fc7": "classifier.3", "class": "classifier.6"},
    {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "class": "head.fc"},
)
# What torch.compile, DataParallel and the like put between the names of a module and its parts, at any place.
WRAPPERS = r"((_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)*"
BEFORE_QUANTISING = "save the network before that, in a floating-point type"
BATCH_NORM_EPSILON = 1e-5  # PyTorch's default; files do not hold it
MAX_NAME = 60  # characters of a name in a file that messages repeat
MAX_NESTING = 4  # how deep to look for tensors in dictionaries within dictionaries

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The VGG in a file."""

    architecture: Architecture  # `classes` is 0 if there is no classifier that can be used
    trunk: Tensors  # `conv1_1.weight`, `conv1_1.bias`, …: float32 copies, batch norm folded in
    classifier: Tensors  # `fc6.weight`, …, `class.bias`, as stored and mapped from the file; or empty
    stored_as: str  # the dtype in the file, such as float16
    batch_norm: bool
    rest: bool  # whether the file holds anything else; it is left out
    network: str = ""  # if the file holds several: the name of this one in it, such as "model.features"


@dataclass(frozen=True)
class _Layout:
    """Where the convolutions are: their keys are `prefix`, a number, and `.weight` or `.bias`."""

    architecture: Architecture
    batch_norm: bool
    prefix: str

    def name(self, within: str) -> str:
        """Where the convolutions are in the whole file; their dictionary is `within`."""
        return f"{within}{self.prefix}".rstrip(".")[:MAX_NAME] or "the outermost"

    def numbers(self) -> dict[str, int]:
        """Each convolution's number in torchvision's `features`; every batch norm before it adds one."""
        convolutions = [layer for layer in self.architecture.layers if layer.kind == "conv"]
        return {layer.name: layer.index + self.batch_norm * (layer.depth - 1) for layer in convolutions}


_LAYOUTS = [_Layout(architecture, batch_norm, "") for architecture in ARCHITECTURES for batch_norm in (False, True)]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file and check every tensor of the VGG in it. Raises Unusable."""
    candidates = list(_dictionaries(_content(path)))
    if not candidates:
        raise Unusable("holds no named tensors")
    networks = [(within, layout, tensors) for within, tensors in candidates for layout in _layouts(tensors)]
    if not networks:
        raise Unusable(_unknown(max((tensors for _, tensors in candidates), key=len)))
    within, layout, tensors = networks[0]
    checkpoint = _checkpoint(layout, tensors)
    return replace(checkpoint, network=layout.name(within)) if len(networks) > 1 else checkpoint


def _content(path: Path) -> object:
    """The content of a file; large tensors stay on the disk until they are used."""
    if path.is_dir():
        raise Unusable("is a folder", "name the file in it")
    try:
        with path.open("rb") as file:
            start = file.read(512)
        refuse_beginning(start)
        if start[8:9] == b"{":
            with safe_open(path, framework="pt") as opened:
                return {key: opened.get_tensor(key) for key in list(opened.keys())}
        zipped = start.startswith(b"PK")
        if zipped:
            refuse_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old types of tensors: what becomes of them is said here
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Unusable:
        raise
    except FileNotFoundError as error:
        raise Unusable("does not exist") from error
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # a broken zip, pickle or header can raise almost anything
        raise refusal_of_pickle(path, error) from error


def _dictionaries(content: object, within: str = "", depth: int = MAX_NESTING) -> Iterator[tuple[str, Tensors]]:
    """The dictionaries of tensors in a file's content, outermost first, and where they are, as in "model.weights."."""
    if not isinstance(content, Mapping) or not depth:
        return
    named = ((key, value) for key, value in content.items() if isinstance(key, str))
    if tensors := {key: value.detach() for key, value in named if isinstance(value, Tensor)}:
        yield within, tensors
    for key, value in content.items():
        yield from _dictionaries(value, f"{within}{key}.", depth - 1)


def _layouts(tensors: Tensors) -> Iterator[_Layout]:
    """Where the convolutions are of each VGG among these tensors."""
    for prefix, numbers in _numbered(tensors).items():
        for layout in _LAYOUTS:
            if numbers == set(layout.numbers().values()):
                yield replace(layout, prefix=prefix)


def _numbered(tensors: Tensors) -> dict[str, set[int]]:
    """The numbers of the convolutions in each sequence of modules, by the prefix of their keys."""
    numbered = defaultdict(set)
    for key, tensor in tensors.items():
        name = re.fullmatch(r"(|.*\.)(\d+)\.weight", key)
        if name and tensor.ndim == 4:
            numbered[name[1]].add(int(name[2]))
    return numbered


def _unknown(tensors: Tensors) -> str:
    """What tensors without a VGG are instead: too few of one, or another network's."""
    for numbers in _numbered(tensors).values():
        for layout in (_Layout(ARCHITECTURE, False, ""), *_LAYOUTS):  # the first few fit any VGG: name VGG16 then
            expected = sorted(layout.numbers().values())
            if len(numbers) > 1 and sorted(numbers) == expected[: len(numbers)]:
                return f"has only {len(numbers)} of the {len(expected)} convolutions of {layout.architecture.name}"
    name, first = next(iter(tensors.items()))
    return f"is not a VGG that cnnvis knows: it begins with {name[:MAX_NAME]!r} of shape {tuple(first.shape)}"


def _checkpoint(layout: _Layout, tensors: Tensors) -> Checkpoint:
    trunk, classifier = _trunk(layout, tensors), _classifier(layout, tensors)
    architecture = replace(layout.architecture, classes=len(classifier.get("class.bias", ())))
    others = any(not re.match(rf"{re.escape(layout.prefix)}\d+\.", key) for key in tensors)
    stored_as = _dtype(tensors[f"{layout.prefix}0.weight"])
    return Checkpoint(architecture, trunk, classifier, stored_as, layout.batch_norm, rest=others and not classifier)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _trunk(layout: _Layout, tensors: Tensors) -> Tensors:
    """The convolutions under our names, checked. Raises Unusable."""
    channels = tensors[f"{layout.prefix}0.weight"].shape[1]
    if channels != 3:
        have = "one input channel" if channels == 1 else f"{channels} input channels"
        raise Unusable(f"has {have}, not three for red, green and blue")
    trunk: dict[str, Tensor] = {}
    for name, number in layout.numbers().items():
        key, width = f"{layout.prefix}{number}", layout.architecture.find(name).channels
        weight = _checked(tensors, f"{key}.weight", (width, channels, 3, 3))
        bias = _checked(tensors, f"{key}.bias", (width,))
        if layout.batch_norm:
            weight, bias = _folded(weight, bias, tensors, f"{layout.prefix}{number + 1}")
        trunk |= {f"{name}.weight": weight, f"{name}.bias": bias}
        channels = width
    return trunk


def _checked(tensors: Tensors, key: str, shape: tuple[int, ...]) -> Tensor:
    """A float32 copy of a tensor: one mapped from the file would crash the process once the file is replaced."""
    tensor = tensors.get(key)
    if tensor is None:
        raise Unusable(f"has no {key}")
    if tensor.shape != shape:
        raise Unusable(f"has {key} of shape {tuple(tensor.shape)}, not {shape}")
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise Unusable(f"is quantised ({key} is {_dtype(tensor)})", BEFORE_QUANTISING)
    copied = tensor.to(torch.float32, copy=True) if _holds_numbers(tensor) else None
    if copied is None or not copied.isfinite().all():
        raise Unusable(f"has values in {key} that are not finite numbers")
    return copied


def _holds_numbers(tensor: Tensor) -> bool:
    """Whether a tensor holds floating-point values; one saved from the device "meta" holds none."""
    return tensor.is_floating_point() and tensor.device.type == "cpu" and tensor.layout == torch.strided


def _folded(weight: Tensor, bias: Tensor, tensors: Tensors, key: str) -> tuple[Tensor, Tensor]:
    """Weight and bias that do the work of a convolution and the batch norm `key` after it, in eval mode."""
    parts = ("running_mean", "running_var", "weight", "bias")
    mean, variance, scale, shift = (_checked(tensors, f"{key}.{part}", tuple(bias.shape)).double() for part in parts)
    gain = scale / (variance + BATCH_NORM_EPSILON).sqrt()
    return (weight * gain.view(-1, 1, 1, 1)).float(), ((bias - mean) * gain + shift).float()


def _classifier(layout: _Layout, tensors: Tensors) -> Tensors:
    """The classifier under our names; empty if there is none, or one of another shape."""
    base, width = re.sub(rf"features\.{WRAPPERS}$", "", layout.prefix), CLASSIFIER_WIDTH
    beside = {re.sub(rf"\.{WRAPPERS}", ".", key[len(base) :]): key for key in tensors if key.startswith(base)}
    for names in CLASSIFIERS:
        keys = {f"{ours}.{part}": f"{name}.{part}" for ours, name in names.items() for part in ("weight", "bias")}
        held = {ours: tensors[beside[key]] for ours, key in keys.items() if key in beside}
        if len(held) == len(keys):
            inputs = {"fc6": layout.architecture.widths[-1] * CLASSIFIER_CELLS**2, "fc7": width, "class": width}
            outputs = {"fc6": width, "fc7": width, "class": held["class.bias"].numel()}
            sizes = {f"{ours}.weight": inputs[ours] * count for ours, count in outputs.items()}
            sizes |= {f"{ours}.bias": count for ours, count in outputs.items()}
            fits = all(_holds_numbers(tensor) and tensor.numel() == sizes[ours] for ours, tensor in held.items())
            return held if fits else {}
    return {}
