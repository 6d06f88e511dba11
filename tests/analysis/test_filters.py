"""A layer's filters: the colours of their kernels, their statistics, and the filters most similar to them."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from helpers.applied import expanded
from helpers.toys import conv, toy
from numpy.typing import NDArray
from torch import nn

from cnnvis.analysis.filters import FilterSheet, filter_sheet, one_filter
from cnnvis.errors import ChannelError, LayerError, SettingError
from cnnvis.network.architecture import CONVOLUTIONS
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import SIGNED

# features.0.weight[0, 0] of torchvision's file: the first filter's kernel for red.
FIRST_KERNEL = np.array([
    [-0.5537306, 0.1427047, 0.5289615], [-0.58312404, 0.35655147, 0.76566225], [-0.69022113, -0.04801885, 0.48409155],
])  # fmt: skip


def kernel_colours(sheet: FilterSheet, channel: int) -> NDArray[np.uint8]:
    """Return the nine colours (3, 3, 3) of a tile, each of which must fill a square of 16 px.

    Tiles fill the sheet row by row, and each starts at a multiple of `cell` px.
    """
    left, top = (channel % sheet.columns) * sheet.cell, (channel // sheet.columns) * sheet.cell
    squares = np.asarray(sheet.picture)[top : top + 48, left : left + 48].reshape(3, 16, 3, 16, 3)
    assert (squares == squares[:, :1, :, :1]).all()
    return squares[:, 0, :, 0]


def weights_of(net: VGG16, layer: str) -> NDArray[np.float64]:
    return conv(net, layer).weight.double().numpy()


def ramp(weights: NDArray[np.float64], scale: float | None) -> NDArray[np.int64]:
    """The signed ramp's colours of weights."""
    assert scale is not None
    return SIGNED[np.rint(np.clip(0.5 + weights / (2 * scale), 0, 1) * 255).astype(int)].astype(int)


def net_with(layer: str, **values: float) -> VGG16:
    """Build a toy whose `layer` has only these weights: `o1_i0=0.5` is the middle of filter 1's kernel 0."""
    net = toy()
    weight = conv(net, layer).weight.zero_()
    for indices, value in values.items():
        out, into = (int(part[1:]) for part in indices.split("_"))
        weight[out, into, 1, 1] = value
    return net


def test_rgb_shows_zero_as_mid_grey_and_the_sign_as_light_or_dark() -> None:
    sheet = filter_sheet(net_with("conv1_1", o0_i0=2.0, o1_i1=-2.0, o2_i2=1.0), "conv1_1")
    middles = [kernel_colours(sheet, channel)[1, 1].tolist() for channel in range(4)]
    assert middles == [[255, 128, 128], [128, 0, 128], [128, 128, 191], [128, 128, 128]]
    assert kernel_colours(sheet, 0)[0, 0].tolist() == [128, 128, 128]
    assert (sheet.view, sheet.scale) == ("rgb", 2.0)


def test_signed_shows_blue_below_zero_and_orange_above() -> None:
    net = toy()
    weight = conv(net, "conv2_1").weight.fill_(0.5)
    weight[0, 2], weight[1, 2, 0, 0] = -0.5, 0.0
    sheet = filter_sheet(net, "conv2_1", input_channel=2)
    assert (sheet.view, sheet.input_channel, sheet.scale) == ("signed", 2, 0.5)
    assert (kernel_colours(sheet, 0) == SIGNED[0]).all()
    assert (kernel_colours(sheet, 1)[0, 0] == SIGNED[128]).all()
    assert (kernel_colours(sheet, 1)[2, 2] == SIGNED[255]).all()


def test_the_signed_scale_covers_all_but_half_a_percent_of_the_weights(vgg16: VGG16) -> None:
    sheet, weights = filter_sheet(vgg16, "conv2_1", input_channel=5), weights_of(vgg16, "conv2_1")
    assert sheet.scale == pytest.approx(np.quantile(np.abs(weights), 0.995), rel=1e-4)
    for channel in range(0, 128, 9):  # one step of the ramp is allowed, because of rounding
        assert np.abs(kernel_colours(sheet, channel) - ramp(weights[channel, 5], sheet.scale)).max() <= 6


def test_gray_stretches_each_kernel_from_black_to_white(tiny: VGG16) -> None:
    sheet = filter_sheet(tiny, "conv3_2", "gray", input_channel=4)
    assert sheet.scale is None
    for channel, kernel in enumerate(weights_of(tiny, "conv3_2")[:, 4]):
        expected, shown = (kernel - kernel.min()) / np.ptp(kernel) * 255, kernel_colours(sheet, channel)
        assert (shown.min(), shown.max()) == (0, 255)
        np.testing.assert_allclose(shown, expected[..., None].repeat(3, axis=2), atol=0.51)


