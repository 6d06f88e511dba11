"""Numeric precision: the fastest that is good enough for an ascent, and exact float32."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch.nn.functional import conv2d

from cnnvis.errors import UnavailableError

# For new tensors, whatever dtype and device the caller has made torch's defaults.
PLAIN: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


def fast_dtype(device: torch.device | str) -> torch.dtype:
    """The fastest precision good enough for an ascent: bfloat16 if the hardware supports it, otherwise float32.

    On a CPU without bfloat16 instructions (AVX512-BF16 or AMX), autocast would only add conversions. On one that has
    them, bfloat16 convolutions are timed once, because some builds of PyTorch do not use them.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    checks = (getattr(torch.cpu, name, bool) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return torch.bfloat16 if kind == "cpu" and any(check() for check in checks) and _bfloat16_pays() else torch.float32


@cache
def _bfloat16_pays() -> bool:
    """Whether a bfloat16 convolution takes at most twice as long as a float32 one on this CPU, by the best of five.

    A nightly build of PyTorch 2.13 took 4 to 16 times as long (pytorch#183815). Anything near equal counts as fast, and
    what looks slow is timed again, up to eight times in all; otherwise a busy machine could get other pictures.
    """
    _convolution_seconds(torch.bfloat16), _convolution_seconds(torch.float32)  # warm-up
    quick = full = math.inf
    for _ in range(8):
        for _ in range(5):
            quick = min(quick, _convolution_seconds(torch.bfloat16))
            full = min(full, _convolution_seconds(torch.float32))
        if quick <= 2 * full:
            return True
        time.sleep(0.02)
    return False


def _convolution_seconds(precision: torch.dtype) -> float:
    """The time of a convolution from 128 to 128 channels on 56 × 56 cells, and of its gradient; about 2 to 10 ms."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        maps = torch.ones(1, 128, 56, 56, dtype=precision, device="cpu").to(memory_format=torch.channels_last)
        kernels = torch.ones(128, 128, 3, 3, dtype=precision, device="cpu").to(memory_format=torch.channels_last)
        maps.requires_grad_()
        begun = time.perf_counter()
        torch.autograd.grad(conv2d(maps, kernels, padding=1).sum(), maps)
        return time.perf_counter() - begun


def precision_of(name: str, device: torch.device | str) -> torch.dtype:
    """The dtype of a precision by its name: "float32", "bfloat16", or "auto" for `fast_dtype`."""
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(name) or fast_dtype(device)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """A context where a GPU's convolutions repeat bit for bit and float32 stays float32: no TF32, no autocast.

    Raises UnavailableError if the GPU's memory is too small.
    """
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with torch.autocast(device.type, enabled=False), cudnn if device.type == "cuda" else nullcontext():
            yield
    except torch.OutOfMemoryError as error:
        raise UnavailableError.memory() from error
