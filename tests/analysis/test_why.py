"""Why a value is what it is: every sum against torch's own maps, and the tree against a plain walk back."""

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


def nodes(found: Why | Contribution) -> Iterator[Why | Contribution]:
    yield found
    for one in found.contributions:
        yield from nodes(one)


def cases(count: int) -> list[tuple[Path, str, int, int, int]]:
    draw = random.Random(0)
    found = []
    for _ in range(count):
        layer = cnnvis.find_layer(draw.choice(cnnvis.CONVOLUTIONS))
        side = 224 // layer.stride
        place = draw.randrange(side), draw.randrange(side)
        found.append((draw.choice(PHOTOS), layer.name, draw.randrange(layer.channels), *place))
    return found


@pytest.mark.parametrize(("photo", "layer", "channel", "row", "column"), cases(30), ids=str)
def test_at_every_node_the_sum_is_the_networks_own_value(
    vgg16: VGG16, photo: Path, layer: str, channel: int, row: int, column: int
) -> None:
    found = why(vgg16, photo, layer, channel, row, column)
    seen = to_tensor(crop_like_training(cnnvis.open_photo(photo)))
    maps: dict[str, torch.Tensor] = {}
    with torch.inference_mode():
        for name, step in cut(vgg16, layer).named_children():
            seen = step(seen)
            maps[name] = seen[0]
    count = 0
    for node in nodes(found):
        count += 1
        own = maps[node.layer][node.channel, node.row, node.column]
        assert node.value == pytest.approx(float(own), rel=1e-4, abs=1e-4)
        total = node.bias + node.rest + sum(one.adds for one in node.contributions)
        assert total == pytest.approx(node.value, rel=1e-4, abs=5e-4)
    assert count > 1
    assert (found.row, found.column) == (row, column)


def test_without_a_place_it_is_where_the_map_is_largest(vgg16: VGG16) -> None:
    found = why(vgg16, PHOTOS[0], "conv4_1", 12, depth=1)
    own = cnnvis.feature_map(vgg16, PHOTOS[0], "conv4_1", 12)
    assert found.value == pytest.approx(own.max, rel=1e-5)


def test_contributions_are_those_that_change_most_when_an_input_is_silenced(tiny: VGG16, photo: Image.Image) -> None:
    """By torch: a channel adds what the value loses when the convolution's weights for it are set to zero."""
    found = why(tiny, photo, "conv2_2", 1, 30, 40, count=16, depth=1)
    reading = tiny.get_submodule("conv2_2")
    assert len(found.contributions) == 4 and found.rest == pytest.approx(0, abs=1e-6)
    traced = trace(tiny, photo, tiny.architecture.find("conv2_2"))
    for one in found.contributions:
        inputs = traced.inputs["conv2_2"].clone()
        inputs[one.channel] = 0
        with torch.inference_mode():
            without = float(reading(inputs[None])[0, 1, 30, 40])
        assert one.adds == pytest.approx(found.value - without, rel=1e-3, abs=1e-5)
    sizes = [abs(one.adds) for one in found.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_behind_a_pool_the_cell_that_won_it_is_followed(tiny: VGG16, photo: Image.Image) -> None:
    found = why(tiny, photo, "conv3_1", 2, 10, 20, count=6, depth=2)
    traced = trace(tiny, photo, tiny.architecture.find("conv3_1"))
    followed = 0
    for one in found.contributions:
        if not one.adds:
            continue
        followed += 1
        pooled = traced.inputs["conv3_1"][one.channel]
        assert one.layer == "conv2_2"
        assert one.value == pytest.approx(float(pooled[one.row // 2, one.column // 2]), rel=1e-5)  # it won, above zero
        kernel = conv(tiny, "conv3_1").weight[2, one.channel]
        sizes = {(r, c): abs(float(pooled[r, c] * kernel[r - 9, c - 19])) for r in (9, 10, 11) for c in (19, 20, 21)}
        assert max(sizes, key=sizes.__getitem__) == (one.row // 2, one.column // 2)
    assert followed


@pytest.mark.parametrize("place", [(0, 0), (0, 223), (223, 0), (223, 223)])
def test_the_corners_of_the_first_layer(tiny: VGG16, photo: Image.Image, place: tuple[int, int]) -> None:
    found = why(tiny, photo, "conv1_1", 1, *place)
    pixels = tiny.get_submodule("input")(to_tensor(crop_like_training(photo)))[0]
    assert [one.layer for one in found.contributions] == ["input"] * 3
    for one in found.contributions:
        assert one.value == pytest.approx(float(pixels[one.channel, one.row, one.column]), abs=1e-6)
        assert one.contributions == []
    total = found.bias + found.rest + sum(one.adds for one in found.contributions)
    assert total == pytest.approx(found.value, abs=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_tree_is_as_deep_as_asked_or_as_the_network(vgg16: VGG16, depth: int) -> None:
    def height(node: Why | Contribution) -> int:
        return 1 + max(map(height, node.contributions)) if node.contributions else 0

    assert height(why(vgg16, PHOTOS[1], "conv4_2", 5, depth=depth, count=3)) == depth
    assert height(why(vgg16, PHOTOS[1], "conv1_2", 5, depth=depth, count=3)) == min(depth, 2)


def test_one_trace_serves_many_questions(vgg16: VGG16) -> None:
    layer = vgg16.architecture.find("conv3_2")
    traced = trace(vgg16, cnnvis.open_photo(PHOTOS[0]), layer)
    for channel in (0, 99):
        target = vgg16.architecture.target("conv3_2", channel)
        assert explain(vgg16, traced, target, (5, 6), 5, 3) == why(vgg16, PHOTOS[0], "conv3_2", channel, 5, 6)


def test_a_record_holds_plain_values(vgg16: VGG16) -> None:
    record: dict[str, Any] = why(vgg16, PHOTOS[0], "conv3_1", 0, count=2, depth=2).record()
    assert list(record)[:4] == ["layer", "channel", "row", "column"]
    first = record["contributions"][0]
    assert list(first) == ["layer", "channel", "adds", "row", "column", "value", "bias", "rest", "contributions"]
    assert len(first["contributions"]) == 2


def test_what_cannot_be_asked_is_refused(tiny: VGG16, photo: Image.Image) -> None:
    for error, layer, channel, more in (
        (LayerError, "relu1_1", 0, {}), (ChannelError, "conv1_1", 4, {}), (SettingError, "conv1_1", 0, {"count": 17}),
        (SettingError, "conv1_1", 0, {"count": 0}), (SettingError, "conv1_1", 0, {"depth": 5}),
        (SettingError, "conv1_1", 0, {"row": 224, "column": 0}), (SettingError, "conv1_1", 0, {"row": 3}),
        (SettingError, "conv1_1", 0, {"row": -1, "column": 0}), (SettingError, "conv1_1", 0, {"depth": "x"}),
    ):  # fmt: skip
        with pytest.raises(error):
            why(tiny, photo, layer, channel, **more)  # type: ignore[arg-type]
    with pytest.raises(PhotoError):
        why(tiny, "missing.jpg", "conv1_1", 0)
