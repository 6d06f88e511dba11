"""Activation maximization: the loops of the recipes, step by step, and the rules that every ascent obeys."""

import gc
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from helpers.ascents import CAT, MEAN, STD, activations, begin, maps_of, pixels, run, same
from helpers.toys import toy
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.functional import normalize, pil_to_tensor

from cnnvis.errors import ChannelError, LayerError, PhotoError, SettingError
from cnnvis.maximization.ascent import Snapshot, _adam, _doubled, maximize, maximize_many
from cnnvis.maximization.canvas import new_canvas
from cnnvis.maximization.recipes import CHOICES, RECIPES, Settings, limits, settle
from cnnvis.network.precision import fast_dtype
from cnnvis.network.vgg import VGG16, cut

STILL: dict[str, Any] = {"crop": 1, "jitter": 0, "zoom": 0, "rotation": 0}  # the whole canvas, as it is


# The loop


def plain_erhan(net: VGG16, layer: str, channel: int, start: Image.Image, steps: int) -> tuple[list[float], Tensor]:
    """Run the notebooks' loop, Adam on the normalised pixels. Returns the activations and the last picture."""
    z = normalize(pil_to_tensor(start)[None] / 255, MEAN, STD).requires_grad_()
    adam = torch.optim.Adam([z], lr=0.1, weight_decay=1e-6)
    body = cut(net, layer)[1:]
    seen = []
    for _ in range(steps):
        adam.zero_grad()
        loss = -body(z)[0, channel].mean()
        loss.backward()
        adam.step()
        seen.append(-loss.item())
    return seen, z.detach()[0] * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)


@pytest.mark.parametrize(("layer", "channel"), [("conv1_2", 3), ("relu2_1", 1), ("pool3", 5), ("conv4_1", 0)])
def test_erhan_equals_the_loop_of_the_notebooks(tiny: VGG16, layer: str, channel: int) -> None:
    mine = run(tiny, layer, channel, "erhan", steps=20)
    seen, picture = plain_erhan(tiny, layer, channel, mine[0].picture, 20)
    assert activations(mine) == pytest.approx(seen, rel=1e-3, abs=1e-5)
    expected = (picture.clamp(0, 1) * 255).permute(1, 2, 0).numpy()
    assert np.abs(pixels(mine[-1].picture) - expected).mean() < 0.6  # rounding alone is 0.25


