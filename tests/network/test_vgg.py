"""The network: it equals torchvision's at every layer, can be cut at any layer, and runs in two precisions."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from helpers.toys import TOY_WIDTHS, toy
from PIL import Image
from torch.nn.functional import conv2d

import cnnvis
from cnnvis.errors import LayerError, WeightsError
from cnnvis.network.architecture import LAYERS, Layer
from cnnvis.network.precision import fast_dtype, full_precision, precision_of
from cnnvis.network.vgg import VGG16, Normalize, cut, forward, narrowed, with_classifier

# The network

ASKS: dict[str, Callable[[Any], Any]] = {
    "maximize": lambda net: cnnvis.maximize(net, "conv1_1", 0),
    "ladder": lambda net: cnnvis.ladder(net, "conv1_1", 0),
    "score": lambda net: cnnvis.score(net, Image.new("RGB", (64, 64)), "conv1_1", 0),
    "feature_maps": lambda net: cnnvis.feature_maps(net, Image.new("RGB", (64, 64)), "conv1_1"),
    "map_sheet": lambda net: cnnvis.map_sheet(net, Image.new("RGB", (64, 64)), "conv1_1"),
    "channel_path": lambda net: cnnvis.channel_path(net, Image.new("RGB", (64, 64)), 0),
    "filter_sheet": lambda net: cnnvis.filter_sheet(net, "conv1_1"),
    "one_filter": lambda net: cnnvis.one_filter(net, "conv1_1", 0),
    "wiring": lambda net: cnnvis.wiring(net, "conv1_1", 0),
    "why": lambda net: cnnvis.why(net, Image.new("RGB", (64, 64)), "conv1_1", 0),
    "cut": lambda net: cnnvis.cut(net, "conv1_1"),
    "make_shelf": lambda net: cnnvis.make_shelf(net, "nowhere", "nowhere"),
    "make_atlas": lambda net: cnnvis.make_atlas(net, ["conv1_1"], "nowhere"),
}


@pytest.mark.parametrize("ask", ASKS)
def test_a_network_that_is_not_ours_is_refused_in_one_sentence(ask: str) -> None:
    with torch.device("meta"):
        given = torchvision.models.vgg16()
    for net, kind in ((given, "VGG"), (given.features, "Sequential"), ("conv1_1", "str")):
        with pytest.raises(WeightsError) as refused:
            ASKS[ask](net)
        assert str(refused.value) == (
            f"the network is a {kind}, not one of cnnvis: load_vgg16() loads one; for your own weights, "
            "save a state_dict() and name its file in CNNVIS_WEIGHTS."
        )


def torchvision_twin(net: VGG16) -> torch.nn.Sequential:
    """Rebuild the toy with torchvision's `make_layers`, and copy its weights."""
    plan: list[int | str] = []
    for width, size in zip(TOY_WIDTHS, (2, 2, 3, 3, 3), strict=True):
        plan += [width] * size + ["M"]
    twin = torchvision.models.vgg.make_layers(plan)
    index = {layer.name: layer.index for layer in LAYERS}
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
        theirs = twin[: layer.index + 1](normal.clone())  # torchvision's ReLU overwrites its input
        assert torch.equal(cut(tiny, layer.name)(rgb), theirs), layer.name


def test_no_step_overwrites_its_input(tiny: VGG16) -> None:
    values = torch.rand(1, 3, 64, 64)
    for name, step in tiny.named_children():
        before = values.clone()
        after = step(values)
        assert torch.equal(values, before), name
        values = after


@pytest.mark.parametrize("layer", LAYERS[::6], ids=lambda layer: layer.name)
def test_a_cut_network_shares_its_modules_with_the_whole_one(tiny: VGG16, layer: Layer) -> None:
    part = cut(tiny, layer.name)
    names = ["input", *(other.name for other in LAYERS[: layer.index + 1])]
    assert [name for name, _ in part.named_children()] == names
    assert all(mine is theirs for mine, theirs in zip(part, tiny, strict=False))


@pytest.mark.parametrize("dialect", ["features.10", "features[10]", "10", 10, "block3_conv1", " CONV3_1 "])
def test_the_layer_to_cut_at_can_be_named_in_any_dialect(tiny: VGG16, dialect: Any) -> None:
    assert list(cut(tiny, dialect)) == list(cut(tiny, "conv3_1"))


@pytest.mark.parametrize("name", ["conv9_1", "input", ""])
def test_cutting_at_an_unknown_layer_is_refused(tiny: VGG16, name: str) -> None:
    with pytest.raises(LayerError, match="does not exist"):
        cut(tiny, name)


def test_the_network_is_frozen_and_in_eval_mode(tiny: VGG16) -> None:
    assert not any(module.training for module in tiny.modules())
    assert not any(parameter.requires_grad for parameter in tiny.parameters())
    assert repr(tiny) == "VGG16(input … pool5: 32 steps, random weights)"


# Some channels of a layer


