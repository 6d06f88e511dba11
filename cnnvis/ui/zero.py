"""ZeroGPU, Hugging Face's shared GPUs: a function gets one for the time it runs, in a process of its own.

Elsewhere everything here is nothing: `on_gpu` returns the function itself, and there is one network for all.
What crosses to that process is pickled; so arguments are plain values, and results hold pictures and numbers.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from cnnvis.vgg import CLASS, CONVOLUTIONS, VGG16
from cnnvis.weights import load_vgg16, load_whole_vgg16

ZERO = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true")
GPU_SECONDS = 60  # at most, for one call; more would count against a visitor's quota before it began

Function = TypeVar("Function", bound=Callable[..., Any])


def on_gpu(function: Function) -> Function:
    """Give a function (or generator) a GPU on ZeroGPU; where there is none to give, it stays as it is."""
    try:
        import spaces  # on every Gradio Space, and only there
    except ImportError:
        return function
    wrapped: Function = spaces.GPU(duration=GPU_SECONDS)(function)
    return wrapped


def light_network(layer: str = CONVOLUTIONS[-1]) -> VGG16:
    """The network for what takes moments, sheets, maps and scores; on ZeroGPU the CPU's, so that they cost no quota."""
    load = load_whole_vgg16 if layer == CLASS.name else load_vgg16
    return load("cpu" if ZERO else None)


def place_network() -> None:
    """On ZeroGPU a network must be on the GPU before the first call; elsewhere it is loaded when it is needed."""
    if ZERO:
        load_vgg16("cuda")