def plain_fourier(net: VGG16, layer: str, channel: int, settings: Settings) -> tuple[list[float], NDArray[np.float64]]:
    """Run Lucid's loop with a falling learning rate, a leak, and a penalty on the last 5 % before black and white."""
    side, steps = settings.size, settings.steps
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]
    weights = torch.hypot(rows, columns).clamp(min=1 / side) ** -settings.decay
    colours = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    colours = colours / colours.norm(dim=0).max()
    noise = torch.randn(3, side, side // 2 + 1, 2, generator=torch.Generator().manual_seed(settings.seed))
    values = (0.01 * noise)[None].requires_grad_()

    def picture() -> Tensor:
        planes = torch.fft.irfft2(torch.view_as_complex(values) * weights, s=(side, side), norm="ortho") / 4
        return (colours @ planes.flatten(2)).reshape(1, 3, side, side).sigmoid()

    adam = torch.optim.Adam([values], lr=1, betas=(settings.beta1, settings.beta2))
    body = cut(net, layer)[1:]
    seen = []
    for step in range(steps):
        rgb = picture()
        mapped = body(normalize(rgb, MEAN, STD))[0, channel]
        activation = mapped.mean()
        aim = torch.where(mapped > 0, mapped, settings.leak * mapped).mean()
        fine = torch.relu((rgb - 0.95) / 0.05) + torch.relu((0.05 - rgb) / 0.05)
        adam.zero_grad()
        (settings.headroom * abs(activation.item()) * fine.mean() - aim).backward()
        slowed = min(1, (1 - step / steps) / settings.decay_share) if settings.decay_share else 1
        adam.param_groups[0]["lr"] = settings.learning_rate * slowed
        adam.step()
        seen.append(activation.item())
    return seen, (picture().detach()[0] * 255).permute(1, 2, 0).double().numpy()


@pytest.mark.parametrize(("layer", "channel", "more"), [
    ("conv1_1", 3, {}),
    ("conv2_1", 1, {"decay_share": 1, "beta1": 0.9, "beta2": 0.999}),
    ("conv1_2", 3, {"decay_share": 0, "headroom": 20, "size": 65, "decay": 1.5, "leak": 1}),
])  # fmt: skip
def test_fourier_equals_lucids_loop(tiny: VGG16, layer: str, channel: int, more: dict[str, Any]) -> None:
    short = {"learning_rate": 0.05, "headroom": 3, **more}  # so that rounding errors do not grow
    mine = run(tiny, layer, channel, steps=12, seed=8, precision="float32", **STILL, **short)
    seen, picture = plain_fourier(tiny, layer, channel, mine[-1].settings)
    assert activations(mine) == pytest.approx(seen, rel=1e-2, abs=1e-4)
    assert np.abs(pixels(mine[-1].picture) - picture).mean() < 0.6  # rounding alone is 0.25


@pytest.mark.slow
def test_erhan_reaches_the_activations_of_the_original_notebook(vgg16: VGG16) -> None:
    seen = activations(list(maximize(vgg16, "pool3", 28, "erhan", seed=0, every=0)))
    assert len(seen) == 50
    assert [seen[step - 1] for step in (20, 30, 40)] == pytest.approx([81, 138, 199], rel=0.15)
    assert seen[49] == pytest.approx(264, rel=0.05)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("layer", ["conv1_1", "relu2_2", "conv3_3", "pool5"])
def test_an_ascent_raises_the_activation(tiny: VGG16, recipe: str, layer: str) -> None:
    snapshots = run(tiny, layer, 2, recipe, steps=40)
    before, after = (maps_of(tiny, snapshot.picture, layer)[2].mean() for snapshot in (snapshots[0], snapshots[-1]))
    assert after > before
    seen = activations(run(tiny, layer, 2, recipe, steps=40, **STILL))  # random views alone would change the activation
    assert np.mean(seen[-5:]) > seen[0]


@pytest.mark.parametrize("layer", ["conv2_1", "relu3_1"])
def test_an_ascent_raises_the_activation_in_vgg16(vgg16: VGG16, layer: str) -> None:
    start, *_, last = run(vgg16, layer, 7, steps=16)
    before, after = (float(maps_of(vgg16, snapshot.picture, layer)[7].mean()) for snapshot in (start, last))
    assert after > before + 3


@pytest.mark.parametrize(("recipe", "tolerance"), [("fourier", 0.01), ("erhan", 0.03)])
def test_a_step_reports_the_activation_of_the_picture_before_it(tiny: VGG16, recipe: str, tolerance: float) -> None:
    """With the whole picture in view, only the rounding to 8 bits makes a difference."""
    snapshots = run(tiny, "conv2_1", 1, recipe, precision="float32", learning_rate=0.02, **STILL)
    expected = [float(maps_of(tiny, snapshot.picture, "conv2_1")[1].mean()) for snapshot in snapshots[:-1]]
    assert activations(snapshots) == pytest.approx(expected, abs=tolerance)
    assert min(np.diff(expected)) > tolerance


# The length of a step


def strides(snapshots: list[Snapshot]) -> list[float]:
    """Return how far each step moved the normalised pixels. If the gradient is constant, Adam moves by its rate."""
    levels = [pixels(snapshot.picture) / 255 / STD for snapshot in snapshots]
    return [float(np.median(np.abs(after - before))) for before, after in pairwise(levels)]


STRAIGHT: dict[str, Any] = {"weight_decay": 0, "learning_rate": 0.1}  # erhan on conv1_1, which is linear


@pytest.mark.parametrize(("decay_share", "expected"), [
    (0, [1] * 10), (0.5, [1] * 6 + [0.8, 0.6, 0.4, 0.2]), (1, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
])  # fmt: skip
def test_steps_get_shorter_towards_the_end(tiny: VGG16, decay_share: float, expected: list[float]) -> None:
    taken = strides(run(tiny, "conv1_1", 3, "erhan", steps=10, decay_share=decay_share, **STRAIGHT))
    assert np.array(taken) * 10 == pytest.approx(expected, abs=0.2)  # one 8-bit level is 0.17


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until the test moves it."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_steps_get_shorter_as_the_seconds_run_out(tiny: VGG16, clock: list[float]) -> None:
    steps = begin(tiny, "conv1_1", 3, "erhan", steps=500, seconds=8, decay_share=0.5, **STRAIGHT)
    snapshots = [next(steps)]
    for now in (0, 2, 4, 5, 6, 7):
        clock[0] = 100 + now
        snapshots.append(next(steps))
    assert np.array(strides(snapshots)) * 10 == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25], abs=0.2)
    assert not snapshots[-1].last
    clock[0] = 109
    last = next(steps)
    assert (last.last, last.step, last.seconds, next(steps, None)) == (True, 7, 9, None)
    assert same(last.picture, snapshots[-1].picture)


