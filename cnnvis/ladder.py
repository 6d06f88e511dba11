"""The ladder: one channel, one seed, and five ascents, each with one more of the cares that make a picture legible."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image
from torch import nn

from cnnvis.ascent import Snapshot, maximize
from cnnvis.images import Pictured
from cnnvis.recipes import Ascent, settle
from cnnvis.score import Score, score
from cnnvis.vgg import find_layer

STEPS = 48
SIZE = 160  # px: five ascents in the time of one or two

# What each rung takes over from the recipe `fourier`, on top of the rungs below it.
_CARES: Mapping[str, tuple[str, ...]] = {
    "erhan": (),
    "+ jitter": ("jitter",),
    "+ Fourier": ("parameterisation", "decay", "learning_rate", "momentum", "smoothing", "decline", "weight_decay"),
    "+ decorrelated colour": ("decorrelated",),
    "+ scale and rotation": ("view", "zoom", "turn", "headroom", "redirected", "precision", "recipe"),
}


@dataclass(frozen=True, repr=False)
class Rung(Pictured):
    """One ascent of the ladder, at its end."""

    name: str
    snapshot: Snapshot
    score: Score

    @property
    def picture(self) -> Image.Image:
        """The picture of the last step."""
        return self.snapshot.picture


def ladder(net: nn.Sequential, layer: str, channel: int, **overrides: Any) -> Iterator[Rung]:
    """Climb for one channel under `erhan`, then with jitter, Fourier, decorrelated colour, scale and rotation added.

    The last rung is the recipe `fourier`. Every rung has the same seed, size and number of steps; `overrides` are
    fields of Ascent (size 160, 48 steps unless told otherwise). Yields each rung when it is climbed.
    Raises LayerError, ChannelError or SettingError at once.
    """
    found = find_layer(layer)
    device = next(net.parameters()).device
    common = {"size": SIZE, "steps": STEPS, **overrides}
    aim = settle("fourier", found, device, **common)
    settings = settle("erhan", found, device, **common)
    rungs: list[tuple[str, Ascent]] = []
    for name, cares in _CARES.items():
        settings = replace(settings, **{care: getattr(aim, care) for care in cares})
        rungs.append((name, settings))
    climbs = [(name, maximize(net, found.name, channel, each, every=float("inf"))) for name, each in rungs]
    return (_climbed(net, name, climb) for name, climb in climbs)


def _climbed(net: nn.Sequential, name: str, climb: Iterator[Snapshot]) -> Rung:
    *_, last = climb
    return Rung(name, last, score(net, last.picture, last.layer, last.channel))
