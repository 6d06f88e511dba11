"""The network: its table of layers, the three dialects, and where it is cut."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from conftest import TOY_WIDTHS, toy

from cnnvis.errors import ChannelError, LayerError
from cnnvis.vgg import (
    CONVOLUTIONS,
    LAYERS,
    VGG16,
    Layer,
    Normalize,
    build,
    channels_of,
    check_channel,
    convolution,
    convolution_name,
    cut,
    exact,
    fast_dtype,
    find_layer,
    forward,
    whole_number,
)

# Each convolution's name, index in torchvision's `features`, channels, receptive field, stride and Keras's name.
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


# The table


def test_the_31_layers_are_in_order() -> None:
    sizes = (2, 2, 3, 3, 3)
    names = []
    for block, size in enumerate(sizes, start=1):
        for number in range(1, size + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    assert [layer.name for layer in LAYERS] == names
    assert [layer.index for layer in LAYERS] == list(range(31))
    assert all(layer.name.startswith(layer.kind) for layer in LAYERS)


def test_convolutions_have_the_published_geometry() -> None:
    rows = [
        (layer.name, layer.index, layer.channels, layer.receptive_field, layer.stride)
        for layer in LAYERS
        if layer.kind == "conv"
    ]
    assert rows == [row[:5] for row in PUBLISHED]
    assert list(CONVOLUTIONS) == [row[0] for row in PUBLISHED]


def test_the_table_agrees_with_what_a_lit_column_reaches() -> None:
    """All weights are one, so a value is above zero exactly where it can see the one lit column of picture `x`."""
    width = 256
    net = build((1, 1, 1, 1, 1))
    for name, parameter in net.named_parameters():
        parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    values = torch.eye(width)[:, None, None, :].expand(width, 3, 32, width)
    for layer, step in zip(LAYERS, net[1:], strict=True):
        values = step(values)
        sees = values[:, 0, 0, :] > 0  # (lit column of the picture, column of the map)
        centre = sees.shape[1] // 2
        first = sees.int().argmax(dim=0)
        assert sees[:, centre].sum() == layer.receptive_field, layer
        assert first[centre] - first[centre - 1] == layer.stride, layer
        assert sees.shape[1] == width // layer.stride, layer


def test_layer_as_plain_values() -> None:
    expected = {"name": "pool3", "kind": "pool", "index": 16, "channels": 256, "stride": 8, "receptive_field": 44}
    assert find_layer("pool3").as_dict() == expected


def test_the_published_number_of_weights_and_filters() -> None:
    with torch.device("meta"):
        net = build()
    assert sum(parameter.numel() for parameter in net.parameters()) == 14_714_688
    assert sum(convolution(net, name).out_channels for name in CONVOLUTIONS) == 4_224


# Names


@pytest.mark.parametrize(("name", "index", "keras"), [(row[0], row[1], row[5]) for row in PUBLISHED])
def test_every_dialect_names_the_same_layer(name: str, index: int, keras: str) -> None:
    for dialect in (name, f"features.{index}", f"features[{index}]", str(index), index, keras):
        assert find_layer(dialect, kind="conv").name == name
        assert find_layer(f" {dialect} ".upper()).name == name


@pytest.mark.parametrize(
    ("dialect", "name"), [("block3_pool", "pool3"), ("features.15", "relu3_3"), (16, "pool3"), ("30", "pool5")]
)
def test_layers_without_weights_have_dialects_too(dialect: str | int, name: str) -> None:
    assert find_layer(dialect).name == name


@pytest.mark.parametrize(
    "name",
    [
        "conv9_1",
        "conv3_4",
        "",
        " ",
        "input",
        "31",
        31,
        -1,
        "features.31",
        "features",
        "block3_conv4",
        None,
        True,
        "x" * 9,
    ],
)
def test_unknown_layers_are_refused(name: Any) -> None:
    with pytest.raises(LayerError, match=r"does not exist\. .*may also be written features\.10, 10 or block3_conv1"):
        find_layer(name)


@pytest.mark.parametrize(
    ("name", "offered"), [("conv3_4", "conv3_1"), ("Conv 5_3", "conv5_3"), ("poool2", "pool2"), ("relu51", "relu5_1")]
)
def test_the_nearest_names_are_offered(name: str, offered: str) -> None:
    with pytest.raises(LayerError, match=rf"Did you mean .*{offered}.*\?"):
        find_layer(name)


def test_where_nothing_is_near_the_whole_range_is_offered() -> None:
    with pytest.raises(LayerError, match="The layers are conv1_1 to pool5"):
        find_layer("???")


@pytest.mark.parametrize(
    ("name", "nearest"), [("relu1_1", "conv1_1"), ("pool3", "conv3_3"), ("features.30", "conv5_3")]
)
def test_a_question_about_filters_points_to_the_convolution_before(name: str, nearest: str) -> None:
    with pytest.raises(LayerError, match=f"has no filters of its own: .* '{nearest}'"):
        find_layer(name, kind="conv")
    assert convolution_name(find_layer(name).name) == nearest


PYTHONS = [(4, 4), (-4, -4), (0, 0), (4.0, 4), (-0.0, 0), (1e300, int(1e300)), (10**400, 10**400)]
WRITTEN = [("4", 4), (" +4 ", 4), ("-4", -4), ("007", 7)]
ARRAYS = [(np.int64(4), 4), (np.uint8(250), 250), (np.int32(-4), -4), (np.float64(4.0), 4), (torch.tensor(4), 4)]


@pytest.mark.parametrize(("value", "number"), [*PYTHONS, *WRITTEN, *ARRAYS], ids=lambda value: repr(value)[:20])
def test_whole_numbers_come_in_many_types(value: object, number: int) -> None:
    found = whole_number(value)
    assert found == number
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        4.5,
        math.nan,
        math.inf,
        "4.0",
        "four",
        "",
        "4 4",
        "1_0",
        "1" * 13,
        None,
        [4],
        b"4",
        4j,
        np.True_,
        np.float64(4.5),
        np.arange(3),
    ],
)
def test_anything_else_is_no_whole_number(value: object) -> None:
    assert whole_number(value) is None


def test_channels_within_the_layer_pass() -> None:
    assert [check_channel(value, 64, "conv1_1") for value in (0, 63.0, "7")] == [0, 63, 7]


@pytest.mark.parametrize("value", [64, -1, 1.5, "x", None, True])
def test_channels_outside_the_layer_are_refused(value: object) -> None:
    with pytest.raises(ChannelError) as caught:
        check_channel(value, 64, "conv1_1", "input_channel")
    assert str(caught.value) == (
        f"input_channel {value!r} does not exist in conv1_1: choose a whole number from 0 to 63."
    )


# The network


def torchvision_twin(net: VGG16) -> torch.nn.Sequential:
    """Torchvision's `make_layers` in the toy's widths, with the toy's weights under torchvision's names."""
    plan: list[int | str] = []
    for width, size in zip(TOY_WIDTHS, (2, 2, 3, 3, 3), strict=True):
        plan += [width] * size + ["M"]
    twin = torchvision.models.vgg.make_layers(plan)
    index = {row[0]: row[1] for row in PUBLISHED}
    parts = [(*key.split("."), tensor) for key, tensor in net.state_dict().items()]
    twin.load_state_dict({f"{index[name]}.{part}": tensor for name, part, tensor in parts})
    return twin.eval()


@torch.no_grad()
def test_every_layer_equals_torchvision_bit_for_bit(tiny: VGG16) -> None:
    twin = torchvision_twin(tiny)
    rgb = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    normal = torchvision.transforms.functional.normalize(rgb, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert torch.equal(Normalize()(rgb), normal)
    for layer in LAYERS:
        theirs = twin[: layer.index + 1](normal.clone())  # their ReLU overwrites what it is given
        assert torch.equal(cut(tiny, layer.name)(rgb), theirs), layer.name


def test_no_step_overwrites_what_it_is_given(tiny: VGG16) -> None:
    values = torch.rand(1, 3, 64, 64)
    for name, step in tiny.named_children():
        before = values.clone()
        after = step(values)
        assert torch.equal(values, before), name
        values = after


@pytest.mark.parametrize("layer", LAYERS[::6], ids=lambda layer: layer.name)
def test_cut_shares_its_modules(tiny: VGG16, layer: Layer) -> None:
    part = cut(tiny, layer.name)
    names = ["input", *(other.name for other in LAYERS[: layer.index + 1])]
    assert [name for name, _ in part.named_children()] == names
    assert all(mine is theirs for mine, theirs in zip(part, tiny, strict=False))


@pytest.mark.parametrize("dialect", ["features.10", "features[10]", "10", 10, "block3_conv1", " CONV3_1 "])
def test_a_network_is_cut_in_any_dialect(tiny: VGG16, dialect: Any) -> None:
    assert list(cut(tiny, dialect)) == list(cut(tiny, "conv3_1"))


@pytest.mark.parametrize("name", ["conv9_1", "input", ""])
def test_a_network_is_not_cut_where_there_is_no_layer(tiny: VGG16, name: str) -> None:
    with pytest.raises(LayerError, match="does not exist"):
        cut(tiny, name)


def test_the_network_is_frozen_and_in_eval_mode(tiny: VGG16) -> None:
    assert not any(module.training for module in tiny.modules())
    assert not any(parameter.requires_grad for parameter in tiny.parameters())
    assert repr(tiny) == "VGG16(input … pool5: 32 steps, random weights)"


@pytest.mark.parametrize(("layer", "channels"), [("conv1_1", 4), ("relu3_2", 6), ("pool5", 8)])
def test_a_layer_has_the_channels_of_this_network(tiny: VGG16, layer: str, channels: int) -> None:
    assert channels_of(tiny, layer) == channels
    assert cut(tiny, layer)(torch.rand(1, 3, 32, 32)).shape[1] == channels


# Precision


@pytest.mark.parametrize(("avx", "amx"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_cpu_computes_in_bfloat16_only_where_it_has_it(avx: bool, amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert fast_dtype("cpu") == (torch.bfloat16 if avx or amx else torch.float32)


def test_a_torch_that_cannot_be_asked_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert fast_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("native", [False, True])
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert fast_dtype("cuda:0") == (torch.bfloat16 if native else torch.float32)


def test_other_devices_compute_in_float32() -> None:
    assert fast_dtype("mps") == torch.float32


def cudnn_flags() -> tuple[bool, ...]:
    cudnn = torch.backends.cudnn
    return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32


def test_exact_makes_a_gpu_deterministic_and_leaves_its_switches_as_they_were() -> None:
    before = cudnn_flags()
    with exact(torch.device("cuda", 0)):
        assert cudnn_flags() == (True, False, True, False)
    assert cudnn_flags() == before
    with pytest.raises(ZeroDivisionError), exact(torch.device("cuda")):
        raise ZeroDivisionError
    assert cudnn_flags() == before
    with exact(torch.device("cpu")):
        assert cudnn_flags() == before


@torch.no_grad()
def test_forward_gives_float32_in_either_precision() -> None:
    net = toy(1)
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    plain = cut(net, "conv3_1")(rgb)
    full, quick = (forward(cut(net, "conv3_1"), rgb, precision) for precision in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(full, plain, rtol=1e-5, atol=1e-6)
    assert (quick - plain).abs().max() < 0.05 * plain.abs().max()
    assert quick.dtype == torch.float32
    assert not torch.equal(quick, full)