# Which snapshots are yielded


def test_every_step_is_yielded_if_every_is_zero(tiny: VGG16) -> None:
    snapshots = run(tiny, "conv1_1", 0, steps=5)
    assert [snapshot.step for snapshot in snapshots] == [0, 1, 2, 3, 4, 5]
    assert [snapshot.last for snapshot in snapshots] == [False] * 5 + [True]
    assert [snapshot.activation is None for snapshot in snapshots] == [True] + [False] * 5
    assert {snapshot.steps for snapshot in snapshots} == {5}
    assert snapshots == sorted(snapshots, key=lambda snapshot: snapshot.seconds)


def test_the_start_and_the_last_step_are_always_yielded_and_the_curve_has_all(tiny: VGG16) -> None:
    every, few = (run(tiny, "conv1_1", 0, steps=5, every=every) for every in (0, math.inf))
    assert [(snapshot.step, snapshot.last) for snapshot in few] == [(0, False), (5, True)]
    assert same(few[-1].picture, every[-1].picture)
    assert [len(snapshot.curve) for snapshot in every] == [0, 1, 2, 3, 4, 5]
    assert few[-1].curve == every[-1].curve == tuple(activations(every))
    *_, pair = maximize_many(tiny, "conv1_1", [0, 2], steps=5, size=64, every=math.inf)
    assert [snapshot.curve[-1] for snapshot in pair] == [snapshot.activation for snapshot in pair]
    assert pair[0].curve != pair[1].curve
    assert "curve" not in pair[0].record()


def test_a_single_step_is_also_the_last(tiny: VGG16) -> None:
    assert [(snapshot.step, snapshot.last) for snapshot in run(tiny, "conv1_1", 0, steps=1)] == [(0, False), (1, True)]


def test_zero_steps_mean_the_recipes_own_number(tiny: VGG16) -> None:
    last = run(tiny, "conv1_1", 0, "erhan", steps=0, every=math.inf)[-1]
    assert (last.step, last.steps, last.settings.steps) == (50, 50, 50)


def test_snapshots_are_yielded_at_fixed_intervals(clock: list[float]) -> None:
    def two_seconds_later(*_: object) -> None:
        clock[0] += 2

    net = toy()
    net.get_submodule("conv1_1").register_forward_hook(two_seconds_later)
    seen = []
    for snapshot in begin(net, "conv1_1", 0, steps=10, every=5):
        seen.append((snapshot.step, snapshot.seconds))
        clock[0] += 100 * (snapshot.step > 0)  # the caller's own time does not count
    # The first step at once, for the visitor who waits; then after 5, 10, 15 and 20 s of work.
    assert seen == [(0, 0), (1, 2), (3, 106), (5, 210), (8, 316), (10, 420)]


def test_a_time_limit_ends_an_ascent_early(tiny: VGG16) -> None:
    last = run(tiny, "conv5_3", 0, size=384, steps=512, seconds=0.05, every=math.inf)[-1]
    assert 1 <= last.step < last.steps == 512
    assert last.last and last.seconds >= 0.05


def test_a_time_limit_that_ends_before_the_first_step_gives_one_step(tiny: VGG16) -> None:
    """As when a slow reader takes the snapshots: the small start is over before it has begun."""
    steps = maximize(tiny, "conv3_1", 2, size=128, steps=8, coarse_share=0.5, seconds=0.05)
    assert next(steps).step == 0
    time.sleep(0.1)
    assert [snapshot.step for snapshot in steps] == [1]


