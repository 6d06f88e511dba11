"""Why a value is what it is: every sum compared with torch's own maps, and the tree with a plain walk back."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import EXAMPLES
from helpers.toys import conv
from PIL import Image

import cnnvis
from cnnvis.analysis.why import Contribution, Why, explain, trace, why
from cnnvis.errors import ChannelError, LayerError, PhotoError, SettingError
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import crop_like_training, to_tensor

PHOTOS = sorted(EXAMPLES.glob("*.jpg"))


def nodes(node: Why | Contribution) -> Iterator[Why | Contribution]:
    yield node
    for contribution in node.contributions:
        yield from nodes(contribution)


def total(node: Why | Contribution) -> float:
    return node.bias + node.rest + sum(contribution.adds for contribution in node.contributions)


def cases(count: int) -> list[tuple[Path, str, int, int, int]]:
    draw = random.Random(0)
    drawn = []
    for _ in range(count):
        layer = cnnvis.find_layer(draw.choice(cnnvis.CONVOLUTIONS))
        cell = draw.randrange(224 // layer.stride), draw.randrange(224 // layer.stride)
        drawn.append((draw.choice(PHOTOS), layer.name, draw.randrange(layer.channels), *cell))
    return drawn


@pytest.mark.parametrize(("photo", "layer", "channel", "row", "column"), cases(30), ids=str)
def test_at_every_node_the_sum_is_the_networks_own_value(
    vgg16: VGG16, photo: Path, layer: str, channel: int, row: int, column: int
) -> None:
    explanation = why(vgg16, photo, layer, channel, row, column)
    values = to_tensor(crop_like_training(cnnvis.open_photo(photo)))
    maps: dict[str, torch.Tensor] = {}
    with torch.inference_mode():
        for name, module in cut(vgg16, layer).named_children():
            values = module(values)
            maps[name] = values[0]
    for node in nodes(explanation):
        own = maps[node.layer][node.channel, node.row, node.column]
        assert node.value == pytest.approx(float(own), rel=1e-4, abs=1e-4)
        assert total(node) == pytest.approx(node.value, rel=1e-4, abs=5e-4)
    assert explanation.contributions
    assert (explanation.row, explanation.column) == (row, column)


def test_without_a_cell_it_is_where_the_map_is_largest(vgg16: VGG16) -> None:
    largest = cnnvis.feature_map(vgg16, PHOTOS[0], "conv4_1", 12).max
    assert why(vgg16, PHOTOS[0], "conv4_1", 12, depth=1).value == pytest.approx(largest, rel=1e-5)


def test_a_channel_adds_what_the_value_loses_without_it(tiny: VGG16, photo: Image.Image) -> None:
    """Torch computes the value again with one input channel at a time set to zero; the largest loss comes first."""
    explanation = why(tiny, photo, "conv2_2", 1, 30, 40, count=16, depth=1)
    assert len(explanation.contributions) == 4 and explanation.rest == pytest.approx(0, abs=1e-6)
    traced = trace(tiny, photo, tiny.architecture.find("conv2_2"))
    for contribution in explanation.contributions:
        inputs = traced.inputs["conv2_2"].clone()
        inputs[contribution.channel] = 0
        with torch.inference_mode():
            without = float(conv(tiny, "conv2_2")(inputs[None])[0, 1, 30, 40])
        assert contribution.adds == pytest.approx(explanation.value - without, rel=1e-3, abs=1e-5)
    sizes = [abs(contribution.adds) for contribution in explanation.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_behind_a_pool_the_cell_that_won_it_is_followed(tiny: VGG16, photo: Image.Image) -> None:
    explanation = why(tiny, photo, "conv3_1", 2, 10, 20, count=6, depth=2)
    inputs = trace(tiny, photo, tiny.architecture.find("conv3_1")).inputs["conv3_1"]
    followed = [contribution for contribution in explanation.contributions if contribution.adds]
    assert followed
    for node in followed:
        pooled, cell = inputs[node.channel], (node.row // 2, node.column // 2)
        assert node.layer == "conv2_2"
        assert node.value == pytest.approx(float(pooled[cell]), rel=1e-5)  # it won, above zero
        kernel = conv(tiny, "conv3_1").weight[2, node.channel]
        sizes = {(r, c): abs(float(pooled[r, c] * kernel[r - 9, c - 19])) for r in (9, 10, 11) for c in (19, 20, 21)}
        assert max(sizes, key=sizes.__getitem__) == cell


@pytest.mark.parametrize("cell", [(0, 0), (0, 223), (223, 0), (223, 223)])
def test_the_corners_of_the_first_layer(tiny: VGG16, photo: Image.Image, cell: tuple[int, int]) -> None:
    explanation = why(tiny, photo, "conv1_1", 1, *cell)
    pixels = tiny.get_submodule("input")(to_tensor(crop_like_training(photo)))[0]
    assert [node.layer for node in explanation.contributions] == ["input"] * 3
    for node in explanation.contributions:
        assert node.value == pytest.approx(float(pixels[node.channel, node.row, node.column]), abs=1e-6)
        assert node.contributions == []
    assert total(explanation) == pytest.approx(explanation.value, abs=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_tree_is_as_deep_as_asked_or_as_the_network(vgg16: VGG16, depth: int) -> None:
    def height(node: Why | Contribution) -> int:
        return 1 + max(map(height, node.contributions)) if node.contributions else 0

    assert height(why(vgg16, PHOTOS[1], "conv4_2", 5, depth=depth, count=3)) == depth
    assert height(why(vgg16, PHOTOS[1], "conv1_2", 5, depth=depth, count=3)) == min(depth, 2)


def test_one_trace_serves_many_questions(vgg16: VGG16) -> None:
    traced = trace(vgg16, cnnvis.open_photo(PHOTOS[0]), vgg16.architecture.find("conv3_2"))
    for channel in (0, 99):
        target = vgg16.architecture.target("conv3_2", channel)
        assert explain(vgg16, traced, target, (5, 6), 5, 3) == why(vgg16, PHOTOS[0], "conv3_2", channel, 5, 6)


def test_a_record_holds_plain_values(vgg16: VGG16) -> None:
    record: dict[str, Any] = why(vgg16, PHOTOS[0], "conv3_1", 0, count=2, depth=2).record()
    assert list(record)[:4] == ["layer", "channel", "row", "column"]
    first = record["contributions"][0]
    assert list(first) == ["layer", "channel", "adds", "row", "column", "value", "bias", "rest", "contributions"]
    assert len(first["contributions"]) == 2


def test_wrong_arguments_are_refused(tiny: VGG16, photo: Image.Image) -> None:
    settings: list[dict[str, Any]] = [
        {"count": 17}, {"count": 0}, {"depth": 5}, {"depth": "x"},
        {"row": 224, "column": 0}, {"row": 3}, {"row": -1, "column": 0},
    ]  # fmt: skip
    for wrong in settings:
        with pytest.raises(SettingError):
            why(tiny, photo, "conv1_1", 0, **wrong)
    for error, source, layer in (
        (LayerError, photo, "relu1_1"), (ChannelError, photo, "conv1_1:4"), (PhotoError, "missing.jpg", "conv1_1:0")
    ):  # fmt: skip
        with pytest.raises(error):
            why(tiny, source, layer)
