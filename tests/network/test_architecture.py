"""The architecture: its table of layers, their names in three dialects, and their receptive fields."""

from typing import Any

import pytest
import torch
import torchvision
from helpers.toys import conv

from cnnvis.errors import ChannelError, LayerError
from cnnvis.network.architecture import (
    ARCHITECTURE,
    ARCHITECTURES,
    CONVOLUTIONS,
    LAYERS,
    Architecture,
    check_channel,
    find_layer,
)
from cnnvis.network.vgg import build

# Each convolution's name, index in torchvision's `features`, channels, receptive field, stride and Keras name.
PUBLISHED = [
    ("conv1_1", 0, 64, 3, 1, "block1_conv1"),
    ("conv1_2", 2, 64, 5, 1, "block1_conv2"),
    ("conv2_1", 5, 128, 10, 2, "block2_conv1"),
    ("conv2_2", 7, 128, 14, 2, "block2_conv2"),
    ("conv3_1", 10, 256, 24, 4, "block3_conv1"),
    ("conv3_2", 12, 256, 32, 4, "block3_conv2"),
    ("conv3_3", 14, 256, 40, 4, "block3_conv3"),
    ("conv4_1", 17, 512, 60, 8, "block4_conv1"),
    ("conv4_2", 19, 512, 76, 8, "block4_conv2"),
    ("conv4_3", 21, 512, 92, 8, "block4_conv3"),
    ("conv5_1", 24, 512, 132, 16, "block5_conv1"),
    ("conv5_2", 26, 512, 164, 16, "block5_conv2"),
    ("conv5_3", 28, 512, 196, 16, "block5_conv3"),
]
NAMES = """
conv1_1 relu1_1 conv1_2 relu1_2 pool1 conv2_1 relu2_1 conv2_2 relu2_2 pool2
conv3_1 relu3_1 conv3_2 relu3_2 conv3_3 relu3_3 pool3 conv4_1 relu4_1 conv4_2 relu4_2 conv4_3 relu4_3 pool4
conv5_1 relu5_1 conv5_2 relu5_2 conv5_3 relu5_3 pool5
"""


# The table


def test_the_31_layers_are_in_order() -> None:
    assert [layer.name for layer in LAYERS] == NAMES.split()
    assert [layer.index for layer in LAYERS] == list(range(31))
    assert all(layer.name.startswith(layer.kind) for layer in LAYERS)


def test_convolutions_have_the_published_geometry() -> None:
    for layer, (name, index, channels, field, stride, _) in zip(map(find_layer, CONVOLUTIONS), PUBLISHED, strict=True):
        assert (layer.name, layer.kind, layer.index, layer.channels) == (name, "conv", index, channels)
        assert (layer.receptive_field, layer.stride) == (field, stride)


def test_the_table_agrees_with_the_reach_of_a_single_lit_column() -> None:
    """All weights are 1, and in picture `x` only column `x` is lit. A value is positive only if it sees that column."""
    width = 256
    net = build(Architecture(widths=(1, 1, 1, 1, 1)))
    for name, parameter in net.named_parameters():
        parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    values = torch.eye(width)[:, None, None, :].expand(width, 3, 32, width)
    for layer, module in zip(LAYERS, net[1:], strict=True):
        values = module(values)
        sees = values[:, 0, 0, :] > 0  # (lit column of the picture, column of the map)
        centre = sees.shape[1] // 2
        first = sees.int().argmax(dim=0)
        assert sees[:, centre].sum() == layer.receptive_field, layer
        assert first[centre] - first[centre - 1] == layer.stride, layer
        assert sees.shape[1] == width // layer.stride, layer


def test_a_layer_can_be_turned_into_plain_values() -> None:
    expected = {"name": "pool3", "kind": "pool", "index": 16, "channels": 256, "stride": 8, "receptive_field": 44}
    assert find_layer("pool3").as_dict() == expected


