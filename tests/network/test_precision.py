"""Precision: bfloat16 only where it is fast, and float32 that a GPU repeats bit for bit."""

import time

import pytest
import torch
from torch.nn.functional import conv2d

from cnnvis.network.precision import fast_dtype, full_precision, precision_of

CONV2D = "cnnvis.network.precision.conv2d"


@pytest.mark.usefixtures("measured_anew")
@pytest.mark.parametrize("slow", [torch.bfloat16, torch.float32])
def test_a_cpu_whose_bfloat16_is_slow_uses_float32(slow: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    def convolve(maps: torch.Tensor, kernels: torch.Tensor, padding: int) -> torch.Tensor:
        time.sleep(0.02 if maps.dtype == slow else 0)
        return maps

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    expected = torch.float32 if slow == torch.bfloat16 else torch.bfloat16
    for function in (convolve, None):  # the second time without timing anything
        monkeypatch.setattr(CONV2D, function)
        assert fast_dtype("cpu") == expected


@pytest.mark.usefixtures("measured_anew")
def test_timing_works_in_any_mode_and_leaves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def convolve(maps: torch.Tensor, kernels: torch.Tensor, padding: int) -> torch.Tensor:
        return conv2d(maps[..., :4, :4], kernels, padding=padding)  # all of it is slow without bfloat16 instructions

    monkeypatch.setattr(CONV2D, convolve)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    with torch.inference_mode():
        assert fast_dtype("cpu") in (torch.bfloat16, torch.float32)
        assert torch.is_inference_mode_enabled()


def test_a_precision_can_be_named() -> None:
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": fast_dtype("cpu")}
    assert {name: precision_of(name, "cpu") for name in named} == named


@pytest.mark.usefixtures("measured_anew")
@pytest.mark.parametrize(("avx", "amx"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_cpu_uses_bfloat16_only_if_it_supports_it(avx: bool, amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnvis.network.precision._convolution_seconds", lambda precision: 0.01)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert fast_dtype("cpu") == (torch.bfloat16 if avx or amx else torch.float32)


def test_other_devices_and_a_torch_without_the_cpu_checks_use_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast_dtype("mps") == torch.float32
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert fast_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("native", [False, True])
def test_a_gpu_that_only_emulates_bfloat16_uses_float32(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert fast_dtype("cuda:0") == (torch.bfloat16 if native else torch.float32)


def cudnn_flags() -> tuple[bool, ...]:
    cudnn = torch.backends.cudnn
    return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32


def test_full_precision_makes_a_gpu_deterministic_and_restores_its_flags() -> None:
    before = cudnn_flags()
    with full_precision(torch.device("cuda", 0)):
        assert cudnn_flags() == (True, False, True, False)
    assert cudnn_flags() == before
    with pytest.raises(ZeroDivisionError), full_precision(torch.device("cuda")):
        raise ZeroDivisionError
    assert cudnn_flags() == before
    with full_precision(torch.device("cpu")):
        assert cudnn_flags() == before
