"""The settings of an ascent: one frozen dataclass, its limits, and the named sets of settings called recipes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from cnnvis.errors import SettingError
from cnnvis.vgg import Layer, whole_number

SWITCH = (True, False)
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "objective": ("channel", "centre", "negative"),
    "parameterisation": ("fourier", "pixels"),
    "decorrelated": SWITCH,
    "redirected": SWITCH,
    "precision": ("auto", "float32"),
}


def _limit(default: float, low: float, high: float, unit: str = "", cpu: float | None = None) -> Any:
    bounds = {"low": low, "high": high, "cpu": high if cpu is None else cpu, "unit": unit}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True)
class Ascent:
    """The settings of one ascent. Recipes are named ones; others are made from them with `dataclasses.replace`.

    A zero in `steps` or `learning_rate` stands for the recipe's own number at the depth of the layer.
    """

    recipe: str = "fourier"
    steps: int = _limit(0, 0, 512)  # at most; `seconds` may end an ascent sooner
    size: int = _limit(224, 64, 512, "px", cpu=384)
    seed: int = _limit(0, 0, 2**32 - 1)
    seconds: float = _limit(0.0, 0, 600, "seconds")  # 0: no limit
    objective: str = "channel"  # the channel's mean, the value at its map's centre, or its mean turned negative
    parameterisation: str = "fourier"  # what is optimised: canvas.FourierCanvas or canvas.PixelCanvas
    decorrelated: bool = True  # the colours of a Fourier canvas
    decay: float = _limit(1.0, 0, 3)  # power of the frequency that Fourier coefficients are divided by
    learning_rate: float = _limit(0.0, 0, 10)  # of Adam
    weight_decay: float = _limit(0.0, 0, 1)
    jitter: int = _limit(8, 0, 32, "px")  # each way
    zoom: float = _limit(0.1, 0, 0.5)  # views are 1 − zoom to 1 + zoom times as large
    turn: float = _limit(8.0, 0, 45, "degrees")  # each way
    redirected: bool = True  # while a ReLU lets nothing through, climb what it holds back
    precision: str = "auto"  # "float32", or "auto": the fastest this device has


RECIPES: Mapping[str, Ascent] = {
    "fourier": Ascent(),
    "erhan": Ascent(
        recipe="erhan",
        parameterisation="pixels",
        decorrelated=False,
        decay=0.0,
        weight_decay=1e-6,
        jitter=0,
        zoom=0.0,
        turn=0.0,
        redirected=False,
        precision="float32",
    ),
}

# What the zeros stand for, in each of VGG16's five blocks.
_OWN_NUMBERS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "fourier": (
        {"steps": 48, "learning_rate": 0.1},
        {"steps": 48, "learning_rate": 0.1},
        {"steps": 64, "learning_rate": 0.1},
        {"steps": 80, "learning_rate": 0.1},
        {"steps": 96, "learning_rate": 0.1},
    ),
    "erhan": ({"steps": 50, "learning_rate": 0.1},) * 5,
}


def limits(device: torch.device | str) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of every numeric setting on a device; a CPU's are tighter."""
    bound = "cpu" if torch.device(device).type == "cpu" else "high"
    return {item.name: (item.metadata["low"], item.metadata[bound]) for item in fields(Ascent) if item.metadata}


def settle(settings: Ascent | str, layer: Layer, device: torch.device | str, **overrides: Any) -> Ascent:
    """Settings checked and complete for one layer on one device, every zero replaced by the number it stands for.

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
    block = int(layer.name.partition("_")[0][-1])
    own = _OWN_NUMBERS[settings.recipe][block - 1]
    if settings.recipe == "erhan":  # the original's numbers are to be reproduced everywhere
        settings = replace(settings, precision="float32")
    return replace(settings, **{name: value for name, value in own.items() if not getattr(settings, name)})


def _one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    allowed = list(allowed)
    # Not `in` alone: 1 equals True, and only one of them is a switch.
    if not any(value == word and type(value) is type(word) for word in allowed):
        raise SettingError.not_one_of(name, value, map(str, allowed))
    return value


def _checked(settings: Ascent, name: str, bounds: tuple[float, float] | None) -> Any:
    """One setting in its own type and inside its bounds."""
    value = getattr(settings, name)
    if bounds is None:
        return _one_of(name, value, CHOICES[name]) if name in CHOICES else value
    kind = type(getattr(RECIPES["fourier"], name))
    number = whole_number(value) if kind is int else _real_number(value)
    low, high = bounds
    if number is None or not low <= number <= high:
        unit = next(item.metadata["unit"] for item in fields(Ascent) if item.name == name)
        kind_of = "a whole number from " if kind is int else ""
        raise SettingError.outside(name, value, f"{kind_of}{low}", high, unit)
    return number


def _real_number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # that it may not be one is what is asked
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None