def test_the_network_has_the_published_number_of_weights_and_filters() -> None:
    with torch.device("meta"):
        net = build()
    assert sum(parameter.numel() for parameter in net.parameters()) == 14_714_688
    assert sum(conv(net, name).out_channels for name in CONVOLUTIONS) == 4_224


# Names


@pytest.mark.parametrize(("name", "index", "keras"), [(row[0], row[1], row[5]) for row in PUBLISHED])
def test_every_dialect_names_the_same_layer(name: str, index: int, keras: str) -> None:
    for dialect in (name, f"features.{index}", f"features[{index}]", str(index), index, keras):
        assert find_layer(dialect, kind="conv").name == name
        assert find_layer(f" {dialect} ".upper()).name == name


def test_layers_without_weights_have_dialects_and_other_tools_spellings_work() -> None:
    for spelling in ("features_28", "module.features.28", "model.net.features[28]", "Features-28"):
        assert find_layer(spelling).name == "conv5_3"
    others = {"block3/conv1": "conv3_1", "block3/pool": "pool3", "block3_pool": "pool3", "features.15": "relu3_3"}
    for spelling, name in {**others, 16: "pool3", "30": "pool5"}.items():
        assert find_layer(spelling).name == name


def test_unknown_layers_are_refused() -> None:
    names = ["conv9_1", "conv3_4", "", " ", "input", "features.31", "features", "block3_conv4", "x" * 9]
    hint = r"does not exist\. .*may also be written features\.10, 10 or block3_conv1"
    for name in [*names, "31", 31, -1, None, True]:
        with pytest.raises(LayerError, match=hint):
            find_layer(name)  # type: ignore[arg-type]


def test_similar_names_are_suggested_and_otherwise_the_whole_range() -> None:
    similar = {"conv3_4": "conv3_1", "Conv 5_3": "conv5_3", "poool2": "pool2", "relu51": "relu5_1"}
    for name, suggested in {**similar, "block3_conv4": "conv3_3", "block4/conv9": "conv4_3"}.items():
        with pytest.raises(LayerError, match=rf"Did you mean .*{suggested}.*\?"):
            find_layer(name)
    with pytest.raises(LayerError, match="The layers are conv1_1 to pool5"):
        find_layer("???")


def test_a_layer_without_filters_is_refused_and_its_convolution_suggested() -> None:
    for name, nearest in {"relu1_1": "conv1_1", "pool3": "conv3_3", "features.30": "conv5_3"}.items():
        with pytest.raises(LayerError, match=f"has no filters of its own: .* '{nearest}'"):
            find_layer(name, kind="conv")
        assert find_layer(name).convolution == nearest


def test_only_channels_of_the_layer_are_accepted() -> None:
    layer = find_layer("conv1_1")
    assert [check_channel(value, layer) for value in (0, 63.0, "7")] == [0, 63, 7]
    for value in (64, -1, 1.5, "x", None, True):
        with pytest.raises(ChannelError) as refused:
            check_channel(value, layer)
        assert str(refused.value) == f"channel {value!r} does not exist in conv1_1: choose a whole number from 0 to 63."


# Targets


def test_a_target_is_one_channel_or_several_with_weights() -> None:
    single, same, several = (
        ARCHITECTURE.weighted_target("block3_conv1", channel) for channel in ("7", {7: 1}, {7: 2, 9.0: "-0.5"})
    )
    assert (single.layer, single.number, single.channel) == (find_layer("conv3_1"), 7, 7)
    assert same == single == ARCHITECTURE.target("10", 7)
    assert several.direction == several.channel == {7: 2.0, 9: -0.5}
    assert (single.written, several.written) == (7, {"7": 2.0, "9": -0.5})
    assert (str(single), single.short) == ("conv3_1 channel 7", "7")
    assert (str(several), several.short) == ("conv3_1 direction", "direction")
    place = ARCHITECTURE.weighted_target("conv3_1", {7: 2}, "place-5-7")
    assert (str(place), place.short) == ("conv3_1 place-5-7", "place-5-7")