# Same seed, same picture


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_picture_and_another_seed_does_not(tiny: VGG16, recipe: str) -> None:
    first, again, other = (run(tiny, "conv3_1", 2, recipe, seed=seed) for seed in (4, 4, 5))
    assert [snapshot.picture for snapshot in first] == [snapshot.picture for snapshot in again]
    assert activations(first) == activations(again)
    if recipe == "deepdream":
        assert same(first.pop(0).picture, other.pop(0).picture)  # both start from the photo
    assert not any(same(mine.picture, its.picture) for mine, its in zip(first, other, strict=True))


def test_an_ascent_neither_uses_nor_changes_torchs_global_random_numbers(tiny: VGG16) -> None:
    torch.manual_seed(1)
    first = run(tiny, "conv2_1", 0)[-1].picture
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert same(run(tiny, "conv2_1", 0)[-1].picture, first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("recipe", "overrides"), [
    ("fourier", {"zoom": 0.3, "decay": 0.5, "headroom": 9}),
    ("fourier", {"crop": 0.6, "jitter": 0.4, "beta1": 0.8, "beta2": 0.9, "decay_share": 0.7, "rotation": 20}),
    ("erhan", {"weight_decay": 0.01}),
    ("maco", {"decorrelated": False}),
    ("deepdream", {"learning_rate": 0.1}),
])  # fmt: skip
def test_the_record_reproduces_the_picture(tiny: VGG16, recipe: str, overrides: dict[str, Any]) -> None:
    last = run(tiny, "conv3_1", 1, recipe, seed=9, **overrides)[-1]
    record = json.loads(json.dumps(last.record()))
    settings = Settings(**record["settings"])
    assert None not in record["settings"].values()
    start = CAT if recipe == "deepdream" else None
    *_, again = maximize(tiny, record["layer"], record["channel"], settings, start=start)
    assert again.settings == last.settings == settings
    assert same(again.picture, last.picture)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_batch_gives_the_same_pictures_as_separate_ascents(tiny: VGG16, recipe: str) -> None:
    channels = [0, 3, 5, 3]
    options: dict[str, Any] = {"size": 64, "steps": 3, "every": 0, "precision": "float32", "learning_rate": 0.02}
    if recipe == "deepdream":
        options["start"] = CAT
    batch = list(maximize_many(tiny, "conv3_2", channels, recipe, **options))
    for number, channel in enumerate(channels):
        mine, alone = [snapshots[number] for snapshots in batch], run(tiny, "conv3_2", channel, recipe, **options)
        assert {snapshot.channel for snapshot in mine} == {channel}
        assert [(each.step, each.last) for each in mine] == [(each.step, each.last) for each in alone]
        assert activations(mine) == pytest.approx(activations(alone), rel=1e-3, abs=1e-5)
        assert np.abs(pixels(mine[-1].picture) - pixels(alone[-1].picture)).max() <= 1


@pytest.mark.parametrize("layer", ["conv3_2", "relu3_2"])
def test_a_direction_maximises_the_weighted_sum_of_its_channels(tiny: VGG16, layer: str) -> None:
    """The first activation is compared with a forward pass of the start picture: 2·a − 0.5·b."""
    mine = run(tiny, layer, {1: 2.0, 4: -0.5}, "erhan", steps=30)
    maps = maps_of(tiny, mine[0].picture, layer)
    assert mine[1].activation == pytest.approx(float(2 * maps[1].mean() - 0.5 * maps[4].mean()), rel=1e-3)
    assert activations(mine)[-1] > activations(mine)[0] + 0.1
    assert mine[-1].channel == {1: 2.0, 4: -0.5}
    assert mine[-1].record()["channel"] == {"1": 2.0, "4": -0.5}  # as JSON has it


def test_a_direction_of_one_channel_is_that_channel(tiny: VGG16) -> None:
    alone, mixed = (run(tiny, "conv2_1", channel, steps=3) for channel in (3, {3: 1.0}))
    assert same(alone[-1].picture, mixed[-1].picture)
    assert mixed[-1].channel == 3


