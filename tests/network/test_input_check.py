"""Weights made for other input are noticed; changed, rounded and random ones are not accused."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from helpers.toys import conv

from cnnvis.network import input_check as preprocessing
from cnnvis.network.input_check import input_warning
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG16, build

CAFFE_MEAN = (123.68, 116.779, 103.939)  # red, green and blue, subtracted from 0 to 255


def for_input(net: VGG16, scale: float, shift: torch.Tensor) -> VGG16:
    """The same network made for RGB · scale + shift: it computes the same on that, apart from the picture's rim."""
    changed = deepcopy(net)
    first = conv(changed, "conv1_1")
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    whole = first.weight / (std * scale).view(1, 3, 1, 1)
    inner = first.bias - (first.weight * ((mean + shift / scale) / std).view(1, 3, 1, 1)).sum((1, 2, 3))
    first.weight, first.bias = (torch.nn.Parameter(one, requires_grad=False) for one in (whole, inner))
    return changed


def caffes(net: VGG16) -> VGG16:
    """The network as Caffe has it: BGR from 0 to 255, less the mean."""
    changed = for_input(net, 255.0, -torch.tensor(CAFFE_MEAN))
    first = conv(changed, "conv1_1")
    first.weight = torch.nn.Parameter(first.weight.flip(1), requires_grad=False)
    return changed


def test_the_copy_for_caffe_computes_the_same_on_caffes_input(vgg16: VGG16) -> None:
    """Otherwise the test below would show nothing."""
    rgb = torch.rand(1, 3, 32, 32)
    bgr = (rgb * 255 - torch.tensor(CAFFE_MEAN).view(3, 1, 1)).flip(1)
    theirs, ours = conv(caffes(vgg16), "conv1_1")(bgr), vgg16[:2](rgb)
    torch.testing.assert_close(theirs[..., 1:-1, 1:-1], ours[..., 1:-1, 1:-1], rtol=1e-4, atol=1e-4)


def noisy(net: VGG16, share: float) -> VGG16:
    """The network with noise on all weights, of this share of their deviation."""
    torch.manual_seed(1)
    changed = deepcopy(net)
    for tensor in changed.parameters():
        tensor += share * tensor.std() * torch.randn_like(tensor)
    return changed


def random(net: VGG16) -> VGG16:
    """Untrained, as PyTorch initialises it."""
    torch.manual_seed(2)
    return build()


USUAL: dict[str, Callable[[VGG16], VGG16]] = {
    "published": lambda net: net,
    "bfloat16": lambda net: deepcopy(net).bfloat16().float(),
    "a little fine-tuned": lambda net: noisy(net, 0.05),
    "much changed": lambda net: noisy(net, 0.5),
    "for [0, 1]": lambda net: for_input(net, 1.0, torch.zeros(3)),
    "for [-1, 1]": lambda net: for_input(net, 2.0, -torch.ones(3)),
    "random": random,
}


@pytest.mark.parametrize("kind", USUAL)
def test_usual_weights_raise_no_doubt(kind: str, vgg16: VGG16) -> None:
    assert input_warning(USUAL[kind](vgg16)) is None


def test_weights_for_caffes_input_are_noticed(vgg16: VGG16) -> None:
    said = input_warning(caffes(vgg16))
    assert said and said.endswith(".") and "BGR from 0 to 255" in said and "\n" not in said
    assert input_warning(for_input(vgg16, 255.0, torch.zeros(3))) == said
    silent = deepcopy(vgg16)
    for tensor in conv(silent, "conv1_1").parameters():
        tensor.zero_()
    assert input_warning(silent) == said


def test_without_the_bundled_photos_nothing_is_said(
    tiny: VGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "SHELF", tmp_path)
    assert input_warning(deepcopy(tiny)) is None
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    assert input_warning(deepcopy(tiny)) is None
