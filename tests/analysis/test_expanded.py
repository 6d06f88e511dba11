"""Expanded weights: equal to the gradient of the network without its ReLUs and with pooling as a mean."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnvis.errors import ChannelError, LayerError
from cnnvis.expanded import expanded
from cnnvis.network.vgg import VGG16, cut


@pytest.mark.parametrize(("layer", "side", "channel"), [("conv1_2", 5, 3), ("conv1_2", 5, 60), ("conv2_1", 10, 100)])
def test_they_equal_the_gradient_without_relus(vgg16: VGG16, layer: str, side: int, channel: int) -> None:
    steps = [step for name, step in cut(vgg16, layer).named_children() if not name.startswith(("input", "relu"))]
    linear = nn.Sequential(*(nn.AvgPool2d(2) if isinstance(step, nn.MaxPool2d) else step for step in steps))
    pixels = torch.zeros(1, 3, 40, 40, requires_grad=True)
    value = linear(pixels)[0, channel]
    middle = value.shape[0] // 2
    (slope,) = torch.autograd.grad(value[middle, middle], pixels)
    rows, columns = slope[0].abs().sum(0).nonzero().unbind(1)
    seen = slope[0, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    found = expanded(vgg16, layer, channel)
    assert found.weights.shape == seen.shape == (3, side, side)
    assert torch.allclose(found.weights, seen, atol=1e-5)
    assert found.scale == pytest.approx(float(seen.abs().max()), rel=1e-4)


def test_the_picture_has_a_square_for_every_weight(vgg16: VGG16) -> None:
    found = expanded(vgg16, "conv2_1", 7)
    pixels = np.asarray(found.picture)
    assert pixels.shape == (240, 240, 3)
    brightest = np.unravel_index(int(found.weights.abs().argmax()), found.weights.shape)
    shown = pixels[brightest[1] * 24 + 12, brightest[2] * 24 + 12, brightest[0]]
    assert shown in (0, 255)
    assert "weights" in repr(found)


def test_other_layers_are_refused(vgg16: VGG16) -> None:
    for layer in ("conv1_1", "conv2_2", "conv5_3", "relu1_2"):
        with pytest.raises(LayerError):
            expanded(vgg16, layer, 0)
    with pytest.raises(ChannelError):
        expanded(vgg16, "conv1_2", 64)
