"""Feature maps of a photo: two pipelines, strength and order, contrast, overlays, one channel in all layers."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from helpers.ascents import pixels
from helpers.pictures import saved
from helpers.toys import TOY_WIDTHS, conv, toy
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torchvision.models import VGG16_Weights
from torchvision.transforms.functional import pil_to_tensor

from cnnvis.analysis.maps import (
    CHAIN_BUDGET,
    Maps,
    MapSheet,
    chain_side,
    channel_path,
    draw_map,
    draw_sheet,
    feature_map,
    feature_maps,
    map_sheet,
)
from cnnvis.errors import ChannelError, LayerError, PhotoError, SettingError
from cnnvis.network.architecture import CONVOLUTIONS, LAYERS, find_layer
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import HEAT, SIGNED


def by_hand(*maps: Any, layer: str = "conv1_1", photo: Image.Image | None = None) -> Maps:
    """Build maps from values simple enough for mental arithmetic."""
    photo = photo or Image.new("RGB", (224, 224), (90, 120, 40))
    return Maps(find_layer(layer), "network", torch.tensor(maps), torch.empty(0), photo)


def tile(sheet: MapSheet, number: int) -> NDArray[np.int64]:
    left, top = (number % sheet.columns) * sheet.cell, (number // sheet.columns) * sheet.cell
    return pixels(sheet.picture.crop((left, top, left + 56, top + 56)))


@pytest.mark.parametrize("layer", ["conv1_1", "relu3_3", "pool5"])
@torch.inference_mode()
def test_the_maps_equal_torchvisions(vgg16: VGG16, features: nn.Sequential, photo: Image.Image, layer: str) -> None:
    prepared = VGG16_Weights.IMAGENET1K_V1.transforms()(photo)[None]
    theirs = features[: find_layer(layer).index + 1](prepared)[0]
    maps = feature_maps(vgg16, photo, layer)
    torch.testing.assert_close(maps.values, theirs, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(maps.strength, theirs.mean((1, 2)), rtol=1e-4, atol=1e-4)
    assert (maps.layer, maps.photo.size) == (find_layer(layer), (224, 224))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_every_layer_has_maps_of_the_right_shape(tiny: VGG16, photo: Image.Image, layer: Any) -> None:
    side = 224 // layer.stride
    assert feature_maps(tiny, photo, layer.name).values.shape == (TOY_WIDTHS[layer.block - 1], side, side)


def test_a_conv_layer_shows_its_values_before_relu(vgg16: VGG16, photo: Image.Image) -> None:
    before, after = (feature_maps(vgg16, photo, layer).values for layer in ("conv2_2", "relu2_2"))
    assert before.min() < 0
    assert torch.equal(before.clamp_min(0), after)


def plain_chain(net: VGG16, photo: Image.Image, layer: str, side: int) -> Tensor:
    """Do what the original notebooks (2020) do: squash the photo, skip normalisation, apply the convolutions alone."""
    values = pil_to_tensor(photo.resize((side, side), Image.Resampling.BILINEAR))[None] / 255
    for name in CONVOLUTIONS[: CONVOLUTIONS.index(layer) + 1]:
        module = conv(net, name)
        values = conv2d(values, module.weight, module.bias, padding=1)
    return values[0]


@pytest.mark.parametrize("layer", ["conv1_1", "conv2_1", "conv5_3"])
def test_the_chain_equals_a_plain_loop_of_convolutions(tiny: VGG16, photo: Image.Image, layer: str) -> None:
    maps = feature_maps(tiny, photo, layer, "conv_chain")
    torch.testing.assert_close(maps.values, plain_chain(tiny, photo, layer, 224), rtol=1e-5, atol=1e-6)
    assert (maps.pipeline, maps.photo.size) == ("conv_chain", (224, 224))


@torch.inference_mode()
def test_the_chain_through_vgg16_also_equals_a_plain_loop(vgg16: VGG16, photo: Image.Image) -> None:
    maps = feature_maps(vgg16, photo, "conv5_1", "conv_chain")
    assert maps.photo.width < 224
    theirs = plain_chain(vgg16, photo, "conv5_1", maps.photo.width)
    assert (maps.values - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_the_chain_shrinks_the_photo_only_if_it_must(vgg16: VGG16) -> None:
    widths = [3] + [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    sides, cost = [], 0
    for layer, into, out in zip(CONVOLUTIONS, widths, widths[1:], strict=False):
        cost += 9 * into * out
        sides.append(chain_side(vgg16, find_layer(layer)))
        assert cost * sides[-1] ** 2 <= CHAIN_BUDGET
        assert sides[-1] == 224 or cost * (sides[-1] + 1) ** 2 > CHAIN_BUDGET
    assert sides[:5] == [224] * 5
    assert sides == sorted(sides, reverse=True)


@pytest.mark.parametrize("layer", ["conv2_1", "relu4_2", "pool5"])
def test_strength_is_listed_in_the_order_of_the_tiles(vgg16: VGG16, photo: Image.Image, layer: str) -> None:
    maps = feature_maps(vgg16, photo, layer)
    means = maps.values.double().mean((1, 2)).numpy()
    by_index, by_strength = (draw_sheet(maps, order) for order in ("index", "strength"))
    assert by_index.order == sorted(by_strength.order) == list(range(len(means)))
    assert by_strength.strength == sorted(by_strength.strength, reverse=True)
    for sheet in (by_index, by_strength):
        np.testing.assert_allclose(sheet.strength, means[sheet.order], rtol=1e-4, atol=1e-5)


def test_tiles_are_drawn_in_the_order_of_the_record(tiny: VGG16, photo: Image.Image) -> None:
    by_index, by_strength = (map_sheet(tiny, photo, "conv3_1", order=order) for order in ("index", "strength"))
    assert by_strength.order != by_index.order
    for number, channel in enumerate(by_strength.order):
        assert np.array_equal(tile(by_strength, number), tile(by_index, channel))


@pytest.mark.parametrize(
    ("contrast", "expected"), [("map", [[0, 255], [0, 255], [0, 0]]), ("layer", [[51, 102], [0, 255], [153, 153]])]
)
def test_contrast_is_per_map_or_per_layer(contrast: str, expected: list[list[int]]) -> None:
    """Each of the three 2 × 2 maps has one value in its left half and one in its right half."""
    halves = [[0.0, 1.0], [-1.0, 4.0], [2.0, 2.0]]
    sheet = draw_sheet(by_hand(*([half, half] for half in halves)), contrast=contrast)
    assert (sheet.channels, sheet.columns, sheet.cell, sheet.size) == (3, 2, 58, [2, 2])
    assert sheet.strength == [0.5, 1.5, 2.0]
    for number, (left, right) in enumerate(expected):
        assert (tile(sheet, number)[:, :28] == HEAT[left]).all()
        assert (tile(sheet, number)[:, 28:] == HEAT[right]).all()


def test_large_maps_shrink_without_skipping_a_value() -> None:
    """A 224 px map on a 56 px tile: each pixel is the mean of 4 × 4 colours."""
    values = torch.rand(1, 224, 224, generator=torch.Generator().manual_seed(0))
    values[0, 0, 0], values[0, 0, 1] = 0.0, 1.0
    colours = HEAT[np.rint(values[0].numpy() * 255).astype(int)].astype(float)
    means = colours.reshape(56, 4, 56, 4, 3).mean((1, 3))
    assert np.abs(tile(draw_sheet(by_hand(*values.tolist())), 0) - means).max() <= 0.501


@pytest.mark.parametrize(("layer", "columns"), [("conv1_1", 8), ("pool2", 16), ("relu3_1", 16), ("conv5_3", 32)])
def test_a_sheet_has_room_for_every_map(vgg16: VGG16, photo: Image.Image, layer: str, columns: int) -> None:
    sheet = map_sheet(vgg16, photo, layer, order="strength", contrast="layer")
    rows = sheet.channels // columns
    assert (sheet.columns, sheet.cell, sheet.picture.size) == (columns, 58, (58 * columns, 58 * rows))
    assert (sheet.size, sheet.input_side) == ([224 // find_layer(layer).stride] * 2, 224)


@pytest.mark.parametrize(("layer", "ramp", "values", "levels", "span"), [
    ("pool1", HEAT, [[-1.0, 0.0], [1.0, 3.0]], (0, 64, 128, 255), [-1, 3]),  # after ReLU: over its own range
    ("conv1_1", SIGNED, [[-1.0, 0.0], [1.0, 2.0]], (64, 128, 191, 255), [-2, 2]),
    ("conv1_1", SIGNED, [[0.0, 0.0], [0.0, 0.0]], (128, 128, 128, 128), [0, 0]),
])  # fmt: skip
def test_a_map_is_drawn_in_its_layers_colours(layer: str, ramp: Any, values: Any, levels: Any, span: Any) -> None:
    drawn = draw_map(by_hand([[0.0, 0.0], [0.0, 0.0]], values, layer=layer), 1)
    assert (drawn.min, drawn.max, drawn.mean) == (min(values[0]), max(values[1]), np.mean(values))
    assert (drawn.size, drawn.channel, drawn.span) == ([2, 2], 1, span)
    corners = [drawn.picture.getpixel(px) for px in ((0, 0), (447, 0), (0, 447), (447, 447))]
    assert corners == [tuple(ramp[level].tolist()) for level in levels]


def test_rectified_maps_equal_the_maps_after_relu(tiny: VGG16, photo: Image.Image) -> None:
    after, expected = feature_maps(tiny, photo, "conv2_1").rectified(), feature_maps(tiny, photo, "relu2_1")
    assert after.layer == expected.layer
    assert torch.equal(after.values, expected.values)
    assert torch.equal(after.inputs, expected.inputs)


def test_the_overlay_leaves_the_photo_untouched_where_no_value_is_positive(photo: Image.Image) -> None:
    seen = photo.crop((0, 0, 224, 224))
    plain = pixels(seen.resize((448, 448), Image.Resampling.BICUBIC))
    values = np.full((14, 14), -1.0)
    values[:, 6], values[:, 7:] = 0.0, 2.0
    overlay = pixels(draw_map(by_hand(values.tolist(), photo=seen), 0).overlay)
    cell = 448 // 14
    silent, lit = np.s_[:, : 6 * cell + cell // 2], np.s_[:, 7 * cell + cell // 2 :]
    assert np.array_equal(overlay[silent], plain[silent])
    np.testing.assert_allclose(overlay[lit], 0.15 * plain[lit] + 0.85 * HEAT[255], atol=0.51)
    nothing = draw_map(by_hand([[-3.0, -2.0], [-1.0, 0.0]], photo=seen), 0).overlay
    assert np.array_equal(pixels(nothing), plain)


def test_one_map_reports_the_numbers_of_its_channel(vgg16: VGG16, photo: Image.Image) -> None:
    values = feature_maps(vgg16, photo, "relu4_1").values[100]
    drawn = feature_map(vgg16, photo, "relu4_1", 100)
    assert (drawn.min, drawn.max, drawn.size) == (values.min(), values.max(), [28, 28])
    assert drawn.mean == pytest.approx(float(values.double().mean()), rel=1e-4)
    assert drawn.picture.size == drawn.overlay.size == (448, 448)


@pytest.mark.parametrize("pipeline", ["network", "conv_chain"])
@pytest.mark.parametrize(("channel", "first"), [(3, "conv1_1"), (4, "conv3_1"), (6, "conv5_1")])
def test_a_path_has_every_wide_layer(tiny: VGG16, photo: Image.Image, channel: int, first: str, pipeline: str) -> None:
    path = channel_path(tiny, photo, channel, pipeline)
    assert [drawn.layer for drawn in path] == list(CONVOLUTIONS[CONVOLUTIONS.index(first) :])
    for drawn in path:
        alone = feature_map(tiny, photo, drawn.layer, channel, pipeline)
        assert drawn.record() == alone.record()
        assert drawn.picture == alone.picture and drawn.overlay == alone.overlay


def test_a_photo_can_be_a_path_a_file_or_a_picture(tiny: VGG16) -> None:
    path = EXAMPLES / "coffee.jpg"
    with Image.open(path) as picture:
        sources = (path, str(path), picture, saved(picture))
        first, *others = (map_sheet(tiny, source, "conv2_1").strength for source in sources)
    assert others == [first] * 3


@pytest.mark.parametrize("pipeline", ["network", "conv_chain"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (30, 7)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_even_the_smallest_photos_have_maps(tiny: VGG16, size: tuple[int, int], pipeline: str) -> None:
    assert feature_maps(tiny, Image.new("L", size, 200), "conv5_3", pipeline).values.isfinite().all()


@pytest.mark.parametrize("layer", ["relu1_1", "pool3"])
def test_the_chain_accepts_only_convolutions(tiny: VGG16, photo: Image.Image, layer: str) -> None:
    for call in (feature_maps, map_sheet):
        with pytest.raises(LayerError, match=f"convolutions only, so no {layer}: choose a conv layer"):
            call(tiny, photo, layer, "conv_chain")


@pytest.mark.parametrize(("error", "arguments", "sentence"), [
    (LayerError, {"layer": "conv9_1"}, "does not exist"),
    (SettingError, {"pipeline": "chain"}, "pipeline 'chain' is unknown: .* network, conv_chain"),
    (SettingError, {"order": "size"}, "order 'size' is unknown: choose one of index, strength"),
    (SettingError, {"contrast": "all"}, "contrast 'all' is unknown: choose one of map, layer"),
    (PhotoError, {"photo": "missing.jpg"}, "missing.jpg"),
])  # fmt: skip
def test_a_sheet_refuses_wrong_arguments(tiny: VGG16, error: Any, arguments: Any, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        map_sheet(tiny, **{"photo": EXAMPLES / "coffee.jpg", "layer": "conv1_1", **arguments})


@pytest.mark.parametrize(("channel", "sentence"), [(4, "channel 4 .* conv1_1: .* 0 to 3"), (-1, "-1"), (1.5, "1.5")])
def test_a_channel_outside_its_layer_is_refused(tiny: VGG16, photo: Image.Image, channel: Any, sentence: str) -> None:
    with pytest.raises(ChannelError, match=sentence):
        feature_map(tiny, photo, "conv1_1", channel)


def test_a_path_is_refused_if_no_layer_has_the_channel(tiny: VGG16, photo: Image.Image) -> None:
    with pytest.raises(ChannelError, match=r"channel 8 .* 0 to 7"):
        channel_path(tiny, photo, 8)


def test_records_are_json_with_the_promised_keys(tiny: VGG16, photo: Image.Image) -> None:
    sheet = map_sheet(tiny, photo, "features.10", order="strength").record()
    drawn = feature_map(tiny, photo, "10", 2.0).record()  # type: ignore[arg-type]  # a page's number fields send floats
    assert json.loads(json.dumps([sheet, drawn])) == [sheet, drawn]
    assert {"layer", "channels", "size", "columns", "cell", "order", "strength"} <= sheet.keys()
    assert {"min", "max", "mean", "size"} <= drawn.keys()
    assert (sheet["layer"], drawn["layer"], drawn["channel"]) == ("conv3_1", "conv3_1", 2)


def test_computing_maps_leaves_the_network_unchanged(photo: Image.Image) -> None:
    net = toy()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    channel_path(net, photo, 2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert torch.is_grad_enabled()


def test_the_most_unusual_maps_come_first(vgg16: VGG16, photo: Image.Image) -> None:
    """By deviations of the maximum above the shelf's mean, worked out by hand."""
    maps = feature_maps(vgg16, photo, "conv4_2")
    assert vgg16.usual is not None
    usual = vgg16.usual["conv4_2"]
    columns = zip(maps.values.amax((1, 2)).tolist(), usual.mean.tolist(), usual.deviation.tolist(), strict=True)
    expected = [(maximum - mean) / deviation for maximum, mean, deviation in columns]
    sheet = map_sheet(vgg16, photo, "conv4_2", order="unusual")
    assert sheet.order == sorted(range(512), key=lambda channel: -expected[channel])
    assert sheet.strength == pytest.approx(maps.strength[sheet.order].tolist())
    assert map_sheet(vgg16, photo, "pool4", order="unusual").order != sheet.order  # conv4_3's channels


def test_unusual_needs_what_is_usual(vgg16: VGG16, tiny: VGG16, photo: Image.Image) -> None:
    for net, pipeline in ((tiny, "network"), (vgg16, "conv_chain")):
        with pytest.raises(SettingError, match="order unusual needs the network pipeline and a photo shelf"):
            map_sheet(net, photo, "conv1_1", pipeline, order="unusual")