def values_and_gradient(part: Any, rgb: torch.Tensor, channels: list[int] | slice) -> tuple[torch.Tensor, torch.Tensor]:
    """What some channels answer, and the gradient for the picture of a sum in which no two values weigh the same."""
    leaf = rgb.clone().requires_grad_()
    values = part(leaf)[:, channels]
    weights = torch.linspace(-1, 1, values.numel()).view(values.shape)
    (gradient,) = torch.autograd.grad((values * weights).sum(), leaf)
    return values.detach(), gradient


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_2", "pool2", "conv3_3", "relu4_1", "conv5_3", "pool5"])
@pytest.mark.parametrize("channels", [[3], [0, 2], [2, 0, 3]])
def test_some_channels_are_those_of_the_whole_layer(tiny: VGG16, layer: str, channels: list[int]) -> None:
    rgb = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    body, after = narrowed(tiny, tiny.architecture.find(layer), channels)
    few = values_and_gradient(lambda shown: after(body(shown)), rgb, slice(None))
    whole = values_and_gradient(cut(tiny, layer), rgb, channels)
    for mine, truth in zip(few, whole, strict=True):
        torch.testing.assert_close(mine, truth, rtol=1e-5, atol=1e-5)


def test_some_classes_are_those_of_the_classifier(tiny: VGG16) -> None:
    torch.manual_seed(0)
    net = with_classifier(tiny)
    rgb = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    body, after = narrowed(net, net.architecture.find("class"), [207, 1])
    few = values_and_gradient(lambda shown: after(body(shown)), rgb, slice(None))
    whole = values_and_gradient(cut(net, "class"), rgb, [207, 1])
    for mine, truth in zip(few, whole, strict=True):
        torch.testing.assert_close(mine, truth, rtol=1e-5, atol=1e-5)


def test_taking_some_channels_leaves_the_network_and_the_random_numbers_alone(tiny: VGG16) -> None:
    before, state = tiny.conv3_1, torch.get_rng_state()
    body, _ = narrowed(tiny, tiny.architecture.find("conv3_1"), [1])
    assert tiny.conv3_1 is before
    assert before.weight.shape[0] == 6
    assert body.conv3_1.weight.shape[0] == 1
    assert body.conv2_1 is tiny.conv2_1
    assert not any(parameter.requires_grad for parameter in body.parameters())
    assert torch.equal(torch.get_rng_state(), state)


# Precision


@pytest.mark.usefixtures("measured_anew")
@pytest.mark.parametrize("slow", [torch.bfloat16, torch.float32])
def test_a_cpu_whose_bfloat16_is_slow_uses_float32(slow: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    def conv2d(maps: torch.Tensor, kernels: torch.Tensor, padding: int) -> torch.Tensor:
        time.sleep(0.02 if maps.dtype == slow else 0)
        return maps

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr("cnnvis.network.precision.conv2d", conv2d)
    found = torch.float32 if slow == torch.bfloat16 else torch.bfloat16
    assert fast_dtype("cpu") == found
    monkeypatch.setattr("cnnvis.network.precision.conv2d", None)  # not timed a second time
    assert fast_dtype("cpu") == found


@pytest.mark.usefixtures("measured_anew")
def test_timing_works_in_any_mode_and_leaves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def small(maps: torch.Tensor, kernels: torch.Tensor, padding: int) -> torch.Tensor:
        return conv2d(maps[..., :4, :4], kernels, padding=padding)  # without bfloat16 instructions the whole is slow

    monkeypatch.setattr("cnnvis.network.precision.conv2d", small)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    with torch.inference_mode():
        assert fast_dtype("cpu") in (torch.bfloat16, torch.float32)
        assert torch.is_inference_mode_enabled()


def test_a_precision_can_be_named() -> None:
    assert precision_of("float32", "cpu") == torch.float32
    assert precision_of("bfloat16", "cpu") == torch.bfloat16
    assert precision_of("auto", "cpu") == fast_dtype("cpu")


@pytest.mark.usefixtures("equally_fast")
@pytest.mark.parametrize(("avx", "amx"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_cpu_uses_bfloat16_only_if_it_supports_it(avx: bool, amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert fast_dtype("cpu") == (torch.bfloat16 if avx or amx else torch.float32)


def test_a_torch_without_the_cpu_checks_uses_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert fast_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("native", [False, True])
def test_a_gpu_that_only_emulates_bfloat16_uses_float32(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert fast_dtype("cuda:0") == (torch.bfloat16 if native else torch.float32)


def test_other_devices_use_float32() -> None:
    assert fast_dtype("mps") == torch.float32


def cudnn_flags() -> tuple[bool, ...]:
    cudnn = torch.backends.cudnn
    return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32


def test_exact_makes_a_gpu_deterministic_and_restores_its_flags() -> None:
    before = cudnn_flags()
    with full_precision(torch.device("cuda", 0)):
        assert cudnn_flags() == (True, False, True, False)
    assert cudnn_flags() == before
    with pytest.raises(ZeroDivisionError), full_precision(torch.device("cuda")):
        raise ZeroDivisionError
    assert cudnn_flags() == before
    with full_precision(torch.device("cpu")):
        assert cudnn_flags() == before


@torch.no_grad()
def test_forward_returns_float32_in_either_precision() -> None:
    net = toy(1)
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    plain = cut(net, "conv3_1")(rgb)
    full, quick = (forward(cut(net, "conv3_1"), rgb, precision) for precision in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(full, plain, rtol=1e-5, atol=1e-5)  # another layout in memory, other orders of sums
    assert (quick - plain).abs().max() < 0.05 * plain.abs().max()
    assert quick.dtype == torch.float32
    assert not torch.equal(quick, full)
