"""The settings of an ascent: what 0 and None mean, and which values are within the limits."""

import inspect
import math
from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from cnnvis.errors import SettingError
from cnnvis.maximization.recipes import CHOICES, RECIPES, Settings, current_names, limits, settle
from cnnvis.network.architecture import ARCHITECTURE, LAYERS, Layer, find_layer

CPU = limits("cpu")
INTEGERS = [item.name for item in fields(Settings) if item.type is int]
OWN = [name for name in CPU if getattr(Settings(), name) is None]  # None means the recipe's own number
LAYER = find_layer("conv3_1")


def settled(recipe: str | Settings = "fourier", **overrides: Any) -> Settings:
    return settle(recipe, LAYER, "cpu", **overrides)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_has_a_number_for_every_setting_at_every_layer(recipe: str, layer: Layer) -> None:
    own = settle(recipe, layer, "cpu")
    assert own.recipe == recipe
    assert own.steps >= 1 and own.learning_rate > 0
    assert None not in asdict(own).values()
    assert settle(own, layer, "cpu") == own
    asked = settle(recipe, layer, "cpu", steps=7, learning_rate=0.25)
    assert asked == replace(own, steps=7, learning_rate=0.25)


@pytest.mark.parametrize("recipe", RECIPES)
def test_none_and_zero_steps_mean_the_recipes_own_number(recipe: str) -> None:
    assert OWN == ["decay", "learning_rate", "coarse_share", "decay_share", "jitter", "blur", "leak", "headroom"]
    own = settled(recipe)
    nothing: dict[str, Any] = {"steps": 0, "decay": None, "learning_rate": None, "jitter": None}
    assert settled(RECIPES[recipe], **nothing) == settled(replace(own, **nothing)) == own
    assert None not in asdict(settled(Settings(recipe=recipe))).values()


@pytest.mark.parametrize(("recipe", "layer", "whole", "size"), [
    ("fourier", "conv1_1", False, 224),
    ("fourier", "pool3", False, 224),
    ("fourier", "relu4_2", False, 96),
    ("fourier", "pool5", False, 128),
    ("maco", "conv5_1", False, 128),
    ("fourier", "conv5_1", True, 224),
    ("erhan", "conv5_1", False, 224),
    ("deepdream", "conv4_1", True, 224),
])  # fmt: skip
def test_size_0_is_the_canvas_at_which_one_thing_is_seen(recipe: str, layer: str, whole: bool, size: int) -> None:
    """From block 4 on; elsewhere, and of a photo, everything that the network sees."""
    assert settle(recipe, find_layer(layer), "cpu", whole).size == size
    assert settle(recipe, find_layer(layer), "cpu", whole, size="0").size == size
    assert settle(recipe, find_layer(layer), "cpu", whole, size=96).size == 96


@pytest.mark.parametrize(("written", "colour"), [("", ""), (None, ""), ("#A08060", "#a08060"), ("orange", "#ffa500")])
def test_the_noise_can_begin_around_a_colour(written: str | None, colour: str) -> None:
    assert settled(colour=written).colour == colour
    assert settled("erhan", colour=written).colour == settled("maco", colour=written).colour == ""
    assert settle("fourier", LAYER, "cpu", True, colour=written).colour == ""  # a photo has its own


@pytest.mark.parametrize("written", ["much", "#12", 5, ["red"]])
def test_a_colour_that_cannot_be_read_is_refused(written: Any) -> None:
    with pytest.raises(SettingError, match=r"colour .* cannot be read: write it like #a08060"):
        settled(colour=written)


def test_several_channels_as_one_are_a_thing_and_not_a_texture() -> None:
    """So what is seen at a place has a small canvas in shallow layers too."""
    sizes = [settle(recipe, LAYER, "cpu", False, True).size for recipe in ("fourier", "maco", "erhan")]
    assert sizes == [96, 96, 224]
    assert settle("fourier", LAYER, "cpu", True, True).size == settle("fourier", LAYER, "cpu").size == 224


def test_a_class_reads_a_whole_photo() -> None:
    assert settle("fourier", ARCHITECTURE.logits, "cpu").size == 224


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", [name for name in OWN if name != "coarse_share"])
def test_a_given_number_is_kept_even_if_it_is_zero(recipe: str, name: str) -> None:
    for value in CPU[name]:
        given: dict[str, Any] = {name: float(value)}
        assert settled(recipe, **{name: value}) == replace(settled(recipe), **given)


