"""The settings of an ascent: one frozen dataclass, its limits, and the named sets of settings called recipes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from cnnvis.errors import SettingError
from cnnvis.vgg import BLOCKS, Layer, real_number, whole_number

SWITCH = (True, False)
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "objective": ("channel", "centre", "negative"),
    "parameterisation": ("fourier", "phase", "pixels"),
    "decorrelated": SWITCH,
    "redirected": SWITCH,
    "precision": ("auto", "float32"),
}


def _limit(default: float | None, low: float, high: float, unit: str = "", cpu: float | None = None) -> Any:
    whole = isinstance(default, int)
    bounds = {"low": low, "high": high, "cpu": high if cpu is None else cpu, "unit": unit, "whole": whole}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True)
class Ascent:
    """The settings of one ascent. Recipes are named ones; others are made from them with `dataclasses.replace`.

    `steps=0`, and None elsewhere, stand for the recipe's own number at the depth of the layer; `settle` puts it in.
    """

    recipe: str = "fourier"
    steps: int = _limit(0, 0, 512)  # at most; `seconds` may end an ascent sooner
    size: int = _limit(224, 64, 512, "px", cpu=384)
    seed: int = _limit(0, 0, 2**32 - 1)
    seconds: float = _limit(0.0, 0, 600, "seconds")  # 0: no limit
    objective: str = "channel"  # the channel's mean, the value at its map's centre, or its mean turned negative
    parameterisation: str = "fourier"  # what is optimised: see canvas.py
    decorrelated: bool = True  # the colours of a Fourier canvas
    decay: float = _limit(None, 0, 3)  # power of the frequency that Fourier coefficients are divided by
    learning_rate: float = _limit(None, 1e-5, 10)  # of Adam
    momentum: float = _limit(0.5, 0, 0.99)  # Adam's first beta
    smoothing: float = _limit(0.99, 0, 0.9999)  # Adam's second beta
    decline: float = _limit(0.25, 0, 1)  # in this last share of the steps the learning rate falls to zero
    weight_decay: float = _limit(0.0, 0, 1)
    view: float = _limit(0.75, 0.5, 1)  # the network is shown this share of the side at a time,
    jitter: float = _limit(None, 0, 0.5)  # up to this share of the side off the middle,
    zoom: float = _limit(0.15, 0, 0.5)  # 1 − zoom to 1 + zoom times as large,
    turn: float = _limit(8.0, 0, 45, "degrees")  # turned by up to this, each way
    headroom: float = _limit(None, 0, 100)  # how much colours are held back from pure black and white
    redirected: bool = True  # while a ReLU lets nothing through, climb what it holds back
    precision: str = "auto"  # "float32", or "auto": the fastest this device has


RECIPES: Mapping[str, Ascent] = {
    # Olah et al. 2017, tuned here for the most robust activation per second: benchmarks/README.md has the table.
    "fourier": Ascent(),
    # What the original notebook does (2020), after Erhan et al. 2009: noise, Adam, nothing else.
    "erhan": Ascent(
        recipe="erhan",
        parameterisation="pixels",
        decorrelated=False,
        momentum=0.9,
        smoothing=0.999,
        decline=0.0,
        weight_decay=1e-6,
        view=1.0,
        zoom=0.0,
        turn=0.0,
        redirected=False,
        precision="float32",
    ),
    # Fel et al. 2023: only the phases are free. Their magnitudes are ImageNet's mean, ours are 1/f, as of photographs.
    "maco": Ascent(recipe="maco", parameterisation="phase"),
    # Mordvintsev et al. 2015: the same climb, but from a photo, and gently, so that the photo stays recognisable.
    "deepdream": Ascent(recipe="deepdream"),
}

# What 0 steps and None stand for, in each of VGG16's five blocks. A shallow layer sees a few pixels: it needs fewer and
# longer steps, and views from anywhere, or the rim would still be noise when the middle is done.
_OWN_NUMBERS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "fourier": (
        {"steps": 36, "learning_rate": 0.4, "decay": 1.3, "jitter": 0.5, "headroom": 8.0},
        {"steps": 22, "learning_rate": 0.6, "decay": 1.0, "jitter": 0.5, "headroom": 3.0},
        {"steps": 52, "learning_rate": 0.4, "decay": 1.0, "jitter": 0.25, "headroom": 3.0},
        {"steps": 80, "learning_rate": 0.3, "decay": 1.0, "jitter": 0.12, "headroom": 3.0},
        {"steps": 76, "learning_rate": 0.25, "decay": 1.0, "jitter": 0.12, "headroom": 3.0},
    ),
    "erhan": ({"steps": 50, "learning_rate": 0.1, "decay": 0.0, "jitter": 0.0, "headroom": 0.0},) * 5,
    "maco": ({"steps": 88, "learning_rate": 0.3, "decay": 1.0, "jitter": 0.25, "headroom": 0.0},) * 5,
    "deepdream": ({"steps": 32, "learning_rate": 0.04, "decay": 1.0, "jitter": 0.12, "headroom": 3.0},) * 5,
}


def limits(device: torch.device | str) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of every numeric setting on a device; a CPU's are tighter."""
    bound = "cpu" if torch.device(device).type == "cpu" else "high"
    return {item.name: (item.metadata["low"], item.metadata[bound]) for item in fields(Ascent) if item.metadata}


