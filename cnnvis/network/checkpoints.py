"""Find the VGG in a weights file, under whatever names and in whatever wrapping people save it.

What counts is what is in the file, not its suffix. Nothing but tensors is ever unpickled.
"""

import re
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

# Our names of the classifier's steps to torchvision's, and to timm's.
CLASSIFIERS: tuple[Mapping[str, str], ...] = (
    {"fc6": "classifier.0", "fc7": "classifier.3", "class": "classifier.6"},
    {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "class": "head.fc"},
)
BATCH_NORM_EPSILON = 1e-5  # PyTorch's default, which no file contains
DEPTH = 4  # dictionaries within dictionaries that are looked through

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The VGG that a file holds."""

    architecture: Architecture  # `classes` counts the classifier's; 0: it has none that can be used
    trunk: Tensors  # `conv1_1.weight`, `conv1_1.bias`, …, float32 copies; batch norm is folded in
    classifier: Tensors  # `fc6.weight`, …, `class.bias` as stored, mapped from the file; or empty
    stored_as: str  # the type in the file, such as float16
    batch_norm: bool
    rest: bool  # whether the file holds something beside that, which is left out


@dataclass(frozen=True)
class _Layout:
    """Where the convolutions are: called `prefix`, a number, and `.weight`."""

    architecture: Architecture
    batch_norm: bool
    prefix: str

    def numbers(self) -> dict[str, int]:
        """Each convolution's number in torchvision's `features`; each batch norm before it moves it on by one."""
        convolutions = [layer for layer in self.architecture.layers if layer.kind == "conv"]
        return {layer.name: layer.index + self.batch_norm * (layer.depth - 1) for layer in convolutions}


_LAYOUTS = [_Layout(one, batch_norm, "") for one in ARCHITECTURES for batch_norm in (False, True)]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file and check every tensor of the VGG in it. Raises Unusable."""
    found = list(_dictionaries(_content(path)))
    if not found:
        raise Unusable("holds no tensors that have names")
    for tensors in found:
        if place := _find_layout(tensors):
            return _checkpoint(place, tensors)
    raise Unusable(_unknown(max(found, key=len)))


def _content(path: Path) -> object:
    """What is in a file; large tensors stay on the disk until they are used."""
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
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Unusable:
        raise
    except FileNotFoundError as error:
        raise Unusable("does not exist") from error
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # a broken zip, pickle or header can raise almost anything
        raise refusal_of_pickle(path, error) from error


def _dictionaries(content: object, depth: int = DEPTH) -> Iterator[Tensors]:
    """The dictionaries of tensors in what was saved, the outermost first."""
    if not isinstance(content, Mapping) or not depth:
        return
    tensors = {key: one.detach() for key, one in content.items() if isinstance(key, str) and isinstance(one, Tensor)}
    if tensors:
        yield tensors
    for one in content.values():
        yield from _dictionaries(one, depth - 1)


def _find_layout(tensors: Tensors) -> _Layout | None:
    """Where the convolutions of a VGG are, if these are the tensors of one."""
    for prefix, numbers in _numbered(tensors).items():
        for layout in _LAYOUTS:
            if numbers == set(layout.numbers().values()):
                return replace(layout, prefix=prefix)
    return None


def _numbered(tensors: Tensors) -> dict[str, set[int]]:
    """The numbers of the convolutions in each sequence of modules, by what stands before the number."""
    numbered = defaultdict(set)
    for key, tensor in tensors.items():
        name = re.fullmatch(r"(|.*\.)(\d+)\.weight", key)
        if name and tensor.ndim == 4:
            numbered[name[1]].add(int(name[2]))
    return numbered


def _unknown(tensors: Tensors) -> str:
    """What tensors are that are no VGG's: another network's, or too few of one."""
    for numbers in _numbered(tensors).values():
        for layout in (_Layout(ARCHITECTURE, False, ""), *_LAYOUTS):  # a shallow part may be any VGG's: say VGG16's
            whole = sorted(layout.numbers().values())
            if len(numbers) > 1 and sorted(numbers) == whole[: len(numbers)]:
                return f"has only {len(numbers)} of the {len(whole)} convolutions of {layout.architecture.name}"
    name, first = next(iter(tensors.items()))
    return f"is no VGG that cnnvis knows: it begins with {name[:60]!r} of shape {tuple(first.shape)}"