def test_the_first_picture_has_the_colour_asked_for(tiny: VGG16) -> None:
    grey, brown = (run(tiny, "conv5_1", 3, steps=1, colour=colour)[0] for colour in ("", "#a08060"))
    assert pixels(grey.picture).mean((0, 1)) == pytest.approx([127.5] * 3, abs=1)
    assert pixels(brown.picture).mean((0, 1)) == pytest.approx([0xA0, 0x80, 0x60], abs=1)
    assert brown.record()["settings"]["colour"] == "#a08060"


@pytest.mark.parametrize("layer", ["conv4_1", "conv5_3"])
def test_a_deep_layers_picture_is_one_picture_and_not_four_copies(vgg16: VGG16, layer: str) -> None:
    """The four quarters of what the recipe grew by default, and at 224 px, have little in common."""
    for size in (0, 224):
        *_, last = maximize(vgg16, layer, 9, size=size, steps=6, every=math.inf)
        shown = pixels(last.picture).astype(float)
        half = len(shown) // 2
        quarters = [shown[top : top + half, left : left + half] for top in (0, half) for left in (0, half)]
        alike = np.corrcoef([quarter.ravel() for quarter in quarters])
        assert (alike.sum() - 4) / 12 < 0.2, size


def test_channels_and_directions_can_share_a_batch(tiny: VGG16) -> None:
    options: dict[str, Any] = {"size": 64, "steps": 3, "every": 0, "precision": "float32", "learning_rate": 0.02}
    direction = {0: 1.0, 2: 1.0}
    *_, (first, second) = maximize_many(tiny, "conv3_1", [5, direction], **options)
    for snapshot, channel in ((first, 5), (second, direction)):
        alone = run(tiny, "conv3_1", channel, **options)[-1]
        assert snapshot.activation == pytest.approx(alone.activation, rel=1e-3)
        assert np.abs(pixels(snapshot.picture) - pixels(alone.picture)).max() <= 1


@pytest.mark.parametrize("direction", [{}, {0: 0.0}, {0: 1.0, 1: float("nan")}, {0: "much"}, {0: 1.0, 1: -1e30}])
def test_a_direction_without_weights_is_refused(tiny: VGG16, direction: Any) -> None:
    with pytest.raises(ChannelError, match=r"of conv3_1 have no usable weights"):
        maximize(tiny, "conv3_1", direction)
    with pytest.raises(ChannelError, match="channel 6 does not exist"):
        maximize(tiny, "conv3_1", {6: 1.0})


@pytest.mark.parametrize(("recipe", "tolerance"), [("erhan", 0), ("fourier", 3), ("deepdream", 3)])
def test_a_start_photo_is_the_picture_of_step_0(tiny: VGG16, photo: Image.Image, recipe: str, tolerance: int) -> None:
    first = run(tiny, "conv1_1", 0, recipe, start=photo, size=80)[0]
    expected = ImageOps.fit(photo, (80, 80), Image.Resampling.BICUBIC)
    assert first.picture.size == (80, 80)
    assert np.abs(pixels(first.picture) - pixels(expected)).max() <= tolerance


def test_a_start_photo_can_be_a_path(tiny: VGG16, photo: Image.Image) -> None:
    by_path, by_picture = (run(tiny, "conv1_1", 0, start=start)[-1] for start in (CAT, photo))
    assert same(by_path.picture, by_picture.picture)


def test_deepdream_leaves_the_photo_recognisable(vgg16: VGG16, photo: Image.Image) -> None:
    grown = [run(vgg16, "conv3_1", 7, recipe, steps=24, start=photo)[-1].picture for recipe in ("deepdream", "fourier")]
    fitted = pixels(ImageOps.fit(photo, (64, 64), Image.Resampling.BICUBIC)).ravel()
    gentle, bold = (np.corrcoef(fitted, pixels(picture).ravel())[0, 1] for picture in grown)
    assert gentle > 0.8 > bold


def test_a_picture_continues_across_its_edges(tiny: VGG16) -> None:
    """Roll the picture by half its side, so that its edges meet in the middle. It must activate the channel there."""
    levels = pixels(run(tiny, "conv2_1", 1, steps=30)[-1].picture)
    rolled = Image.fromarray(np.roll(levels, (32, 32), (0, 1)).astype(np.uint8))
    maps = maps_of(tiny, rolled, "conv2_1")[1]
    for axis in (0, 1):
        assert maps.narrow(axis, 15, 2).mean() > 0.9 * maps.mean()
        within = np.abs(np.diff(levels, axis=axis)).mean()
        across = np.abs(levels.take(0, axis) - levels.take(-1, axis)).mean()
        assert across < 1.5 * within