def settle(settings: Ascent | str, layer: Layer, device: torch.device | str, **overrides: Any) -> Ascent:
    """Settings checked and complete for one layer on one device, the recipe's own numbers filled in.

    `settings` is an Ascent or a recipe's name; `overrides` are fields of Ascent. Raises SettingError.
    """
    if not isinstance(settings, Ascent):
        settings = RECIPES[_one_of("recipe", settings, RECIPES)]
    names = [item.name for item in fields(Ascent)]
    for name in overrides:
        _one_of("setting", name, names)
    settings = replace(settings, **overrides)
    _one_of("recipe", settings.recipe, RECIPES)
    bounds = limits(device)
    settings = replace(settings, **{name: _checked(settings, name, bounds.get(name)) for name in names})
    if settings.recipe == "erhan":  # the original's numbers are to be reproduced everywhere
        settings = replace(settings, precision="float32")
    block = len(BLOCKS) if layer.kind == "class" else int(layer.name.partition("_")[0][-1])
    own = _OWN_NUMBERS[settings.recipe][block - 1]
    missing = {name: value for name, value in own.items() if getattr(settings, name) is None}
    return replace(settings, **missing, steps=settings.steps or own["steps"])


def check_setting(name: str, value: Any, device: torch.device | str) -> Any:
    """One field of Ascent, checked and in its own type: "64" becomes 64. Raises SettingError."""
    return _checked(replace(Ascent(), **{name: value}), name, limits(device).get(name))


def _one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    allowed = list(allowed)
    # Not `in` alone: 1 equals True, and only one of them is a switch.
    if not any(type(value) is type(word) and value == word for word in allowed):
        raise SettingError.not_one_of(name, value, map(str, allowed))
    return value


def _checked(settings: Ascent, name: str, bounds: tuple[float, float] | None) -> Any:
    """One setting in its own type and inside its bounds."""
    value = getattr(settings, name)
    if bounds is None:
        return _one_of(name, value, CHOICES[name]) if name in CHOICES else value
    about = next(item for item in fields(Ascent) if item.name == name)
    if value is None and about.default is None:
        return None
    whole = about.metadata["whole"]
    number = whole_number(value) if whole else real_number(value)
    low, high = bounds
    if number is None or not low <= number <= high:
        kind = "a whole number from " if whole else ""
        raise SettingError.outside(name, value, f"{kind}{low}", high, about.metadata["unit"])
    return number
