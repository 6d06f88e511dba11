"""Measure explanation: whether a judge that is not VGG16 can tell from pictures or photos what a channel responds to.

    python -m benchmarks.explains [--channels 10] [--layers conv5_1 conv5_3] [--references fourier maco] [--json FILE]

Of two patches, one comes from a photo that excites the channel strongly, the other from a photo that barely does. Which
one is more like the reference? A reference's explanation is the share of 100 such pairs decided correctly; guessing
gives 0.5. References come from the bundled shelf's photos with even numbers, patches from those with odd numbers. With
--json, what the file already holds is not measured again: a run can be interrupted, and another can add the rivals.
benchmarks/README.md has the results.
"""

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from benchmarks.halves import Part, part
from benchmarks.judges import JUDGES, crops, decided
from benchmarks.report import LAYERS, advantage, machine, parser_of, read, write
from benchmarks.rivals import RIVALS, installed, run_rival
from cnnvis import atlas_sheet, load_vgg16, maximize, score
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import SHELF
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import read_weights
from cnnvis.prepared.shelf import Shelf

TUNED = 40  # channels of each layer set aside for tuning; no figure is reported for them
QUERIES = 10  # patches of each kind
SEEDS = 4
RESAMPLES = 2000
TRIAL_SECONDS = 3.0


