"""ZeroGPU, Hugging Face's shared GPUs: an ascent borrows a GPU while it runs, in a process of its own.

Everywhere else one network serves everything. Arguments and results are pickled on their way to the other process and
back. Of an exception only the class's name returns, so what can be refused is refused before the call.
A visitor has few minutes of GPU time a day, and ZeroGPU compares what a call reserves with what is left. When it gives
no GPU, or takes it away, the ascent starts on the CPU, with the same seed.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import torch

from cnnvis.errors import SettingError
from cnnvis.maximization.ascent import Snapshot, ascend, check_ascent
from cnnvis.maximization.ladder import RUNGS, SIZE, STEPS, Rung, run_ladder
from cnnvis.maximization.recipes import Settings, settle
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.weights import load_for, load_vgg16
from cnnvis.pictures.photo import Photo

log = logging.getLogger(__name__)

ZERO = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true")
SHEET_DEVICE = "cpu" if ZERO else None  # for sheets, maps and scores: on ZeroGPU they would cost a visitor's quota
NO_GPU = "ZeroGPU gave no GPU time"

# What an ascent takes on a GPU. The milliseconds are those of benchmarks/README.md, "On a GPU": an H100, bfloat16,
# 224 px. At conv1_2, conv3_3 and conv5_3 a step took 7.2, 9.2 and 10.1 ms, and 0.23 ms more at most for each further
# picture. ZeroGPU's GPU is half an RTX PRO 6000, which we have not measured: hence the margin, and `spaces` itself
# reserves half as much again there.
STEP_MS = (7.2, 8.2, 9.2, 9.7, 10.1)  # by block
PICTURE_MS = 0.23
FLOAT32 = 10  # times as much for each picture, by the H100's peak rates
MARGIN = 2
SCORE_SECONDS = 1  # for the score of a rung; not measured
START_SECONDS = 3  # for the other process, its first calls of CUDA, and the weights; not measured
CLASSIFIER_SECONDS = 7  # more, to read the classifier's 494 MB; not measured
MOST_SECONDS = 60

Made = TypeVar("Made")
Function = TypeVar("Function", bound=Callable[..., Any])


def on_gpu(seconds: Callable[..., int]) -> Callable[[Function], Function]:
    """On ZeroGPU, give a generator a GPU for `seconds` of its arguments; elsewhere leave it unchanged."""
    if not ZERO:
        return lambda function: function
    import spaces  # every Gradio Space has it

    return cast(Callable[[Function], Function], spaces.GPU(duration=seconds))


def place_network() -> None:
    """On ZeroGPU, put the network on the GPU before the first call; elsewhere it is loaded when first needed."""
    if not ZERO:
        return
    load_vgg16("cuda")
    # `spaces` 0.51 tells torch that this process has a GPU. Adam believes it, and asks CUDA before every step, on the
    # CPU too, whether a graph is being captured, which fails. This can go when `spaces` answers that as well.
    for asks in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):  # now, and before
        if hasattr(torch.optim.Optimizer, asks):
            setattr(torch.optim.Optimizer, asks, lambda _: None)


def missing_gpu(snapshot: Snapshot) -> str:
    """What a visitor reads about an ascent that ZeroGPU gave no GPU; "" about any other."""
    return f"on the CPU: {NO_GPU}" if ZERO and snapshot.build["device"] == "cpu" else ""


def grow(targets: Sequence[Target], recipe: str, start: Photo, settings: dict[str, Any]) -> Iterator[list[Snapshot]]:
    """Grow a picture for each target; `start` is a photo, or None for noise.

    On ZeroGPU, steps may begin again at 0 once: then on the CPU.
    Raises SettingError, PhotoError, WeightsError, LayerError.
    """
    layer = targets[0].layer
    if not ZERO:
        yield from ascend(load_for(layer), targets, recipe, start=start, **settings)
        return
    load_for(layer, SHEET_DEVICE)  # raises here what would lose its message there
    settled, photo = check_ascent(targets, recipe, start, "cuda", **settings)

    def on_cpu() -> Iterator[list[Snapshot]]:
        try:
            return ascend(load_for(layer, SHEET_DEVICE), targets, settled, start=photo)
        except SettingError as error:  # a size that is too large there
            raise SettingError(f"{NO_GPU}, and on the CPU {error}") from error

    yield from _or_on_cpu(_grow_there(targets, settled, photo), on_cpu)


def grow_ladder(target: Target, seed: int) -> Iterator[Rung]:
    """Run the five ascents of the ladder; on ZeroGPU, they may begin again once. Raises SettingError."""
    if not ZERO:
        yield from run_ladder(load_for(target.layer), target, seed=seed)
        return
    settle("fourier", target.layer, "cuda", seed=seed)
    on_cpu = load_for(target.layer, SHEET_DEVICE)
    yield from _or_on_cpu(_ladder_there(target, seed), lambda: run_ladder(on_cpu, target, seed=seed))


def _or_on_cpu(there: Iterator[Made], here: Callable[[], Iterator[Made]]) -> Iterator[Made]:
    try:
        yield from there
        return
    except Exception as error:  # ZeroGPU's own, of many classes: what it ran raises in the other process
        log.warning("%s (%s: %s): growing on the CPU.", NO_GPU, getattr(error, "title", type(error).__name__), error)
    yield from here()


def ascent_seconds(targets: Sequence[Target], settings: Settings, _: Photo = None) -> int:
    """The seconds to reserve for an ascent with settled settings."""
    layer = targets[0].layer
    growing = MARGIN * settings.steps * _step_seconds(layer, settings, len(targets))
    return _reserved(layer, min(growing, settings.seconds or growing))


def ladder_seconds(target: Target, _: int = 0) -> int:
    """The seconds to reserve for the ladder, as if every rung cost as much as the most expensive one."""
    settings = settle("erhan", target.layer, "cuda", size=SIZE, steps=STEPS)
    growing = MARGIN * settings.steps * _step_seconds(target.layer, settings, 1)
    return _reserved(target.layer, len(RUNGS) * (growing + SCORE_SECONDS))


def _step_seconds(layer: Layer, settings: Settings, pictures: int) -> float:
    area = (settings.size / 224) ** 2
    each = PICTURE_MS * area * (FLOAT32 if settings.precision == "float32" else 1)
    return (STEP_MS[layer.block - 1] + pictures * each) / 1000  # the layer `class` has block 0: the last one's


def _reserved(layer: Layer, seconds: float) -> int:
    ahead = START_SECONDS + (CLASSIFIER_SECONDS if layer.kind == "class" else 0)
    return min(MOST_SECONDS, math.ceil(ahead + seconds))


@on_gpu(ascent_seconds)
def _grow_there(targets: Sequence[Target], settings: Settings, start: Photo) -> Iterator[list[Snapshot]]:
    yield from ascend(load_for(targets[0].layer), targets, settings, start=start)


@on_gpu(ladder_seconds)
def _ladder_there(target: Target, seed: int) -> Iterator[Rung]:
    yield from run_ladder(load_for(target.layer), target, seed=seed)
