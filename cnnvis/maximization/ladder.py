"""The ladder: five ascents for one channel from one seed, adding one regulariser at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnvis.maximization.ascent import Snapshot, ascend
from cnnvis.maximization.recipes import settle
from cnnvis.maximization.score import Finished, score_target
from cnnvis.network.architecture import Direction, Target
from cnnvis.network.vgg import VGG16, architecture_of

STEPS = 48
SIZE = 160  # px; five ascents then take as long as one or two

# The settings that each rung takes over from the recipe `fourier`, on top of the rungs below it.
RUNGS: Mapping[str, str] = {
    "erhan": "",
    "+ jitter": "jitter",
    "+ Fourier": "parameterisation decay learning_rate beta1 beta2 decay_share weight_decay coarse_share",
    "+ decorrelated colour": "decorrelated",
    "+ scale, rotation and blur": "crop zoom rotation blur leak headroom redirected precision recipe",
}


@dataclass(frozen=True, repr=False)
class Rung(Finished):
    """One finished ascent of the ladder."""

    name: str

    def record(self) -> dict[str, Any]:
        """The record of its last snapshot, with its score and its name."""
        return {**super().record(), "rung": self.name}


def ladder(net: VGG16, layer: str, channel: int | Direction | None = None, **overrides: Any) -> Iterator[Rung]:
    """Run five ascents, from `erhan` to `fourier`; each adds one regulariser, with the settings that it needs.

    They add jitter, Fourier coefficients, decorrelated colour, then scale, rotation and blur. All have the same seed,
    size and number of steps; `overrides` are fields of Settings (by default 160 px and 48 steps). `channel` may be
    several with a weight each, as in `maximize`. Each rung is yielded when its ascent ends.
    Raises LayerError, ChannelError or SettingError at once.
    """
    return run_ladder(net, architecture_of(net).weighted_target(layer, channel), **overrides)


def run_ladder(net: VGG16, target: Target, **overrides: Any) -> Iterator[Rung]:
    """`ladder` for a target already checked."""
    common = {"size": SIZE, "steps": STEPS, **overrides}
    goal = settle("fourier", target.layer, net.device, **common)
    settings = settle("erhan", target.layer, net.device, **common)
    ascents: dict[str, Iterator[list[Snapshot]]] = {}
    for name, added in RUNGS.items():
        settings = replace(settings, **{setting: getattr(goal, setting) for setting in added.split()})
        ascents[name] = ascend(net, [target], settings, every=float("inf"))
    return (_finished(net, name, ascent) for name, ascent in ascents.items())


def _finished(net: VGG16, name: str, ascent: Iterator[list[Snapshot]]) -> Rung:
    *_, (last,) = ascent
    return Rung(last, score_target(net, last.picture, last.target), name)