@pytest.mark.parametrize(("error", "arguments", "sentence"), [
    (LayerError, {"layer": "conv9_1"}, "does not exist"),
    (ChannelError, {"channel": 6}, "channel 6 does not exist in conv3_1: choose a whole number from 0 to 5"),
    (ChannelError, {"channel": -1}, "channel -1"),
    (SettingError, {"settings": "lucid"}, "recipe 'lucid' is unknown"),
    (SettingError, {"size": 512}, "size 512 is out of range: choose a whole number from 64 to 384 px"),
    (SettingError, {"steps": -1}, "steps -1 is out of range"),
    (SettingError, {"objective": "center"}, "objective 'center' is unknown: .* channel, centre, negative"),
    (SettingError, {"stepz": 3}, "setting 'stepz' is unknown"),
    (SettingError, {"jitter": 4}, "jitter 4 is out of range"),
    (SettingError, {"redirected": 1}, "redirected 1 is unknown: choose one of True, False"),
    (SettingError, {"settings": "maco", "start": CAT}, "recipe maco cannot start from a photo"),
    (SettingError, {"settings": "deepdream"}, "recipe deepdream starts from a photo: give one"),
    (PhotoError, {"start": "missing.jpg"}, "missing.jpg"),
])  # fmt: skip
def test_wrong_arguments_are_refused_at_the_call(tiny: VGG16, error: Any, arguments: Any, sentence: str) -> None:
    arguments = {"layer": "conv3_1", "channel": 0, **arguments}
    with pytest.raises(error, match=sentence):
        maximize(tiny, **arguments)
    channel = arguments.pop("channel")
    with pytest.raises(error, match=sentence):
        maximize_many(tiny, channels=[0, channel, 1], **arguments)


def test_an_empty_list_of_channels_is_refused(tiny: VGG16) -> None:
    for none in ([], (), np.array([], dtype=int)):
        with pytest.raises(ChannelError, match=r"^no channel was given: choose one or more from 0 to 5 of conv3_1\.$"):
            maximize_many(tiny, "conv3_1", none)


@pytest.mark.parametrize("parameterisation", CHOICES["parameterisation"])
@pytest.mark.parametrize("objective", CHOICES["objective"])
@pytest.mark.parametrize("bound", [0, 1], ids=["lowest", "highest"])
def test_extreme_settings_stay_finite(tiny: VGG16, bound: int, objective: str, parameterisation: str) -> None:
    """All of them at once, but for those that only cost time."""
    extremes: dict[str, Any] = {name: pair[bound] for name, pair in limits("cpu").items()}
    extremes |= {"size": 64, "steps": 4, "seconds": 0, "objective": objective, "parameterisation": parameterisation}
    for layer in ("conv1_1", "pool5"):
        snapshots = run(tiny, layer, 3, **extremes)
        assert len(snapshots) == 5
        assert all(math.isfinite(activation) for activation in activations(snapshots))
        assert {(each.picture.mode, each.picture.size) for each in snapshots} == {("RGB", (64, 64))}


@pytest.mark.parametrize("name", [name for name in limits("cpu") if name not in ("size", "steps", "seconds")])
def test_one_extreme_setting_stays_finite(tiny: VGG16, name: str) -> None:
    for bound in (0, 1):
        snapshots = run(tiny, "conv3_1", 3, steps=4, **{name: limits("cpu")[name][bound]})
        assert all(math.isfinite(activation) for activation in activations(snapshots))


@pytest.mark.parametrize("size", [64, 65, 101])
@pytest.mark.parametrize("recipe", RECIPES)
def test_pictures_have_the_requested_size(tiny: VGG16, recipe: str, size: int) -> None:
    snapshots = run(tiny, "conv3_1", 0, recipe, size=float(size), steps=2)
    assert {(each.picture.mode, each.picture.size) for each in snapshots} == {("RGB", (size, size))}