def test_the_first_kernel_of_vgg16_is_drawn_from_its_published_weights(vgg16: VGG16) -> None:
    colours = filter_sheet(vgg16, "conv1_1")
    assert colours.scale is not None
    np.testing.assert_allclose(
        kernel_colours(colours, 0)[..., 0], (0.5 + FIRST_KERNEL / (2 * colours.scale)) * 255, atol=0.6
    )
    signed = kernel_colours(filter_sheet(vgg16, "conv1_1", "signed"), 0).astype(int)
    assert ((signed[..., 0] > signed[..., 2]) == (FIRST_KERNEL > 0)).all()  # orange where it is positive


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_1", "conv5_3"])
def test_statistics_equal_a_slow_plain_version(tiny: VGG16, layer: str) -> None:
    weights = weights_of(tiny, layer)
    largest = max(abs(weight) for weight in weights.flat)
    sheet = filter_sheet(tiny, layer)
    for channel, filter_ in enumerate(weights):
        values = filter_.flatten().tolist()
        sparsity = sum(abs(value) < 0.01 * largest for value in values) / len(values)
        assert sheet.norm[channel] == pytest.approx(sum(value**2 for value in values) ** 0.5, rel=1e-5)
        assert sheet.mean[channel] == pytest.approx(sum(values) / len(values), rel=1e-4, abs=1e-7)
        assert sheet.sparsity[channel] == pytest.approx(sparsity)
        alone = one_filter(tiny, layer, channel)
        assert alone.norm == sheet.norm[channel]
        assert (alone.mean, alone.sparsity) == (sheet.mean[channel], sheet.sparsity[channel])


def test_sparsity_counts_the_weights_near_zero() -> None:
    net = net_with("conv2_1", o0_i0=1.0, o1_i0=0.009, o1_i1=0.011)
    assert filter_sheet(net, "conv2_1").sparsity == pytest.approx([35 / 36, 35 / 36, 1, 1])


@pytest.mark.parametrize(
    ("network", "layer", "channel", "count"),
    [("tiny", "conv1_1", 0, 2), ("tiny", "conv3_2", 5, 4), ("tiny", "conv5_1", 7, 99), ("vgg16", "conv1_1", 17, 8)],
)
def test_nearest_filters_equal_a_plain_loop(request: Any, network: str, layer: str, channel: int, count: int) -> None:
    net: VGG16 = request.getfixturevalue(network)
    weights = weights_of(net, layer)
    cosines = {}
    for other, filter_ in enumerate(weights):
        product = sum(a * b for a, b in zip(filter_.flat, weights[channel].flat, strict=True))
        cosines[other] = float(product / (np.linalg.norm(filter_) * np.linalg.norm(weights[channel])))
    del cosines[channel]
    nearest = one_filter(net, layer, channel, nearest=count).nearest
    assert [other for other, _ in nearest] == sorted(cosines, key=lambda other: -cosines[other])[:count]
    assert [cosine for _, cosine in nearest] == pytest.approx([cosines[other] for other, _ in nearest], abs=1e-5)


def test_a_deep_filter_shows_its_strongest_kernels_first(tiny: VGG16) -> None:
    drawn = one_filter(tiny, "conv5_2", 3, kernels=4)
    kernels = weights_of(tiny, "conv5_2")[3]
    norms = [float(np.linalg.norm(kernel)) for kernel in kernels]
    assert drawn.input_channels == sorted(range(8), key=lambda number: -norms[number])[:4]
    assert drawn.scale == pytest.approx(np.abs(kernels).max())
    assert drawn.bias == pytest.approx(float(conv(tiny, "conv5_2").bias[3]))  # type: ignore[index]
    corner = ramp(kernels[drawn.input_channels[0]][0, 0], drawn.scale)
    assert np.abs(np.asarray(drawn.picture)[0, 0] - corner).max() <= 6


def test_a_filter_of_conv1_1_is_shown_in_colour() -> None:
    drawn = one_filter(net_with("conv1_1", o3_i0=1.0, o0_i0=-1.0), "conv1_1", 3)
    assert (drawn.input_channels, drawn.picture.size) == ([0, 1, 2], (240, 240))
    assert [drawn.picture.getpixel(px) for px in ((120, 120), (0, 0))] == [(255, 128, 128), (128, 128, 128)]


