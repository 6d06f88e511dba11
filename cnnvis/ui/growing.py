"""Ascents for visitors and programs: the one place where they borrow a GPU on ZeroGPU.

Only what the GPU computes runs inside these generators. Files are written outside, in the process that serves and
sweeps them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from cnnvis.maximization.ascent import Snapshot, ascend
from cnnvis.maximization.ladder import Rung, run_ladder
from cnnvis.network.architecture import Target
from cnnvis.network.weights import load_for
from cnnvis.pictures.photo import Photo
from cnnvis.ui.serving.gpu import on_gpu


@on_gpu
def grow(targets: Sequence[Target], recipe: str, start: Photo, settings: dict[str, Any]) -> Iterator[list[Snapshot]]:
    """Grow a picture for each target; `start` is a photo, or None for noise. Raises SettingError, PhotoError."""
    yield from ascend(load_for(targets[0].layer), targets, recipe, start=start, **settings)


@on_gpu
def grow_ladder(target: Target, seed: int) -> Iterator[Rung]:
    """Run the five ascents of the ladder."""
    yield from run_ladder(load_for(target.layer), target, seed=seed)