def test_a_direction_may_come_as_text() -> None:
    read = ARCHITECTURE.read_target("block3_conv1", ' {"7": 2, "9": -0.5} ')
    assert read == ARCHITECTURE.weighted_target("conv3_1", {7: 2.0, 9: -0.5})
    for text in ("", "7", "[7]", '{"7": 2', "[" * 100_000, None):
        with pytest.raises(ChannelError, match=r"direction .* cannot be read: give channels and their weights, \{"):
            ARCHITECTURE.read_target("conv3_1", text)  # type: ignore[arg-type]
    with pytest.raises(ChannelError, match="channel '256' does not exist in conv3_1"):
        ARCHITECTURE.read_target("conv3_1", '{"256": 1}')
    with pytest.raises(LayerError, match="does not exist"):
        ARCHITECTURE.read_target("conv9_1", "{}")


def test_layer_and_channel_may_be_one_word() -> None:
    for word in ("features_28:165", "conv5_3:165", " module.features.28 : 165 "):
        assert ARCHITECTURE.target(word) == ARCHITECTURE.weighted_target(word) == ARCHITECTURE.target("conv5_3", 165)
    for channel in (0, {0: 1.0}):
        with pytest.raises(ChannelError, match=r"'165' is in the layer's name and .* was given too: give only one"):
            ARCHITECTURE.weighted_target("conv5_3:165", channel)
    with pytest.raises(ChannelError, match="channel '512' does not exist in conv5_3"):
        ARCHITECTURE.target("conv5_3:512")
    with pytest.raises(LayerError, match="'conv5_3:165' includes a channel: give only the layer here"):
        find_layer("conv5_3:165")


def test_a_direction_is_refused_where_a_single_channel_is_required() -> None:
    with pytest.raises(ChannelError, match=r"channel \{7: 1\.0\} does not exist in conv3_1"):
        ARCHITECTURE.target("conv3_1", {7: 1.0})


# Other networks


def test_the_architectures_have_the_papers_names_and_torchvisions_convolutions() -> None:
    for name, architecture in zip("ABDE", ARCHITECTURES, strict=True):
        layers = [layer for layer in architecture.layers if layer.kind != "relu"]
        widths = [layer.channels if layer.kind == "conv" else "M" for layer in layers]
        assert widths == torchvision.models.vgg.cfgs[name]
    assert [architecture.name for architecture in ARCHITECTURES] == ["VGG11", "VGG13", "VGG16", "VGG19"]


def test_vgg19_can_be_described_by_its_blocks() -> None:
    """Configuration E of the paper, with receptive fields worked out by hand: each 3×3 window adds 2 · stride."""
    vgg19 = Architecture(blocks=(2, 2, 4, 4, 4))
    assert len(vgg19.convolutions) == 16
    assert [vgg19.find(name).receptive_field for name in ("conv3_4", "conv4_4", "conv5_4")] == [48, 116, 252]
    assert vgg19.find("pool5").stride == 32
    assert (vgg19.find("conv5_1").index, vgg19.find("block5_conv4").index) == (28, 34)  # torchvision's vgg19().features
    assert (vgg19.find("conv5_4").block, vgg19.find("pool4").convolution) == (5, "conv4_4")


def test_the_logits_see_the_whole_picture_and_need_a_classifier() -> None:
    assert (ARCHITECTURE.logits.receptive_field, ARCHITECTURE.logits.channels) == (224, 1000)
    with pytest.raises(LayerError, match="CNNVIS_WEIGHTS=hub"):
        Architecture().find("class")


def test_a_network_knows_its_own_architecture(tiny: Any) -> None:
    for layer, channels in {"conv1_1": 4, "relu3_2": 6, "pool5": 8}.items():
        assert tiny.architecture.find(layer).channels == channels
        with pytest.raises(ChannelError, match=f"from 0 to {channels - 1}"):
            tiny.architecture.target(layer, channels)
