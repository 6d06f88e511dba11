"""Silencing what an explanation names: compared with torch, and tested as the claim that it is."""

import random

import numpy as np
import pytest
import torch
from helpers.toys import conv, toy
from PIL import Image

import cnnvis
from cnnvis.analysis.interventions import DRAWS, ablate, colour_sensitivity, named_channels, recoloured
from cnnvis.analysis.why import why
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG16, bias_of, cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.prepared.shelf import load_shelf


def test_without_the_named_channels_the_value_is_that_of_a_network_without_them(photo: Image.Image) -> None:
    """Their weights and biases are set to zero."""
    net = toy()
    explanation = why(net, photo, "conv3_2", 1, 20, 30, count=2)
    named = named_channels(explanation)
    assert named.keys() == {"conv2_2", "conv2_1"}
    result = ablate(net, photo, explanation)
    assert (result.value, result.draws, result.silenced) == (explanation.value, DRAWS, named)
    for layer, channels in named.items():
        for tensor in conv(net, layer).parameters():
            tensor[channels] = 0
    with torch.inference_mode():
        without = cut(net, "conv3_2")(to_tensor(crop_like_training(photo)))[0, 1, 20, 30]
    assert result.without == pytest.approx(float(without), rel=1e-4, abs=1e-5)


def test_silencing_every_channel_leaves_what_the_biases_make(tiny: VGG16, photo: Image.Image) -> None:
    explanation = why(tiny, photo, "conv3_2", 1, 20, 30, count=16)
    result = ablate(tiny, photo, explanation, draws=2)
    counts = {layer: len(channels) for layer, channels in result.silenced.items()}
    if counts == {"conv2_2": 4, "conv2_1": 4}:  # then random channels are all channels too
        assert result.without == pytest.approx(result.without_random, rel=1e-5)
    assert ablate(tiny, photo, explanation, draws=2).record() == result.record()


@pytest.mark.slow
def test_what_the_tree_names_matters_more_than_random_channels(vgg16: VGG16) -> None:
    """In at least 10 of 12 random cases; README.md has the figure for 60."""
    shelf, draw = load_shelf(), random.Random(1)
    deep = [name for name in cnnvis.CONVOLUTIONS if cnnvis.find_layer(name).depth >= 4]
    matters = cases = 0
    while cases < 12:
        layer = draw.choice(deep)
        channel, number = draw.randrange(cnnvis.find_layer(layer).channels), draw.randrange(len(shelf.photos))
        seen = shelf.open(number)
        explanation = why(vgg16, seen, layer, channel)
        if explanation.value > 0:
            cases += 1
            result = ablate(vgg16, seen, explanation)
            matters += result.without < result.without_random
    print(f"{matters} of {cases}")
    assert matters >= 10


def test_every_recolouring_keeps_the_mean_of_red_green_and_blue(photo: Image.Image) -> None:
    four = recoloured(to_tensor(photo))
    assert torch.allclose(four.mean(1), four[:1].mean(1).expand(4, -1, -1), atol=1e-6)
    for rgb, order in ((four[2], [2, 0, 1]), (four[3], [1, 2, 0])):
        assert np.array_equal((rgb * 255).round().permute(1, 2, 0).numpy(), np.asarray(photo)[..., order])


@pytest.mark.parametrize("channel", [0, 7, 31, 63])
def test_conv1_1_is_exact_linear_algebra(vgg16: VGG16, channel: int) -> None:
    """The mean of a linear map of a picture of one colour is that of the colour: bias and weights, normalised."""
    module = conv(vgg16, "conv1_1")
    weights = module.weight[channel].sum((1, 2)).double() / torch.tensor(IMAGENET_STD).double()
    flat = Image.new("RGB", (224, 224), (204, 76, 25))
    rgb = torch.tensor(flat.getpixel((0, 0))).double() / 255
    sensitivity = colour_sensitivity(vgg16, flat, vgg16.architecture.target("conv1_1", channel), "mean")
    with torch.inference_mode():
        own = cut(vgg16, "conv1_1")(recoloured(to_tensor(flat)))[:, channel]
    for number, shown in enumerate((rgb, rgb.mean().expand(3), rgb.roll(1), rgb.roll(2))):
        inside = float(weights @ (shown - torch.tensor(IMAGENET_MEAN).double())) + bias_of(module, channel)
        assert float(own[number, 100, 100]) == pytest.approx(inside, abs=1e-4)
    values = (sensitivity.colour, sensitivity.grey, sensitivity.once, sensitivity.twice)
    assert values == pytest.approx(own.mean((1, 2)).tolist(), abs=1e-4)


@pytest.mark.parametrize(("layer", "channel"), [("conv3_1", 5), ("relu4_2", 100), ("pool5", 17)])
def test_other_layers_equal_torch(vgg16: VGG16, photo: Image.Image, layer: str, channel: int) -> None:
    """On pictures that are recoloured with numpy."""
    shown = crop_like_training(photo)
    pixels = np.asarray(shown)
    grey = np.repeat(pixels.astype(float).mean(2, keepdims=True), 3, 2)
    sensitivity = colour_sensitivity(vgg16, shown, vgg16.architecture.target(layer, channel))
    values = sensitivity.colour, sensitivity.grey, sensitivity.once
    for value, by_hand in zip(values, (pixels, grey, pixels[..., [2, 0, 1]]), strict=True):
        rgb = torch.from_numpy(by_hand.astype(np.float32) / 255).permute(2, 0, 1)[None]
        with torch.inference_mode():
            expected = cut(vgg16, layer)(rgb)[0, channel].max()
        assert value == pytest.approx(float(expected), rel=1e-3, abs=1e-3)
    assert sensitivity.measure == "maximum"


def test_the_channels_of_a_direction_are_weighted(vgg16: VGG16, photo: Image.Image) -> None:
    shown, find = crop_like_training(photo), vgg16.architecture.weighted_target
    mixed, first, second = (
        colour_sensitivity(vgg16, shown, find("conv2_1", each), "mean") for each in ({3: 1.0, 9: -2.0}, 3, 9)
    )
    assert mixed.grey == pytest.approx(first.grey - 2 * second.grey, rel=1e-3)
