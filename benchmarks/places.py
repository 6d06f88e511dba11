"""Measure whether a picture of a place tells a judge that is not VGG16 which patch it was grown from.

    python -m benchmarks.places [--photos 100] [--layers conv5_1 …] [--tune] [--json FILE]

A place is drawn in each photo, among those whose leading channel is further above the usual than the photo's median.
Of two patches, one is the place's own, the other another photo's, or another place of the same photo at least a field
away. Which one is more like the reference? Guessing gives 0.5. Statistics and references come from the bundled shelf's
photos with even numbers, places from those with odd numbers; with --tune, places too come from even ones. With --json,
what the file already holds is not measured again. benchmarks/README.md has the results.
"""

import copy
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.explains import RESAMPLES
from benchmarks.halves import Part, part
from benchmarks.judges import JUDGES, crops, decided
from benchmarks.report import machine, parser_of, read, write
from cnnvis import Dictionary, atlas_sheet, load_vgg16, maximize
from cnnvis.analysis.places import Places, look_up, places_of
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import SHELF
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.shelf import Shelf

LAYERS = ("conv5_1", "conv4_3", "conv3_3", "conv5_3")
WITHIN = ("conv3_3", "conv4_3")  # whose fields are small enough for two places of one photo
OTHER, SAME = "another photo", "the same photo"


