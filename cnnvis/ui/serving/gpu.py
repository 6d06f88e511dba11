"""ZeroGPU, Hugging Face's shared GPUs: a function borrows a GPU while it runs, in a process of its own.

Everywhere else this does nothing: `on_gpu` returns the function unchanged, and one network serves everything.
Arguments and results cross to the other process by pickling.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from cnnvis.maximization.ascent import Snapshot, ascend
from cnnvis.maximization.ladder import Rung, run_ladder
from cnnvis.network.architecture import Target
from cnnvis.network.weights import load_for, load_vgg16
from cnnvis.pictures.photo import Photo

ZERO = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true")
GPU_SECONDS = 60  # the longest call; ZeroGPU checks a visitor's quota against it before the call begins
SHEET_DEVICE = "cpu" if ZERO else None  # for sheets, maps and scores: on ZeroGPU they would cost a visitor's quota

Function = TypeVar("Function", bound=Callable[..., Any])


def on_gpu(function: Function) -> Function:
    """Give a function or generator a GPU on ZeroGPU; elsewhere return it unchanged."""
    try:
        import spaces  # installed on every Gradio Space, and only there
    except ImportError:
        return function
    wrapped: Function = spaces.GPU(duration=GPU_SECONDS)(function)
    return wrapped


def place_network() -> None:
    """On ZeroGPU, put the network on the GPU before the first call; elsewhere it is loaded when first needed."""
    if ZERO:
        load_vgg16("cuda")


@on_gpu
def grow(targets: Sequence[Target], recipe: str, start: Photo, settings: dict[str, Any]) -> Iterator[list[Snapshot]]:
    """Grow a picture for each target; `start` is a photo, or None for noise. Raises SettingError, PhotoError."""
    yield from ascend(load_for(targets[0].layer), targets, recipe, start=start, **settings)


@on_gpu
def grow_ladder(target: Target, seed: int) -> Iterator[Rung]:
    """Run the five ascents of the ladder."""
    yield from run_ladder(load_for(target.layer), target, seed=seed)