@pytest.mark.parametrize("layer", CONVOLUTIONS)
def test_every_convolution_has_a_sheet_with_room_for_its_filters(vgg16: VGG16, layer: str) -> None:
    sheet, channels = filter_sheet(vgg16, layer), conv(vgg16, layer).out_channels
    rows = -(-channels // sheet.columns)
    assert (sheet.layer, sheet.channels, sheet.cell) == (layer, channels, 52)
    assert sheet.picture.size == (sheet.columns * sheet.cell, rows * sheet.cell)
    assert sheet.view == ("rgb" if layer == "conv1_1" else "signed")
    assert len(sheet.norm) == len(sheet.mean) == len(sheet.sparsity) == channels


def test_the_layer_can_be_named_in_any_dialect(tiny: VGG16) -> None:
    for name in ("conv3_1", "features.10", "10", "block3_conv1"):
        assert filter_sheet(tiny, name).layer == one_filter(tiny, name, 0).layer == "conv3_1"


@pytest.mark.parametrize("view", ["auto", "rgb", "signed", "gray"])
def test_the_record_is_json_with_the_promised_keys(tiny: VGG16, view: str) -> None:
    record = filter_sheet(tiny, "conv1_1", view).record()
    assert json.loads(json.dumps(record)) == record
    assert {"layer", "view", "channels", "columns", "cell", "scale", "norm", "mean", "sparsity"} <= record.keys()


@pytest.mark.parametrize(("error", "arguments", "sentence"), [
    (LayerError, ("relu1_1",), "relu1_1.* 'conv1_1'"),
    (LayerError, ("pool4",), "pool4.* 'conv4_3'"),
    (LayerError, ("conv9_1",), "does not exist"),
    (SettingError, ("conv2_1", "rgb"), "is for conv1_1 only, not conv2_1: choose signed or gray"),
    (SettingError, ("conv1_1", "grey"), "view 'grey' is unknown: .* auto, rgb, signed, gray"),
    (ChannelError, ("conv1_1", "rgb", 3), "input_channel 3 .* conv1_1: .* 0 to 2"),
    (ChannelError, ("conv5_1", "auto", -1), "input_channel -1 .* 0 to 5"),
    (ChannelError, ("conv5_1", "auto", 0.5), "input_channel 0.5"),
])  # fmt: skip
def test_a_sheet_refuses_wrong_arguments(tiny: VGG16, error: type[Exception], arguments: Any, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        filter_sheet(tiny, *arguments)


@pytest.mark.parametrize(("layer", "channel"), [("relu1_1", 0), ("conv1_1", 4), ("conv1_1", "first")])
def test_one_filter_refuses_a_wrong_layer_or_channel(tiny: VGG16, layer: str, channel: Any) -> None:
    with pytest.raises((LayerError, ChannelError)):
        one_filter(tiny, layer, channel)


def test_drawing_leaves_the_weights_unchanged(tiny: VGG16) -> None:
    before = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    for view in ("rgb", "signed", "gray"):
        filter_sheet(tiny, "conv1_1", view)
    one_filter(tiny, "conv2_1", 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny.state_dict().items())


@pytest.mark.parametrize(("layer", "side", "channel"), [("conv1_2", 5, 3), ("conv1_2", 5, 60), ("conv2_1", 10, 100)])
def test_expanded_weights_equal_the_gradient_without_relus(vgg16: VGG16, layer: str, side: int, channel: int) -> None:
    modules = [child for name, child in cut(vgg16, layer).named_children() if not name.startswith(("input", "relu"))]
    linear = nn.Sequential(*(nn.AvgPool2d(2) if isinstance(child, nn.MaxPool2d) else child for child in modules))
    pixels = torch.zeros(1, 3, 40, 40, requires_grad=True)
    value = linear(pixels)[0, channel]
    middle = value.shape[0] // 2
    (slope,) = torch.autograd.grad(value[middle, middle], pixels)
    rows, columns = slope[0].abs().sum(0).nonzero().unbind(1)
    seen = slope[0, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    drawn = expanded(vgg16, layer, channel)
    assert drawn.weights.shape == seen.shape == (3, side, side)
    assert torch.allclose(drawn.weights, seen, atol=1e-5)
    assert drawn.scale == pytest.approx(float(seen.abs().max()), rel=1e-4)


def test_an_expanded_filter_has_a_square_for_every_weight(vgg16: VGG16) -> None:
    drawn = expanded(vgg16, "conv2_1", 7)
    pixels = np.asarray(drawn.picture)
    assert pixels.shape == (240, 240, 3)
    colour, row, column = np.unravel_index(int(drawn.weights.abs().argmax()), drawn.weights.shape)
    assert pixels[row * 24 + 12, column * 24 + 12, colour] in (0, 255)
    assert "weights" in repr(drawn)
