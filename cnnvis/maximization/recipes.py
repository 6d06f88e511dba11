"""The settings of an ascent: one frozen dataclass, its limits, and the recipes, which are named settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from PIL import ImageColor

from cnnvis.checks import real_number, whole_between, whole_number
from cnnvis.errors import SettingError, short
from cnnvis.network.architecture import Layer
from cnnvis.pictures.images import PHOTO_SIDE

SWITCH = (True, False)
SMALL_FROM = 128  # px; a smaller canvas is cheap enough from the start
# In blocks 4 and 5 `fourier` takes so many steps on a canvas of this side in px or more, where each step costs most.
LARGE_FROM, LARGE_STEPS = 192, 56
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "objective": ("channel", "centre", "negative"),
    "parameterisation": ("fourier", "phase", "pixels"),
    "decorrelated": SWITCH,
    "redirected": SWITCH,
    "precision": ("auto", "bfloat16", "float32"),
}


def _limit(default: float | None, low: float, high: float, unit: str = "", cpu: float | None = None) -> Any:
    integer = isinstance(default, int)
    bounds = {"low": low, "high": high, "cpu": high if cpu is None else cpu, "unit": unit, "integer": integer}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True)
class Settings:
    """The settings of one ascent. Recipes are named settings; `dataclasses.replace` makes others from them.

    0 `steps`, 0 `size`, and None elsewhere, mean the recipe's own number for the layer's block; `settle` fills it in.
    A large canvas has fewer steps of its own in deep blocks.
    """

    recipe: str = "fourier"
    steps: int = _limit(0, 0, 512)  # at most; `seconds` may end the ascent earlier
    size: int = _limit(0, 64, 512, "px, or 0 for the layer's own", cpu=384)
    seed: int = _limit(0, 0, 2**32 - 1)
    seconds: float = _limit(0.0, 0, 600, "seconds")  # 0: no limit
    objective: str = "channel"  # maximise the channel's mean, its map's central value ("centre"), or minus the mean
    parameterisation: str = "fourier"  # what is optimised: see canvas.py
    decorrelated: bool = True  # whether the planes are decorrelated colours (fourier, phase)
    decay: float = _limit(None, 0, 3)  # magnitudes fall as 1/frequency to this power (fourier, phase)
    learning_rate: float = _limit(None, 1e-5, 10)  # of Adam
    beta1: float = _limit(0.5, 0, 0.99)  # Adam's first beta
    beta2: float = _limit(0.99, 0, 0.9999)  # Adam's second beta
    coarse_share: float = _limit(None, 0, 0.95)  # for this first share of the steps the canvas has half the side
    decay_share: float = _limit(None, 0, 1)  # over this last share of the steps the learning rate falls to zero
    weight_decay: float = _limit(0.0, 0, 1)
    crop: float = _limit(0.75, 0.5, 1)  # each step shows the network this share of the side,
    jitter: float = _limit(None, 0, 0.5)  # moved off the middle by up to this share of the side,
    zoom: float = _limit(0.15, 0, 0.5)  # scaled by 1 − zoom to 1 + zoom,
    rotation: float = _limit(8.0, 0, 45, "degrees")  # and rotated by up to this, either way
    blur: float = _limit(None, 0, 16, "px")  # and blurred by up to this deviation, which falls to zero
    leak: float = _limit(None, 0, 1)  # in a convolution, how much a value below zero counts against the picture
    headroom: float = _limit(None, 0, 100)  # weight of the penalty on colours close to black and white
    redirected: bool = True  # while the value after ReLU is zero, optimise the one before it
    precision: str = "auto"  # "bfloat16", "float32", or "auto": the faster one on this device
    colour: str = ""  # that the noise begins around, as "#a08060"; mid-grey without one (fourier, and not from a photo)


# What records saved before version 0.1 call some of the settings.
OLD_NAMES = {
    "momentum": "beta1", "smoothing": "beta2", "decline": "decay_share",
    "turn": "rotation", "view": "crop", "small": "coarse_share",
}  # fmt: skip


def current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by today's names, where an older record or program may use others."""
    return {OLD_NAMES.get(name, name): value for name, value in dict(settings).items()}


RECIPES: Mapping[str, Settings] = {
    # Olah et al. 2017, tuned for robust activation per second: benchmarks/README.md has the table.
    "fourier": Settings(),
    # What the original notebooks (2020) do, after Erhan et al. 2009: noise, Adam, nothing else.
    "erhan": Settings(
        recipe="erhan", parameterisation="pixels", decorrelated=False, beta1=0.9, beta2=0.999, decay_share=0.0,
        weight_decay=1e-6, crop=1.0, zoom=0.0, rotation=0.0, redirected=False, precision="float32",
    ),
    # Fel et al. 2023: only the phases are free. The paper's magnitudes are ImageNet's mean; ours fall as 1/f.
    "maco": Settings(recipe="maco", parameterisation="phase"),
    # Mordvintsev et al. 2015: starts from a photo and takes small steps, so the photo stays recognisable.
    "deepdream": Settings(recipe="deepdream"),
}  # fmt: skip