def _checkpoint(place: _Layout, tensors: Tensors) -> Checkpoint:
    trunk, classifier = _trunk(place, tensors), _classifier(place, tensors)
    classes = len(classifier["class.bias"]) if classifier else 0
    others = any(not re.match(rf"{re.escape(place.prefix)}\d+\.", key) for key in tensors)
    return Checkpoint(
        architecture=replace(place.architecture, classes=classes),
        trunk=trunk,
        classifier=classifier,
        stored_as=str(tensors[f"{place.prefix}0.weight"].dtype).removeprefix("torch."),
        batch_norm=place.batch_norm,
        rest=others and not classifier,
    )


def _trunk(place: _Layout, tensors: Tensors) -> Tensors:
    """The convolutions by our names, checked. Raises Unusable."""
    channels = tensors[f"{place.prefix}0.weight"].shape[1]
    if channels != 3:
        have = "one input channel" if channels == 1 else f"{channels} input channels"
        raise Unusable(f"has {have}, not three for red, green and blue")
    trunk: dict[str, Tensor] = {}
    for name, number in place.numbers().items():
        key, width = f"{place.prefix}{number}", place.architecture.find(name).channels
        weight = _checked(tensors, f"{key}.weight", (width, channels, 3, 3))
        bias = _checked(tensors, f"{key}.bias", (width,))
        if place.batch_norm:
            weight, bias = _folded(weight, bias, tensors, f"{place.prefix}{number + 1}")
        trunk |= {f"{name}.weight": weight, f"{name}.bias": bias}
        channels = width
    return trunk


def _checked(tensors: Tensors, key: str, shape: tuple[int, ...]) -> Tensor:
    """A float32 copy of a tensor: one that is mapped from the file would crash the process if that were replaced."""
    tensor = tensors.get(key)
    if tensor is None:
        raise Unusable(f"has no {key}")
    if tensor.shape != shape:
        raise Unusable(f"has {key} of shape {tuple(tensor.shape)}, not {shape}")
    copied = tensor.to(torch.float32, copy=True) if _holds_numbers(tensor) else None
    if copied is None or not copied.isfinite().all():
        raise Unusable(f"has values in {key} that are not finite numbers")
    return copied


def _holds_numbers(tensor: Tensor) -> bool:
    """Whether a tensor has floating-point values; one saved from the device "meta" has none."""
    return tensor.is_floating_point() and tensor.device.type == "cpu" and tensor.layout == torch.strided


def _folded(weight: Tensor, bias: Tensor, tensors: Tensors, key: str) -> tuple[Tensor, Tensor]:
    """A convolution that does what it did with the batch norm `key` after it, in eval mode."""
    parts = ("running_mean", "running_var", "weight", "bias")
    mean, variance, scale, shift = (_checked(tensors, f"{key}.{part}", tuple(bias.shape)).double() for part in parts)
    gain = scale / (variance + BATCH_NORM_EPSILON).sqrt()
    return (weight * gain.view(-1, 1, 1, 1)).float(), ((bias - mean) * gain + shift).float()


def _classifier(place: _Layout, tensors: Tensors) -> Tensors:
    """The classifier by our names, or nothing if there is none, or one of another shape."""
    base, width = place.prefix.removesuffix("features."), CLASSIFIER_WIDTH
    inputs = {"fc6": place.architecture.widths[-1] * CLASSIFIER_CELLS**2, "fc7": width, "class": width}
    for names in CLASSIFIERS:
        keys = {f"{step}.{part}": f"{base}{name}.{part}" for step, name in names.items() for part in ("weight", "bias")}
        found = {ours: tensors[key] for ours, key in keys.items() if key in tensors}
        if len(found) == len(keys):
            outputs = {"fc6": width, "fc7": width, "class": found["class.bias"].numel()}
            fits = [
                found[f"{step}.weight"].numel() == inputs[step] * count and found[f"{step}.bias"].numel() == count
                for step, count in outputs.items()
            ]
            return found if all(fits) and all(map(_holds_numbers, found.values())) else {}
    return {}
