"""The network: it equals torchvision's at every layer, can be cut at any layer, and runs in two precisions."""

from typing import Any

import pytest
import torch
import torchvision
from conftest import TOY_WIDTHS, toy

from cnnvis.architecture import LAYERS, Layer
from cnnvis.errors import LayerError
from cnnvis.vgg import VGG16, Normalize, cut, exact, fast_dtype, forward

# The network


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


# Precision


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
    with exact(torch.device("cuda", 0)):
        assert cudnn_flags() == (True, False, True, False)
    assert cudnn_flags() == before
    with pytest.raises(ZeroDivisionError), exact(torch.device("cuda")):
        raise ZeroDivisionError
    assert cudnn_flags() == before
    with exact(torch.device("cpu")):
        assert cudnn_flags() == before


@torch.no_grad()
def test_forward_returns_float32_in_either_precision() -> None:
    net = toy(1)
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    plain = cut(net, "conv3_1")(rgb)
    full, quick = (forward(cut(net, "conv3_1"), rgb, precision) for precision in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(full, plain, rtol=1e-5, atol=1e-6)
    assert (quick - plain).abs().max() < 0.05 * plain.abs().max()
    assert quick.dtype == torch.float32
    assert not torch.equal(quick, full)