def main() -> None:
    """Measure place by place, write each as it comes, and print the tables."""
    parser = parser_of(__doc__)
    parser.add_argument("--photos", type=int, default=100, help="how many, drawn by the seed")
    parser.add_argument("--layers", nargs="+", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--size", type=int, help="of the pictures' canvas in px (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tune", action="store_true", help="draw places in the photos with even numbers")
    options = parser.parse_args()
    net = load_vgg16("cpu")
    report = read(options.json) or {"machine": machine(net), "size": options.size, "rows": []}
    shelf, settings = Shelf(SHELF), {} if options.size is None else {"size": options.size}
    even = part(net, range(0, len(shelf.photos), 2))
    usual = with_usual(net, even)
    numbers = range(0 if options.tune else 1, len(shelf.photos), 2)
    drawn = random.Random(f"{options.seed}").sample(numbers, len(numbers))[: options.photos]
    rows = {(row["layer"], row["photo"]): row for row in report["rows"]}
    for name in options.layers:
        layer = net.architecture.find(name)
        cases = [Case(usual, shelf, even, layer, number, options.seed, settings) for number in drawn]
        seen = {judge: features([case.patch for case in cases]) for judge, features in JUDGES.items()}
        for position, case in enumerate(cases):
            if (name, case.photo) not in rows:
                rows[name, case.photo] = case.measured(seen, position)
                report["rows"].append(rows[name, case.photo])
                print(name, case.photo, rows[name, case.photo]["decided"]["alexnet"], flush=True)
                write(options.json, report)
    for judge in JUDGES:
        show(report["rows"], judge)


def with_usual(net: VGG16, photos: Part) -> VGG16:
    """The same network with what is usual for it on some photos only."""
    tables: dict[str, dict[str, Tensor]] = {}
    for layer, index in photos.index.items():
        mean, squares, border, border_squares = (torch.from_numpy(index.sums.moments) / len(photos.files)).T
        spread, border_spread = ((s - m**2).clamp_min(0).sqrt() for s, m in ((squares, mean), (border_squares, border)))
        own = {"mean_activation": mean, "spread": spread, "border": border, "border_spread": border_spread}
        for name, table in own.items():
            tables.setdefault(name, {})[layer] = table.float()
    other = copy.copy(net)
    for name, by_layer in tables.items():
        setattr(other, name, by_layer)
    return other


@dataclass(frozen=True)
class Case:
    """A place drawn in one photo, and what references to it are made of."""

    net: VGG16
    shelf: Shelf
    even: Part
    layer: Layer
    photo: int
    seed: int
    settings: Mapping[str, Any]

    @cached_property
    def places(self) -> Places:
        """How the layer responds to the photo."""
        return places_of(self.net, self.shelf.path(self.photo), self.layer)

    @cached_property
    def _drawn(self) -> list[tuple[int, int]]:
        """All places of the photo whose leading channel is further above the usual than the median, shuffled."""
        leading = self.places.leading[0]
        unusual = (leading > leading.median()).nonzero().tolist()
        random.Random(f"{self.seed} {self.layer.name} {self.photo}").shuffle(unusual)
        return [(row, column) for row, column in unusual]

    @cached_property
    def place(self) -> Dictionary:
        """The place that was drawn."""
        return look_up(self.places, *self._drawn[0], 1)

    @cached_property
    def patch(self) -> Image.Image:
        """What its cells see."""
        return self._patch_at(*self._drawn[0])

    def elsewhere(self) -> Image.Image | None:
        """The same of another place of the photo, at least a field away; None if there is none."""
        (row, column), step = self._drawn[0], self.places.side * self.layer.stride
        far = -(-self.layer.receptive_field // step)
        others = (place for place in self._drawn if max(abs(place[0] - row), abs(place[1] - column)) >= far)
        other = next(others, None)
        return None if other is None else self._patch_at(*other)

    def _patch_at(self, row: int, column: int) -> Image.Image:
        left, top, right, bottom = look_up(self.places, row, column, 1).field
        return self.places.photo.crop((left, top, right, bottom))

    @property
    def channel(self) -> int:
        """The leading channel."""
        return self.place.channels[0].channel

    def grown(self, channel: Any, colour: str = "") -> list[Image.Image]:
        """The crops of a picture grown for a channel or a direction."""
        *_, last = maximize(self.net, self.layer.name, channel, every=math.inf, colour=colour, **self.settings)
        return crops(last.picture, self.patch.width)

    def best_photo(self) -> list[Image.Image]:
        """The patch of the photo, of those with even numbers and never the place's own, that excites it most."""
        numbers = self.even.index[self.layer.name].high.photo[self.channel]
        own = self.photo // 2 if self.photo % 2 == 0 else -1
        rank = int(numbers[0] == own)
        return self.even.strongest(self.layer, self.channel, rank + 1)[rank:]

    def tile(self) -> list[Image.Image]:
        """The mosaic's tile of the place, at the scale of the patches."""
        sheet = atlas_sheet(self.layer.name)
        tile = sheet.tile(self.channel).resize((sheet.picture_px,) * 2, Image.Resampling.BICUBIC)
        return crops(tile, self.patch.width)

    def measured(self, seen: Mapping[str, Tensor], position: int) -> dict[str, Any]:
        """The row of the place; `seen` are the features of all places' patches, by judge, with this one at `position`.

        Instead of one other photo, every other one is the distractor once: the mean is the same, with less noise.
        """
        other = self.elsewhere() if self.layer.name in WITHIN else None
        found: dict[str, Any] = {judge: {} for judge in JUDGES}
        for name, make in REFERENCES.items():
            shown = make(self)
            for judge, features in JUDGES.items():
                reference, own = features(shown), seen[judge][position : position + 1]
                others = torch.cat([seen[judge][:position], seen[judge][position + 1 :]])
                decisions = {OTHER: decided(reference, own, others)}
                if other is not None:
                    decisions[SAME] = decided(reference, own, features([other]))
                found[judge][name] = decisions
        about = {"layer": self.layer.name, "photo": self.photo, "row": self.place.row, "column": self.place.column}
        return {**about, "channel": self.channel, "above": self.place.channels[0].above, "decided": found}


REFERENCES: Mapping[str, Callable[[Case], list[Image.Image]]] = {
    "a place": lambda case: case.grown(case.place.direction, case.place.colour),
    "its strongest channel": lambda case: case.grown(case.channel),
    "its best photo": Case.best_photo,
    "the mosaic's tile": Case.tile,
}


def show(rows: Sequence[Mapping[str, Any]], judge: str) -> None:
    """Print one judge's table: a row for each reference, a column for each layer and kind of distractor."""
    names = dict.fromkeys(row["layer"] for row in rows)
    kinds = [(name, kind) for name in names for kind in (OTHER, *((SAME,) if name in WITHIN else ()))]
    print(f"\nthe place's own patch chosen, by {judge} (0.5 is guessing; 95 % by bootstrap over photos)")
    print(f"{'reference':22}", *(f"{name + (' within' if kind == SAME else ''):>22}" for name, kind in kinds))
    for reference in REFERENCES:
        cells = []
        for name, kind in kinds:
            decisions = [row["decided"][judge][reference].get(kind) for row in rows if row["layer"] == name]
            mean, low, high = interval([value for value in decisions if value is not None])
            cells.append(f"{mean:.3f} ({low:.2f} to {high:.2f})")
        print(f"{reference:22}", *(f"{cell:>22}" for cell in cells))


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and its 95 % interval by bootstrap."""
    array = np.array(values)
    means = array[np.random.default_rng(0).integers(len(array), size=(RESAMPLES, len(array)))].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(array.mean()), float(low), float(high)


if __name__ == "__main__":
    main()