_FALLBACKS: Mapping[str, float] = {"headroom": 0.0, "coarse_share": 0.0, "blur": 0.0, "leak": 1.0, "decay_share": 0.25}
# What 0 and None mean: five numbers are for VGG16's five blocks, one is for all of them. A shallow layer sees few
# pixels: it needs fewer and longer steps, and views from anywhere, or the rim would still be noise when the middle is
# finished. And its maps, still nearly linear in the picture, have means that edges cannot raise, so values below zero
# count less. A deep layer responds to large shapes: without blur, its pictures are crowded with details that no photo
# has.
_OWN_NUMBERS: Mapping[str, Mapping[str, float | tuple[float, ...]]] = {
    "fourier": {
        "steps": (36, 26, 52, 64, 64),
        "learning_rate": (0.4, 0.6, 0.4, 0.3, 0.15),
        "decay": (1.3, 1.0, 1.0, 1.0, 1.0),
        "jitter": (0.5, 0.5, 0.25, 0.12, 0.12),
        "headroom": (8.0, 3.0, 3.0, 3.0, 3.0),
        "coarse_share": (0.75, 0.75, 0.7, 0.0, 0.0),
        "decay_share": (0.25, 0.25, 0.25, 0.25, 0.15),
        "blur": (0.0, 0.0, 0.0, 0.0, 4.0),
        "leak": (0.7, 0.6, 0.3, 1.0, 1.0),
    },
    "erhan": {"steps": 50, "learning_rate": 0.1, "decay": 0.0, "jitter": 0.0},
    "maco": {"steps": 88, "learning_rate": 0.3, "decay": 1.0, "jitter": 0.25},
    "deepdream": {"steps": 32, "learning_rate": 0.04, "decay": 1.0, "jitter": 0.12, "headroom": 3.0},
}


def limits(device: torch.device | str) -> dict[str, tuple[float, float]]:
    """The lowest and highest value of every numeric setting on a device; on a CPU, `size` is limited further."""
    bound = "cpu" if torch.device(device).type == "cpu" else "high"
    return {item.name: (item.metadata["low"], item.metadata[bound]) for item in fields(Settings) if item.metadata}


def settle(
    settings: Settings | str,
    layer: Layer,
    device: torch.device | str,
    whole: bool = False,
    several: bool = False,
    /,
    **overrides: Any,
) -> Settings:
    """Check settings for one layer on one device, and fill in the recipe's own numbers.

    `settings` is a Settings or the name of a recipe; `whole` is whether the ascent starts from a photo, `several`
    whether it maximises several channels as one; `overrides` are fields of Settings: anything else, such as a "device"
    in somebody's record, is refused by its name. Raises SettingError.
    """
    if not isinstance(settings, Settings):
        settings = RECIPES[SettingError.check("recipe", settings, RECIPES)]
    overrides = current_names(overrides)
    names = [item.name for item in fields(Settings)]
    for name in overrides:
        SettingError.check("setting", name, names)
    settings = replace(settings, **overrides)
    SettingError.check("recipe", settings.recipe, RECIPES)
    settings = replace(settings, **{name: check_setting(name, getattr(settings, name), device) for name in names})
    if settings.recipe == "erhan":  # so that every machine reproduces the original's numbers
        settings = replace(settings, precision="float32")
    if settings.parameterisation != "fourier" or whole:
        settings = replace(settings, colour="")
    size = settings.size or _own_size(settings.recipe, layer, whole, several)
    own = _own_numbers(settings.recipe, layer, size)
    missing = {name: value for name, value in own.items() if getattr(settings, name) is None}
    settings = replace(settings, **missing, steps=settings.steps or own["steps"], size=size)
    return settings if _can_start_small(settings, layer) else replace(settings, coarse_share=0.0)


def _own_numbers(recipe: str, layer: Layer, size: int) -> dict[str, Any]:
    """What 0 `steps`, and None elsewhere, mean for a layer and a canvas of `size` px."""
    # The layer `class` has block 0, so its index, −1, is the last block's.
    numbers = {**_FALLBACKS, **_OWN_NUMBERS[recipe]}
    own = {name: n[layer.block - 1] if isinstance(n, tuple) else n for name, n in numbers.items()}
    if recipe == "fourier" and layer.block in (4, 5) and size >= LARGE_FROM:
        own["steps"] = LARGE_STEPS
    return own


def _own_size(recipe: str, layer: Layer, whole: bool, several: bool) -> int:
    """The canvas in px where no size is given.

    In deep layers it has room for one or two of the shapes that they respond to; on a larger one they crowd.
    """
    if whole or layer.kind == "class" or recipe not in ("fourier", "maco"):
        return PHOTO_SIDE
    return {4: 96, 5: 128}.get(layer.block, 96 if several else PHOTO_SIDE)


def _can_start_small(settings: Settings, layer: Layer) -> bool:
    """Whether half the side is enough to begin with: its views must give the layer a map of at least 2 × 2 cells."""
    cells = settings.crop * (settings.size // 2) / layer.stride
    has_half = settings.parameterisation == "fourier" and not settings.size % 2
    return has_half and settings.size >= SMALL_FROM and cells >= 2


def check_setting(name: str, value: Any, device: torch.device | str) -> Any:
    """Check one field of Settings and convert it to its type: "64" becomes 64. Raises SettingError."""
    if name in CHOICES:
        return SettingError.check(name, value, CHOICES[name])
    if name == "colour":
        return _colour(value)
    about = next(item for item in fields(Settings) if item.name == name)
    if not about.metadata or (value is None and about.default is None):  # `settle` checks the recipe, fills in None
        return value
    (low, high), unit = limits(device)[name], about.metadata["unit"]
    if name == "size" and whole_number(value) == about.default:
        return about.default
    if about.metadata["integer"]:
        return whole_between(name, value, int(low), int(high), unit)
    number = real_number(value)
    if number is None or not low <= number <= high:
        raise SettingError.outside(name, value, low, high, unit)
    return number


def _colour(value: Any) -> str:
    """A colour as "#a08060" from any way of writing it that CSS knows; "" stays "". Raises SettingError."""
    try:
        red, green, blue, *_ = ImageColor.getrgb(value) if value else (-1, -1, -1)
    except (ValueError, TypeError, AttributeError) as cause:
        raise SettingError(f"colour {short(value)} cannot be read: write it like #a08060.") from cause
    return f"#{red:02x}{green:02x}{blue:02x}" if value else ""