# The record

KEYS = {"step", "steps", "activation", "seconds", "layer", "channel", "recipe", "seed", "size", "settings", "build"}


@pytest.mark.parametrize(("recipe", "precision"), [("erhan", torch.float32), ("fourier", fast_dtype("cpu"))])
def test_the_record_is_json_with_the_promised_keys(tiny: VGG16, recipe: str, precision: torch.dtype) -> None:
    for snapshot in run(tiny, "features.10", 4, recipe, seed=3, steps=2):
        record = snapshot.record()
        assert json.loads(json.dumps(record)) == record
        assert record.keys() == KEYS
        short = {name: record[name] for name in ("steps", "layer", "channel", "recipe", "seed", "size")}
        assert short == {"steps": 2, "layer": "conv3_1", "channel": 4, "recipe": recipe, "seed": 3, "size": 64}
        assert record["build"].items() >= {"torch": torch.__version__, "device": "cpu"}.items()
        assert record["build"]["threads"] == torch.get_num_threads()
        assert f"torch.{record['build']['precision']}" == str(precision)


def test_the_record_names_the_weights(vgg16: VGG16, tiny: VGG16) -> None:
    assert run(vgg16, "conv1_1", 0, steps=1)[0].build["weights_sha256"] == vgg16.origin.sha256
    assert run(tiny, "conv1_1", 0, steps=1)[0].build["weights_sha256"] is None


