"""Weights made for other input are noticed; changed, rounded and random ones raise no false alarm."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from helpers.toys import conv
from torch.nn import Parameter

from cnnvis.network import input_check
from cnnvis.network.input_check import input_warning
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD, VGG16, build

CAFFE_MEAN = (123.68, 116.779, 103.939)  # red, green and blue, subtracted from 0 to 255


def for_input(net: VGG16, scale: float, shift: torch.Tensor) -> VGG16:
    """The same network made for RGB · scale + shift: it computes the same from that, except at the picture's rim."""
    changed = deepcopy(net)
    first = conv(changed, "conv1_1")
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    bias = first.bias - (first.weight * ((mean + shift / scale) / std).view(1, 3, 1, 1)).sum((1, 2, 3))
    first.weight = Parameter(first.weight / (std * scale).view(1, 3, 1, 1), requires_grad=False)
    first.bias = Parameter(bias, requires_grad=False)
    return changed


def caffes(net: VGG16) -> VGG16:
    """The network as Caffe has it: BGR from 0 to 255, less the mean."""
    changed = for_input(net, 255.0, -torch.tensor(CAFFE_MEAN))
    first = conv(changed, "conv1_1")
    first.weight = Parameter(first.weight.flip(1), requires_grad=False)
    return changed


def test_the_copy_for_caffe_computes_the_same_on_caffes_input(vgg16: VGG16) -> None:
    """Otherwise the tests below would show nothing."""
    rgb = torch.rand(1, 3, 32, 32)
    bgr = (rgb * 255 - torch.tensor(CAFFE_MEAN).view(3, 1, 1)).flip(1)
    theirs, ours = conv(caffes(vgg16), "conv1_1")(bgr), vgg16[:2](rgb)
    torch.testing.assert_close(theirs[..., 1:-1, 1:-1], ours[..., 1:-1, 1:-1], rtol=1e-4, atol=1e-4)


def noisy(net: VGG16, share: float) -> VGG16:
    """The network with noise on all weights, of this share of their standard deviation."""
    torch.manual_seed(1)
    changed = deepcopy(net)
    for tensor in changed.parameters():
        tensor += share * tensor.std() * torch.randn_like(tensor)
    return changed


def untrained(net: VGG16) -> VGG16:
    """A network as PyTorch initialises it."""
    torch.manual_seed(2)
    return build()


USUAL: dict[str, Callable[[VGG16], VGG16]] = {
    "published": lambda net: net,
    "bfloat16": lambda net: deepcopy(net).bfloat16().float(),
    "a little fine-tuned": lambda net: noisy(net, 0.05),
    "much changed": lambda net: noisy(net, 0.5),
    "for [0, 1]": lambda net: for_input(net, 1.0, torch.zeros(3)),
    "for [-1, 1]": lambda net: for_input(net, 2.0, -torch.ones(3)),
    "untrained": untrained,
}


@pytest.mark.parametrize("kind", USUAL)
def test_usual_weights_give_no_warning(kind: str, vgg16: VGG16) -> None:
    assert input_warning(USUAL[kind](vgg16)) is None


def test_weights_for_caffes_input_give_a_warning(vgg16: VGG16) -> None:
    warning = input_warning(caffes(vgg16))
    assert warning and warning.endswith(".") and "BGR from 0 to 255" in warning and "\n" not in warning
    assert input_warning(for_input(vgg16, 255.0, torch.zeros(3))) == warning
    silent = deepcopy(vgg16)
    for tensor in conv(silent, "conv1_1").parameters():
        tensor.zero_()
    assert input_warning(silent) == warning


def test_without_the_bundled_photos_there_is_no_warning(
    tiny: VGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_check, "SHELF", tmp_path)
    assert input_warning(deepcopy(tiny)) is None
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    assert input_warning(deepcopy(tiny)) is None