@pytest.mark.parametrize("recipe", RECIPES)
def test_only_fourier_coefficients_can_start_small(recipe: str) -> None:
    share = settled(recipe, coarse_share=0.25, size=128).coarse_share
    assert share == (0.25 if RECIPES[recipe].parameterisation == "fourier" else 0.0)


@pytest.mark.parametrize(("layer", "size", "crop", "share"), [
    ("conv5_3", 128, 0.5, 0.5),  # 32 px of the 64: two cells
    ("conv5_3", 128, 0.75, 0.5),
    ("pool5", 128, 0.75, 0.0),  # 48 px: one cell and a half
    ("pool5", 224, 0.75, 0.5),
    ("conv1_1", 126, 0.75, 0.0),  # too small to save much
    ("conv1_1", 129, 0.75, 0.0),  # an odd side has no half
    ("conv1_1", 130, 0.75, 0.5),
])  # fmt: skip
def test_a_small_start_needs_room(layer: str, size: int, crop: float, share: float) -> None:
    settings = settle("fourier", find_layer(layer), "cpu", size=size, crop=crop, coarse_share=0.5)
    assert settings.coarse_share == share


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipes_own_numbers_depend_only_on_the_block(recipe: str) -> None:
    """VGG16 has five blocks: two, two, three, three and three convolutions, each with its ReLU, then a pool."""
    blocks = ["conv1_1 relu1_2 pool1", "conv2_1 pool2", "relu3_1 conv3_3", "conv4_2 pool4", "conv5_1 relu5_3 pool5"]
    own = [{settle(recipe, find_layer(name), "cpu") for name in names.split()} for names in blocks]
    assert [len(numbers) for numbers in own] == [1] * 5
    if recipe == "fourier":  # a shallow layer sees few pixels, so its views come from anywhere
        shallow, *_, deep = (numbers.pop() for numbers in own)
        assert shallow.jitter > deep.jitter
        assert shallow.steps < deep.steps


def test_a_deep_layers_large_canvas_takes_fewer_steps_unless_asked_otherwise() -> None:
    for name, steps in (("conv4_1", 64), ("conv5_3", 64), ("conv3_3", 52)):
        layer = find_layer(name)
        assert settle("fourier", layer, "cpu", size=160).steps == steps
        assert settle("fourier", layer, "cpu", size=224).steps == min(steps, 56)
        assert settle("fourier", layer, "cpu", size=224, steps=80).steps == 80
    assert settle("maco", find_layer("conv5_3"), "cpu", size=224).steps == 88


def test_erhan_has_the_settings_of_the_notebooks() -> None:
    expected = {
        "recipe": "erhan", "steps": 50, "size": 224, "seconds": 0.0, "objective": "channel",
        "parameterisation": "pixels", "learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "decay_share": 0.0,
        "weight_decay": 1e-6, "crop": 1.0, "jitter": 0.0, "zoom": 0.0, "rotation": 0.0, "headroom": 0.0,
        "redirected": False, "precision": "float32",
    }  # fmt: skip
    assert asdict(settled("erhan")).items() >= expected.items()


def test_erhan_uses_torchs_default_betas_for_adam() -> None:
    betas = inspect.signature(torch.optim.Adam).parameters["betas"].default
    assert betas == (settled("erhan").beta1, settled("erhan").beta2)


def test_each_recipe_uses_the_expected_canvas() -> None:
    drawn = {name: recipe.parameterisation for name, recipe in RECIPES.items()}
    assert drawn == {"fourier": "fourier", "erhan": "pixels", "maco": "phase", "deepdream": "fourier"}


def test_deepdream_moves_far_less_than_fourier() -> None:
    """Moving as far would erase the photo."""
    for layer in LAYERS:
        gentle, bold = (settle(recipe, layer, "cpu") for recipe in ("deepdream", "fourier"))
        assert gentle.learning_rate * gentle.steps < bold.learning_rate * bold.steps / 5


def test_every_recipe_knows_its_name_and_is_valid() -> None:
    assert list(RECIPES) == [recipe.recipe for recipe in RECIPES.values()]
    assert RECIPES["fourier"] == Settings()
    for choice, allowed in CHOICES.items():
        assert all(getattr(recipe, choice) in allowed for recipe in RECIPES.values())


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RECIPES["fourier"].steps = 3  # type: ignore[misc]


def test_a_gpu_allows_larger_pictures_than_a_cpu() -> None:
    assert (CPU["steps"], CPU["size"]) == ((0, 512), (64, 384))
    assert (limits("cuda")["steps"], limits("cuda:0")["size"]) == ((0, 512), (64, 512))
    assert settle("fourier", LAYER, "cuda", size=512).size == 512
    with pytest.raises(SettingError, match="size 512 is out of range: choose a whole number from 64 to 384 px"):
        settled(size=512)