@pytest.mark.usefixtures("equally_fast")
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("native", [True, False])
def test_a_cpu_uses_bfloat16_if_it_supports_it_and_records_it(
    tiny: VGG16, recipe: str, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    quick = native and recipe != "erhan"
    automatic = run(tiny, "conv3_1", 2, recipe)
    assert {each.build["precision"] for each in automatic} == {"bfloat16" if quick else "float32"}
    assert {each.settings.precision for each in automatic} == {"float32" if recipe == "erhan" else "auto"}
    full = run(tiny, "conv3_1", 2, recipe, precision="float32")
    assert {each.build["precision"] for each in full} == {"float32"}
    assert run(tiny, "conv3_1", 2, recipe, precision="bfloat16", steps=1)[0].build["precision"] == (
        "float32" if recipe == "erhan" else "bfloat16"
    )
    assert (activations(full) == activations(automatic)) == (not quick)
    assert activations(full)[0] == pytest.approx(activations(automatic)[0], rel=0.05, abs=0.02)
    for snapshots in (automatic, full):
        assert all(math.isfinite(activation) for activation in activations(snapshots))
        assert all(pixels(each.picture).mean() > 50 for each in snapshots)  # NaNs would be black


def test_a_small_start_shows_its_picture_four_times_at_the_size_asked_for(tiny: VGG16) -> None:
    snapshots, again = (run(tiny, "conv3_1", 2, size=128, steps=8, coarse_share=0.5) for _ in range(2))
    assert same(again[-1].picture, snapshots[-1].picture) and again[-1].curve == snapshots[-1].curve
    for snapshot in snapshots:
        shown = pixels(snapshot.picture)
        assert shown.shape == (128, 128, 3)
        corners = [shown[top : top + 64, left : left + 64] for top in (0, 64) for left in (0, 64)]
        repeated = all((corner == corners[0]).all() for corner in corners)
        assert repeated == (snapshot.step <= 4), snapshot.step
    assert snapshots[-1].record()["settings"]["coarse_share"] == 0.5


def test_a_small_start_costs_a_quarter_a_step_and_loses_little(vgg16: VGG16) -> None:
    small, large = (run(vgg16, "conv3_1", 85, size=128, steps=40, coarse_share=share)[-1] for share in (0.5, 0.0))
    assert max(small.curve) > 0.8 * max(large.curve)
    # The switch is smooth: the step after it sees about what the step before it saw.
    assert small.curve[20] > 0.75 * small.curve[19]


def test_adam_goes_on_where_it_stopped_when_the_canvas_is_doubled(tiny: VGG16) -> None:
    """If the loss is a mean over pixels, a step after doubling repeats the step that the small canvas would take.

    Adam's steps do not depend on the gradient's size, and doubled values are twice as large, so the test doubles the
    learning rate. Without decay this holds for the mean colour as well.
    """
    settings = settle("fourier", tiny.architecture.find("conv1_1"), "cpu", size=64, learning_rate=0.1, decay=0)
    wanted = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    def step(canvas: Any, adam: torch.optim.Optimizer) -> None:
        repeats = canvas.side // 32
        loss = ((canvas.rgb() - wanted.repeat(1, 1, repeats, repeats)) ** 2).mean()
        (canvas.values.grad,) = torch.autograd.grad(loss, canvas.values)
        adam.step()

    noise, small = torch.Generator().manual_seed(0), replace(settings, coarse_share=0.5)
    canvas = new_canvas(small, 1, None, noise, torch.device("cpu"))
    adam = _adam(canvas, settings)
    for _ in range(5):
        step(canvas, adam)
    larger, going_on = _doubled(canvas, adam, settings)
    going_on.param_groups[0]["lr"] *= 2
    step(canvas, adam)
    step(larger, going_on)
    torch.testing.assert_close(larger.rgb(), canvas.rgb().repeat(1, 1, 2, 2), rtol=0, atol=2e-3)


@pytest.mark.parametrize(("layer", "more"), [
    ("conv3_1", {"size": 126}),  # a canvas of 63 px would have to wrap at half a pixel
    ("conv3_1", {"size": 130, "start": CAT}),
    ("pool5", {"size": 128}),  # for pool5, a view of 48 px is one cell
    ("conv3_1", {"size": 64}),
    ("conv3_1", {"settings": "maco", "size": 128}),
    ("conv3_1", {"settings": "erhan", "size": 128}),
])  # fmt: skip
def test_an_ascent_that_cannot_start_small_starts_at_full_size(tiny: VGG16, layer: str, more: dict[str, Any]) -> None:
    snapshots = run(tiny, layer, 1, **{"steps": 3, "coarse_share": 0.5, **more})
    assert snapshots[-1].record()["settings"]["coarse_share"] == 0.0


# Side effects


def test_an_ascent_never_changes_the_shared_weights() -> None:
    net = toy()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for recipe in RECIPES:
        run(net, "pool3", 1, recipe)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_ascents_on_several_threads_do_not_disturb_each_other(tiny: VGG16) -> None:
    def last_of(channel: int) -> Image.Image:
        return run(tiny, "conv3_1", channel)[-1].picture

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(last_of, range(6))) == [last_of(channel) for channel in range(6)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_ascent_can_be_resumed_on_any_thread_in_any_grad_mode(tiny: VGG16, recipe: str) -> None:
    steps = begin(tiny, "conv2_1", 1, recipe)

    def advance(grad: bool) -> tuple[Snapshot, bool]:
        with torch.set_grad_enabled(grad):
            return next(steps), torch.is_grad_enabled() == grad

    for number, expected in enumerate(run(tiny, "conv2_1", 1, recipe)):
        with ThreadPoolExecutor(1) as pool:  # a new thread each time
            snapshot, kept = pool.submit(advance, bool(number % 2)).result()
        assert kept
        assert same(snapshot.picture, expected.picture)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_an_ascent_runs_even_where_gradients_are_switched_off(tiny: VGG16, mode: Any, recipe: str) -> None:
    expected = run(tiny, "conv2_1", 1, recipe)
    with mode():
        assert same(run(tiny, "conv2_1", 1, recipe)[-1].picture, expected[-1].picture)
        assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
    begun = begin(tiny, "conv2_1", 1, recipe)
    with mode():
        next(begun)
        next(begun)
    assert same(list(begun)[-1].picture, expected[-1].picture)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_ascent_closed_early_leaves_no_tensors_behind(tiny: VGG16, recipe: str) -> None:
    def taste() -> None:
        steps = begin(tiny, "conv3_1", 0, recipe, steps=100)
        for _ in range(3):
            next(steps)
        steps.close()  # type: ignore[attr-defined]
        assert next(steps, None) is None

    taste()  # torch keeps some tensors after the first run
    gc.collect()
    gc.freeze()  # what is there by now need not be looked through again
    try:
        taste()
        gc.collect()
        assert not [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
    finally:
        gc.unfreeze()
    assert torch.is_grad_enabled()
