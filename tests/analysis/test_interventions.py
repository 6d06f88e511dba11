"""Silencing what an explanation names: against torch, and as the claim that it is."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toys import conv, toy
from PIL import Image

import cnnvis
from cnnvis.analysis.interventions import DRAWS, ablate, colour_sensitivity, named_channels, recoloured
from cnnvis.analysis.why import why
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG16, cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.prepared.shelf import load_shelf


def test_the_value_without_the_named_channels_is_that_of_a_network_without_them(photo: Image.Image) -> None:
    """By setting the channels' weights and biases to zero."""
    net = toy()
    found = why(net, photo, "conv3_2", 1, 20, 30, count=2)
    named = named_channels(found)
    assert named.keys() == {"conv2_2", "conv2_1"}
    result = ablate(net, photo, found)
    assert (result.value, result.draws, result.silenced) == (found.value, DRAWS, named)
    for layer, channels in named.items():
        conv(net, layer).weight[channels] = 0
        bias = conv(net, layer).bias
        assert bias is not None
        bias[channels] = 0
    with torch.inference_mode():
        without = cut(net, "conv3_2")(to_tensor(crop_like_training(photo)))[0, 1, 20, 30]
    assert result.without == pytest.approx(float(without), rel=1e-4, abs=1e-5)


def test_silencing_every_channel_leaves_what_the_biases_make(tiny: VGG16, photo: Image.Image) -> None:
    found = why(tiny, photo, "conv3_2", 1, 20, 30, count=16)
    result = ablate(tiny, photo, found, draws=2)
    counts = {layer: len(channels) for layer, channels in result.silenced.items()}
    if counts == {"conv2_2": 4, "conv2_1": 4}:  # then random channels are all channels too
        assert result.without == pytest.approx(result.without_random, rel=1e-5)
    same: dict[str, Any] = ablate(tiny, photo, found, draws=2).record()
    assert same == result.record()


@pytest.mark.slow
def test_what_the_tree_names_matters_more_than_random_channels(vgg16: VGG16) -> None:
    """In at least 90 % of 60 random cases; README.md has the figure."""
    shelf, draw = load_shelf(), random.Random(1)
    deep = [name for name in cnnvis.CONVOLUTIONS if cnnvis.find_layer(name).depth >= 4]
    matters = cases = 0
    while cases < 60:
        layer = draw.choice(deep)
        channel, number = draw.randrange(cnnvis.find_layer(layer).channels), draw.randrange(len(shelf.photos))
        seen = shelf.open(number)
        found = why(vgg16, seen, layer, channel)
        if found.value > 0:
            cases += 1
            result = ablate(vgg16, seen, found)
            matters += result.without < result.without_random
    print(f"{matters} of {cases}")
    assert matters >= 54


def test_every_recolouring_keeps_the_mean_of_red_green_and_blue(photo: Image.Image) -> None:
    four = recoloured(to_tensor(photo))
    assert torch.allclose(four.mean(1), four[:1].mean(1).expand(4, -1, -1), atol=1e-6)
    pixels = np.asarray(photo)
    assert np.array_equal((four[2] * 255).round().permute(1, 2, 0).numpy(), pixels[..., [2, 0, 1]])
    assert np.array_equal((four[3] * 255).round().permute(1, 2, 0).numpy(), pixels[..., [1, 2, 0]])


@pytest.mark.parametrize("channel", [0, 7, 31, 63])
def test_conv1_1_is_exact_linear_algebra(vgg16: VGG16, photo: Image.Image, channel: int) -> None:
    """The mean of a linear map of a picture of one colour is that of the colour: bias and weights, normalised."""
    module = conv(vgg16, "conv1_1")
    assert module.bias is not None
    weights = module.weight[channel].sum((1, 2)).double() / torch.tensor(IMAGENET_STD).double()
    colour = torch.tensor([0.8, 0.3, 0.1]).double()
    flat = Image.new("RGB", (224, 224), tuple(int(part * 255) for part in colour.tolist()))
    colour = torch.tensor(flat.getpixel((0, 0))).double() / 255
    found = colour_sensitivity(vgg16, flat, vgg16.architecture.target("conv1_1", channel), "mean")

    def inside(shown: torch.Tensor) -> float:
        return float(weights @ (shown - torch.tensor(IMAGENET_MEAN).double())) + float(module.bias[channel])  # type: ignore[index]

    with torch.inference_mode():
        own = cut(vgg16, "conv1_1")(recoloured(to_tensor(flat)))[:, channel]
    grey = colour.mean().expand(3)
    for number, shown in enumerate((colour, grey, colour.roll(1), colour.roll(2))):
        assert float(own[number, 100, 100]) == pytest.approx(inside(shown), abs=1e-4)
    values = (found.colour, found.grey, found.once, found.twice)
    assert values == pytest.approx(own.mean((1, 2)).tolist(), abs=1e-4)


@pytest.mark.parametrize(("layer", "channel"), [("conv3_1", 5), ("relu4_2", 100), ("pool5", 17)])
def test_other_layers_equal_torch_on_pictures_recoloured_by_hand(
    vgg16: VGG16, photo: Image.Image, layer: str, channel: int
) -> None:
    shown = crop_like_training(photo)
    found = colour_sensitivity(vgg16, shown, vgg16.architecture.target(layer, channel))
    pixels = np.asarray(shown)
    grey = np.repeat(pixels.astype(float).mean(2, keepdims=True), 3, 2)
    for value, by_hand in ((found.colour, pixels), (found.grey, grey), (found.once, pixels[..., [2, 0, 1]])):
        rgb = torch.from_numpy(by_hand.astype(np.float32) / 255).permute(2, 0, 1)[None]
        with torch.inference_mode():
            expected = cut(vgg16, layer)(rgb)[0, channel].max()
        assert value == pytest.approx(float(expected), rel=1e-3, abs=1e-3)
    assert found.measure == "maximum"


def test_a_mixture_is_weighted(vgg16: VGG16, photo: Image.Image) -> None:
    shown = crop_like_training(photo)
    mixed, one, two = (
        colour_sensitivity(vgg16, shown, vgg16.architecture.weighted_target("conv2_1", weights), "mean")
        for weights in ({3: 1.0, 9: -2.0}, 3, 9)
    )
    assert mixed.grey == pytest.approx(one.grey - 2 * two.grey, rel=1e-3)
