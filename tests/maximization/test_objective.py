"""What an ascent maximises: objectives, redirection, the leak, headroom."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.ascents import activations, maps_of, pixels, run, same
from helpers.toys import conv, toy
from PIL import Image

from cnnvis.maximization.objective import LATE, LATE_LEAK, LOW_MEAN, crowding, objective_of
from cnnvis.maximization.recipes import RECIPES, settle
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import to_tensor


def test_the_negative_objective_lowers_the_activation(tiny: VGG16) -> None:
    for recipe in RECIPES:
        start, *_, last = run(tiny, "conv2_1", 1, recipe, objective="negative", steps=40)
        assert maps_of(tiny, last.picture, "conv2_1")[1].mean() < maps_of(tiny, start.picture, "conv2_1")[1].mean()


@pytest.mark.parametrize(("layer", "side"), [("conv2_1", 32), ("pool3", 8)])
def test_the_centre_objective_raises_only_the_centre(tiny: VGG16, layer: str, side: int) -> None:
    channel = 4 if layer == "pool3" else 1
    start, first, *_, last = run(tiny, layer, channel, "erhan", objective="centre", steps=10)
    before, after = (maps_of(tiny, snapshot.picture, layer)[channel] for snapshot in (start, last))
    assert before.shape == (side, side)
    centre = side // 2
    assert first.activation == pytest.approx(float(before[centre, centre]), abs=1e-5)
    assert (after - before)[centre, centre] > 10 * (after - before).abs()[:2].mean() > 0


@pytest.mark.parametrize(("layer", "channel", "bias"), [("relu1_1", 3, -1.5), ("pool2", 1, -2.0)])
def test_a_redirected_ascent_revives_a_dead_channel_and_erhan_does_not(layer: str, channel: int, bias: float) -> None:
    net = toy()
    conv(net, layer).bias.fill_(bias)  # now the layer does not respond to noise
    revived, left, erhan = (
        activations(run(net, layer, channel, recipe, steps=30, **more))
        for recipe, more in (("fourier", {}), ("fourier", {"redirected": False}), ("erhan", {}))
    )
    assert revived[0] == 0
    assert revived[-1] > 0
    assert set(left) == set(erhan) == {0.0}


def test_redirection_changes_nothing_while_a_channel_fires(tiny: VGG16) -> None:
    redirected, plain = (run(tiny, "relu2_1", 1, redirected=switch, steps=10) for switch in (True, False))
    assert min(activations(plain)) > 0
    assert same(redirected[-1].picture, plain[-1].picture)


def test_an_edge_filter_gets_stripes_with_a_leak_and_none_without() -> None:
    """If a filter's weights add up to zero, the mean of its map says nothing, but the mean after a leaky ReLU does."""
    net = toy()
    conv(net, "conv1_1").weight[3] = torch.tensor([1.0, 0.0, -1.0]) / 3
    stripes, plain = (run(net, "conv1_1", 3, leak=leak, steps=30)[-1].picture for leak in (0.5, 1.0))
    across, down = (np.abs(np.diff(pixels(stripes), axis=axis)).mean() for axis in (1, 0))
    assert across > 1.5 * down
    with torch.inference_mode():
        edges, none = (cut(net, "relu1_1")(to_tensor(picture))[0, 3].mean() for picture in (stripes, plain))
    assert edges > 1.7 * none


def test_the_leak_leaves_other_layers_and_the_negative_objective_alone(tiny: VGG16) -> None:
    for layer, more in (("relu2_1", {}), ("pool3", {}), ("conv2_1", {"objective": "negative"})):
        leaky, plain = (run(tiny, layer, 1, leak=leak, steps=6, **more)[-1].picture for leak in (0.0, 1.0))
        assert same(leaky, plain)


def test_late_in_an_ascent_a_low_activation_has_to_rise_itself() -> None:
    net = toy()
    target = net.architecture.target("conv2_1", 1)
    brightness = torch.linspace(0.1, 1, 6)[:, None, None, None]
    seen = brightness * torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = cut(net, "conv2_1")(seen)[:, 1]
        shift = maps.mean((1, 2)).median()  # three of the six will be below zero
        conv(net, "conv2_1").bias[1] -= shift
        maps = maps - shift
        settings = settle("fourier", target.layer, "cpu", leak=0.5, headroom=0)
        objective = objective_of(net, [target] * 6, settings, torch.float32)
        early, late = (objective(progress, seen)[1] for progress in (LATE - 0.01, LATE))
    leaked, lifted = (torch.where(maps > 0, maps, leak * maps).mean((1, 2)) for leak in (0.5, LATE_LEAK))
    low = maps.mean((1, 2)) < LOW_MEAN * maps.abs().mean((1, 2))
    assert torch.allclose(early, leaked, atol=1e-5)
    assert torch.allclose(late, torch.where(low, lifted, leaked), atol=1e-5)
    assert 0 < low.sum() < 6


def crowded(picture: Image.Image) -> float:
    """Return the share of colour values within 2/255 of black or white."""
    levels = pixels(picture)
    return float(((levels <= 2) | (levels >= 253)).mean())


def test_crowding_equals_values_worked_out_by_hand() -> None:
    greys = [0.5, 0.05, 0.95, 0.025, 1.0, 0.0, 1.05]  # the last one is possible on a pixel canvas, which has no bounds
    colours = torch.tensor(greys)[:, None, None, None].expand(7, 3, 4, 4)
    assert crowding(colours).tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1, 2], abs=1e-5)
    half = torch.full((1, 3, 2, 2), 0.5)
    half[..., 0] = 1
    assert crowding(half).item() == pytest.approx(0.5)


def test_headroom_changes_nothing_while_no_colour_is_near_black_or_white(tiny: VGG16) -> None:
    free, held = (run(tiny, "conv2_1", 1, learning_rate=0.02, headroom=headroom) for headroom in (0, 100))
    assert pixels(free[-1].picture).min() > 255 * 0.05 and pixels(free[-1].picture).max() < 255 * 0.95
    assert [snapshot.picture for snapshot in free] == [snapshot.picture for snapshot in held]


@pytest.mark.parametrize(("layer", "channel", "objective", "sign"), [
    ("conv1_1", 0, "channel", 1), ("conv2_1", 1, "channel", 1), ("conv1_1", 0, "negative", -1)
])  # fmt: skip
def test_headroom_costs_little_activation(tiny: VGG16, layer: str, channel: int, objective: str, sign: int) -> None:
    options: dict[str, Any] = {"objective": objective, "steps": 40, "learning_rate": 0.5}
    free, held = (run(tiny, layer, channel, headroom=headroom, **options)[-1].picture for headroom in (0, 3))
    assert crowded(free) > 0.02
    assert crowded(held) < crowded(free) / 4
    before, after = (sign * maps_of(tiny, picture, layer)[channel].mean() for picture in (free, held))
    assert after > 0.85 * before > 0


def test_headroom_works_in_vgg16(vgg16: VGG16) -> None:
    options: dict[str, Any] = {"steps": 24, "learning_rate": 0.4}
    free, held = (run(vgg16, "relu3_1", 7, headroom=headroom, **options)[-1].picture for headroom in (0, 3))
    assert crowded(held) < crowded(free) / 2
    before, after = (maps_of(vgg16, picture, "relu3_1")[7].mean() for picture in (free, held))
    assert after > 0.8 * before
