"""Silencing what an explanation names: against torch, and as the claim that it is."""

import random
from typing import Any

import pytest
import torch
from helpers.toys import conv, toy
from PIL import Image

import cnnvis
from cnnvis.analysis.interventions import DRAWS, named_channels, silence
from cnnvis.analysis.why import why
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.prepared.shelf import load_shelf


def test_the_value_without_the_named_channels_is_that_of_a_network_without_them(photo: Image.Image) -> None:
    """By setting the channels' weights and biases to zero."""
    net = toy()
    found = why(net, photo, "conv3_2", 1, 20, 30, count=2)
    named = named_channels(found)
    assert named.keys() == {"conv2_2", "conv2_1"}
    result = silence(net, photo, found)
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
    result = silence(tiny, photo, found, draws=2)
    counts = {layer: len(channels) for layer, channels in result.silenced.items()}
    if counts == {"conv2_2": 4, "conv2_1": 4}:  # then random channels are all channels too
        assert result.without == pytest.approx(result.without_random, rel=1e-5)
    same: dict[str, Any] = silence(tiny, photo, found, draws=2).record()
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
            result = silence(vgg16, seen, found)
            matters += result.without < result.without_random
    print(f"{matters} of {cases}")
    assert matters >= 54