def test_a_cpu_is_never_allowed_more_than_a_gpu() -> None:
    gpu = limits("cuda")
    assert CPU.keys() == gpu.keys()
    assert all(gpu[name][0] <= low <= high <= gpu[name][1] for name, (low, high) in CPU.items())


def test_every_number_has_limits() -> None:
    assert CPU.keys() == {item.name for item in fields(Settings) if item.type in (int, float)}
    assert CPU.keys() | CHOICES.keys() | {"recipe", "colour"} == {item.name for item in fields(Settings)}


@pytest.mark.parametrize("name", CPU)
def test_the_limits_are_allowed_and_values_just_beyond_them_refused(name: str) -> None:
    low, high = CPU[name]
    for value in (low, high):
        assert getattr(settled(**{name: value}), name) == value or (value == 0 and name == "steps")
    below, above = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
    for value in (low - 1, high + 1) if name in INTEGERS else (below, above):
        with pytest.raises(SettingError, match=rf"^{name} .* is out of range: choose .*{low} to {high}.*\.$"):
            settled(**{name: value})


@pytest.mark.parametrize("name", CPU)
def test_anything_but_a_finite_number_is_refused(name: str) -> None:
    for value in (math.nan, math.inf, -math.inf, "many", "", None, True, False, [], {}, 10**400):
        if value is not None or name not in OWN:
            with pytest.raises(SettingError, match=f"^{name} .* is out of range"):
                settled(**{name: value})


@pytest.mark.parametrize("name", INTEGERS)
def test_whole_numbers_must_be_whole(name: str) -> None:
    for value in (70.5, "70.0", "7e1"):
        with pytest.raises(SettingError, match=f"^{name} .* choose a whole number from"):
            settled(**{name: value})


@pytest.mark.parametrize("name", CPU)
def test_numbers_can_be_given_as_floats_integers_or_text(name: str) -> None:
    kind, high = (int if name in INTEGERS else float), CPU[name][1]
    for value in (int(high) if high == int(high) else high, float(high), str(high)):
        number = getattr(settled(**{name: value}), name)
        assert (number, type(number)) == (high, kind)


def test_numpy_numbers_become_python_numbers() -> None:
    for name, value in (("steps", np.int64(7)), ("size", np.uint8(96)), ("zoom", np.float32(0.25))):
        number = getattr(settled(**{name: value}), name)
        assert (number, type(number)) == (value.item(), type(value.item()))


@pytest.mark.parametrize("recipe", ["Fourier", "", "lucid", "x" * 10_000])
def test_an_unknown_recipe_is_refused(recipe: str) -> None:
    sentence = r"^recipe '.{0,80} is unknown: choose one of fourier, erhan, maco, deepdream\.$"
    for settings in (recipe, Settings(recipe=recipe)):
        with pytest.raises(SettingError, match=sentence):
            settled(settings)


@pytest.mark.parametrize("name", CHOICES)
def test_known_choices_are_kept_and_unknown_ones_refused(name: str) -> None:
    for word in CHOICES[name]:
        assert getattr(settled(**{name: word}), name) == word
    known = ", ".join(map(str, CHOICES[name]))
    for value in ("", "Channel", None, ["channel"], "no", "True", 0, 1, 1.0, 2, []):  # of a switch, 1 equals True
        with pytest.raises(SettingError, match=rf"^{name} .* is unknown: choose one of {known}\.$"):
            settled(**{name: value})


def test_erhan_always_uses_float32() -> None:
    assert settled("erhan", precision="auto").precision == "float32"
    assert settle(Settings(recipe="erhan"), LAYER, "cuda").precision == "float32"
    assert settled("fourier").precision == "auto"


def test_an_unknown_setting_is_refused_and_the_known_ones_are_listed() -> None:
    sentence = r"^setting 'step' is unknown: choose one of recipe, steps, size, .*precision"
    with pytest.raises(SettingError, match=sentence):
        settled(step=3)


def test_settings_by_their_old_names_are_understood() -> None:
    """Records saved before version 0.1 have them, and so do programs of that time."""
    old = {"momentum": 0.8, "smoothing": 0.9, "decline": 0.7, "turn": 20.0, "view": 0.6, "small": 0.5}
    new = {"beta1": 0.8, "beta2": 0.9, "decay_share": 0.7, "rotation": 20.0, "crop": 0.6, "coarse_share": 0.5}
    assert current_names({**old, "seed": 3}) == {**new, "seed": 3}
    assert settled(size=128, **old) == settled(size=128, **new)