def main() -> None:
    """Measure channel by channel, write each as it comes, and print the tables."""
    parser = parser_of(__doc__)
    parser.add_argument("--channels", type=int, default=10, help="of each layer, drawn by the seed")
    parser.add_argument("--layers", nargs="+", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--seconds", type=float, default=10.0, help="for the rivals' ascents")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--references", nargs="+", default=list(REFERENCES), choices=list(REFERENCES))
    options = parser.parse_args()
    net = load_vgg16("cpu")
    report = read(options.json) or {"machine": machine(net), "seconds": options.seconds, "steps": {}, "rows": []}
    photos = len(Shelf(SHELF).photos)
    references, queries = part(net, range(0, photos, 2)), part(net, range(1, photos, 2))
    rows = {(row["layer"], row["channel"]): row for row in report["rows"]}
    for name in options.layers:  # before anything else, while the machine does nothing else
        steps = report["steps"].setdefault(name, {})
        missing = [tool for tool in installed() if tool in options.references and tool not in steps]
        steps |= steps_within(net.architecture.find(name), report["seconds"], missing)
    for name in options.layers:
        layer = net.architecture.find(name)
        for channel in reported(layer, options.channels, options.seed):
            if (name, channel) not in rows:
                rows[name, channel] = blank(name, channel)
                report["rows"].append(rows[name, channel])
            case = Case(net, layer, channel, references, report["steps"][name])
            if measure(rows[name, channel], case, queries, options.references):
                print(name, channel, flush=True)
                write(options.json, report)
    for judge in JUDGES:
        show(report["rows"], judge)
    show_robust(report["rows"])


def tuned(layer: Layer) -> list[int]:
    """The channels that recipes were tuned on."""
    return random.Random(f"tune {layer.name}").sample(range(layer.channels), TUNED)


def reported(layer: Layer, count: int, seed: int) -> list[int]:
    """Draw the channels to report, none of which a recipe was tuned on."""
    apart = set(tuned(layer))
    rest = [channel for channel in range(layer.channels) if channel not in apart]
    return random.Random(f"{seed} {layer.name}").sample(rest, count)


def blank(layer: str, channel: int) -> dict[str, Any]:
    """The row of a channel about which nothing is known yet."""
    explanation: dict[str, Any] = {name: {} for name in JUDGES}
    return {"layer": layer, "channel": channel, "explanation": explanation, "clarity": {}, "robust": {}}


def steps_within(layer: Layer, seconds: float, tools: Sequence[str]) -> dict[str, int]:
    """How many steps each tool takes at this layer in the time, on this machine as it is now.

    Timed once for each layer, so that every channel gets the same steps, whatever else the machine does.
    """
    steps = {}
    for tool in tools:
        run = run_rival(tool, _state(), layer.name, layer.channels // 2, min(seconds, TRIAL_SECONDS))
        steps[tool] = max(1, round(run.steps / run.seconds * seconds))
    return steps


_state = cache(lambda: read_weights()[0])


class Case:
    """One channel, and what references to it are made of. Pictures are grown on demand and kept."""

    def __init__(self, net: VGG16, layer: Layer, channel: int, photos: Part, steps: Mapping[str, int]) -> None:
        self.net, self.layer, self.channel, self.photos, self.steps = net, layer, channel, photos, steps
        self._pictures: dict[tuple[str, int, int], Image.Image] = {}

    def exemplars(self, count: int) -> list[Image.Image]:
        """Patches of the photos that excite the channel most."""
        return self.photos.strongest(self.layer, self.channel, count)

    def picture(self, maker: str, seed: int = 0, other: int = 0) -> Image.Image:
        """The picture that a recipe or another tool makes of the channel, or of the channel `other` numbers later."""
        channel = (self.channel + other) % self.layer.channels
        if (maker, seed, channel) not in self._pictures:
            if maker in RIVALS:
                finished: Any = run_rival(maker, _state(), self.layer.name, channel, steps=self.steps[maker])
            else:
                settings = as_before(self.layer) if maker == "before" else {"settings": maker}
                *_, finished = maximize(self.net, self.layer.name, channel, seed=seed, every=math.inf, **settings)
            self._pictures[maker, seed, channel] = finished.picture
        return self._pictures[maker, seed, channel]

    def tile(self) -> list[Image.Image]:
        """The atlas's tile, brought back to the scale of the photos' patches."""
        sheet = atlas_sheet(self.layer.name)
        tile = sheet.tile(self.channel).resize((sheet.picture_px,) * 2, Image.Resampling.BICUBIC)
        return crops(tile, self.layer.receptive_field)

    def crops(self, maker: str, **which: int) -> list[Image.Image]:
        """The crops of a picture at the scale of the photos' patches."""
        return crops(self.picture(maker, **which), self.layer.receptive_field)


def as_before(layer: Layer) -> dict[str, Any]:
    """What the recipe `fourier` was at commit 3d678db, whose pictures these settings repeat bit for bit."""
    coarse_share = {4: 0.6, 5: 0.65}.get(layer.block)
    return {} if coarse_share is None else {"size": 224, "steps": 80, "coarse_share": coarse_share}


MAKERS = ("fourier", "maco", "erhan", "lucent", "dreamlens")  # whose pictures are scored as well
REFERENCES: Mapping[str, Callable[[Case], list[Image.Image]]] = {
    "9 photos": lambda case: case.exemplars(9),
    "1 photo": lambda case: case.exemplars(1),
    "fourier": lambda case: case.crops("fourier"),
    f"{SEEDS} fourier": lambda case: [crop for seed in range(SEEDS) for crop in case.crops("fourier", seed=seed)],
    "9 photos and fourier": lambda case: [*case.exemplars(9), *case.crops("fourier")],
    "the atlas's tile": lambda case: case.tile(),
    "fourier of another channel": lambda case: case.crops("fourier", other=1),
    "fourier before (3d678db)": lambda case: case.crops("before"),
    **{maker: partial(Case.crops, maker=maker) for maker in MAKERS[1:]},
}


def measure(row: dict[str, Any], case: Case, queries: Part, references: Sequence[str] = tuple(REFERENCES)) -> bool:
    """Fill in what a row lacks: each reference's explanation, by judge, and robust activation if it is a picture.

    Returns whether it lacked anything.
    """
    missing = [name for name in references if name not in row["explanation"]["alexnet"]]
    missing = [name for name in missing if name not in RIVALS or name in case.steps]
    patches = queries.strongest(case.layer, case.channel, QUERIES), queries.weakest(case.layer, case.channel, QUERIES)
    for name in missing:
        shown = REFERENCES[name](case)
        for judge, features in JUDGES.items():
            row["explanation"][judge][name] = decided(features(shown), *map(features, patches))
            if name == "fourier":
                row["clarity"][judge] = clarity(features(shown))
        if name in MAKERS:
            row["robust"][name] = score(case.net, case.picture(name), case.layer.name, case.channel).robust
    return bool(missing)


def clarity(features: Tensor) -> float | None:
    """How alike the crops of one picture are, 0 to 1; None for a picture shown uncut."""
    count = len(features)
    if count < 2:
        return None
    alike = features @ features.T
    return float((alike.sum() - alike.trace()) / (alike.trace() * (count - 1)))


def show(rows: Sequence[Mapping[str, Any]], judge: str) -> None:
    """Print one judge's table: a row for each reference, a column for each layer, and the mean over the layers."""
    layers = layers_of(rows)
    print(f"\nexplanation as judged by {judge} (0.5 is guessing)")
    print(f"{'reference':28}", *(f"{name:>8}" for name in layers), "      all")
    for reference in rows[0]["explanation"][judge]:
        groups = [[row["explanation"][judge][reference] for row in rows if row["layer"] == name] for name in layers]
        low, high = interval(groups)
        means = [statistics.mean(group) for group in groups]
        overall = f"    {statistics.mean(means):.3f} ({low:.3f} to {high:.3f})"
        print(f"{reference:28}", *(f"{mean:8.2f}" for mean in means), overall)
    print(f"clarity's correlation with fourier's explanation: {clarity_correlation(rows, judge):.2f}")


def show_robust(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the robust activation of the recipe `fourier` divided by each other maker's: geometric means."""
    groups = {name: [row["robust"] for row in rows if row["layer"] == name] for name in layers_of(rows)}
    groups["all"] = [row["robust"] for row in rows]
    print(f"\nrobust activation: fourier's divided by each maker's\n{'maker':28}", *(f"{name:>8}" for name in groups))
    for maker in MAKERS[1:]:
        if maker in rows[0]["robust"]:
            factors = ([advantage(row["fourier"], row[maker]) for row in group] for group in groups.values())
            print(f"{maker:28}", *(f"{statistics.geometric_mean(group):8.2f}" for group in factors))


def layers_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The layers of rows, in order."""
    return list(dict.fromkeys(row["layer"] for row in rows))


def interval(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """A 95 % interval of the mean over the layers' means, by bootstrap over the channels of each layer."""
    draw = np.random.default_rng(0)
    samples = [np.asarray(group)[draw.integers(len(group), size=(RESAMPLES, len(group)))].mean(1) for group in groups]
    low, high = np.percentile(np.mean(samples, 0), (2.5, 97.5))
    return float(low), float(high)


def clarity_correlation(rows: Sequence[Mapping[str, Any]], judge: str) -> float:
    """The correlation of clarity with explanation over channels, each minus its layer's mean."""
    kept = [row for row in rows if row["clarity"][judge] is not None]
    pairs = np.array([(row["clarity"][judge], row["explanation"][judge]["fourier"]) for row in kept])
    names = [row["layer"] for row in kept]
    for name in set(names):
        rows_of_layer = [index for index, other in enumerate(names) if other == name]
        pairs[rows_of_layer] -= pairs[rows_of_layer].mean(0)
    return float(np.corrcoef(pairs.T)[0, 1]) if len(pairs) > 1 else math.nan


if __name__ == "__main__":
    main()
