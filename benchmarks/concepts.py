"""Measure whether concepts are easier to tell from their photos and pictures than channels are.

    python -m benchmarks.concepts [--concepts 40] [--layers conv5_1 …] [--workers 2] [--folder FOLDER] [--json FILE]

Concepts are found over the bundled shelf's photos with even numbers alone, never the bundled concepts; so are their
nine photos. Of two patches from photos with odd numbers, one has much of a concept, the other hardly any: which one is
more like the reference, nine photos or the grown picture? As many channels, and as many random directions with the
concepts' own weights on other channels, answer the same question. Guessing gives 0.5. With --json, what the file
already holds is not measured again; what is made of the even photos is kept in --folder. benchmarks/README.md has the
results.
"""

import math
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.explains import QUERIES, RESAMPLES, reported
from benchmarks.judges import JUDGES, crops, decided
from benchmarks.places import interval
from benchmarks.report import machine, parser_of, read, write
from cnnvis import load_vgg16, make_shelf, maximize
from cnnvis.analysis.maps import compute_maps
from cnnvis.analysis.patches import moved_inside
from cnnvis.network.architecture import Direction, Layer
from cnnvis.network.usual import SHELF
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.concepts import direction_in, spread_of
from cnnvis.prepared.concepts_making import Making, find_concepts
from cnnvis.prepared.shelf import Shelf
from cnnvis.prepared.shelf_indexing import Array

LAYERS = ("conv5_1", "conv5_3", "conv4_3", "conv5_2")
KINDS = ("concepts", "channels", "random directions")
REFERENCES = ("9 photos", "picture")
NINE = 9


def main() -> None:
    """Measure direction by direction, write each as it comes, and print the tables."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--concepts", type=int, default=40, help="of each layer, drawn by the seed; as many of the rest"
    )
    parser.add_argument("--layers", nargs="+", default=list(LAYERS[:2]), choices=list(LAYERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes that make the concepts")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cnnvis-even-concepts")
    options = parser.parse_args()
    net = load_vgg16("cpu")
    report = read(options.json) or {"machine": machine(net), "seed": options.seed, "rows": []}
    made = concepts_of_even(net, options.layers, options.folder, options.workers)
    rows = {(row["layer"], row["kind"], row["number"]): row for row in report["rows"]}
    for name in options.layers:
        layer = net.architecture.find(name)
        even, odd = (Seen(net, layer, range(first, len(Shelf(SHELF).photos), 2)) for first in (0, 1))
        for kind, number, direction in drawn(made, layer, options.concepts, options.seed):
            if (name, kind, number) in rows:
                continue
            case = Case(net, layer, direction, even, odd, signed=kind == "channels")
            row = {"layer": name, "kind": kind, "number": number, "explanation": case.measured()}
            rows[name, kind, number] = row
            report["rows"].append(row)
            print(name, kind, number, row["explanation"]["alexnet"], flush=True)
            write(options.json, report)
    for judge in JUDGES:
        show(report["rows"], judge)


@dataclass(frozen=True)
class Made:
    """Concepts found over some photos only."""

    shelf: Shelf
    directions: Mapping[str, Array]  # by layer, (concepts, channels)


def concepts_of_even(net: VGG16, layers: Sequence[str], folder: Path, workers: int) -> Made:
    """The concepts of the bundled shelf's photos with even numbers; what the folder already has is kept."""
    bundled, photos = Shelf(SHELF), folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for number in range(0, len(bundled.photos), 2):
        link = photos / f"{number:04}{bundled.path(number).suffix}"
        if not link.exists():
            link.symlink_to(bundled.path(number))
    if not (folder / "shelf" / "shelf.json").exists():
        make_shelf(net, photos, folder / "shelf", workers=workers)
    shelf = Shelf(folder / "shelf")
    making = Making(net, shelf, (workers, None), 0, {name: folder / name for name in layers})
    for unfinished in making.folders.values():
        unfinished.mkdir(exist_ok=True)
    found = find_concepts(making, [net.architecture.find(name) for name in layers])
    return Made(shelf, {layer.name: tables["directions"] for layer, tables, _ in found})


def drawn(made: Made, layer: Layer, count: int, seed: int) -> list[tuple[str, int, Direction]]:
    """The kind, number and direction of everything that is measured in a layer."""
    every = [direction_in(row) for row in made.directions[layer.name]]
    chosen = random.Random(f"{seed} {layer.name}").sample(range(len(every)), min(count, len(every)))
    spread = spread_of(made.shelf, layer)
    listed: list[tuple[str, int, Direction]] = [("concepts", number, every[number]) for number in chosen]
    listed += [("channels", channel, {channel: 1.0}) for channel in reported(layer, len(chosen), seed)]
    for number in chosen:
        channels = random.Random(f"{seed} {layer.name} {number}").sample(range(layer.channels), len(every[number]))
        weights = [weight * float(spread[channel]) for channel, weight in every[number].items()]
        scaled = [weight / float(spread[channel]) for channel, weight in zip(channels, weights, strict=True)]
        other = {channel: weight / max(scaled) for channel, weight in zip(channels, scaled, strict=True)}
        listed.append(("random directions", number, other))
    return listed


class Seen:
    """Some of the bundled shelf's photos, and a layer's maps of them before ReLU."""

    def __init__(self, net: VGG16, layer: Layer, numbers: Sequence[int]) -> None:
        self.layer, self.paths = layer, [Shelf(SHELF).path(number) for number in numbers]
        self.photos: list[Image.Image] = []
        maps: list[Tensor] = []
        for path in self.paths:
            seen = compute_maps(net, open_photo(path), [layer], "network")[0]
            self.photos.append(seen.photo)
            maps.append(seen.values.half())
        self.maps = torch.stack(maps)  # (photos, channels, rows, columns)

    def patches(self, direction: Direction, count: int, signed: bool, largest: bool = True) -> list[Image.Image]:
        """What the strongest cells of the photos with most, or with least, of a direction see, one a photo.

        Its value is the weighted sum of the maps after ReLU; if `signed`, before it, as for a channel.
        """
        maps = self.maps[:, list(direction)].float()
        weights = torch.tensor(list(direction.values()))[:, None, None]
        values = ((maps if signed else maps.clamp_min(0)) * weights).sum(1).flatten(1)
        maxima, cells = values.max(1)
        chosen = maxima.argsort(descending=largest, stable=True)[:count].tolist()
        patches = []
        for photo in chosen:
            row, column = divmod(int(cells[photo]), self.maps.shape[3])
            patches.append(self.photos[photo].crop(moved_inside(self.layer.field(row, column), PHOTO_SIDE)))
        return patches


@dataclass(frozen=True)
class Case:
    """One direction, and what references to it are made of."""

    net: VGG16
    layer: Layer
    direction: Direction
    even: Seen
    odd: Seen
    signed: bool

    @cached_property
    def references(self) -> dict[str, list[Image.Image]]:
        """The pieces of each reference."""
        *_, last = maximize(self.net, self.layer.name, self.direction, every=math.inf)
        return {
            "9 photos": self.even.patches(self.direction, NINE, self.signed),
            "picture": crops(last.picture, self.layer.receptive_field),
        }

    def measured(self) -> dict[str, dict[str, float]]:
        """By judge and reference, the share of the pairs of patches that are decided rightly."""
        queries = [self.odd.patches(self.direction, QUERIES, self.signed, largest) for largest in (True, False)]
        found: dict[str, dict[str, float]] = {}
        for judge, features in JUDGES.items():
            high, low = map(features, queries)
            found[judge] = {name: decided(features(self.references[name]), high, low) for name in REFERENCES}
        return found


def show(rows: Sequence[Mapping[str, Any]], judge: str) -> None:
    """Print one judge's table: a row for each kind, a column for each layer and reference, and the advantage."""
    columns = [(name, reference) for name in dict.fromkeys(row["layer"] for row in rows) for reference in REFERENCES]
    print(f"\nexplanation as judged by {judge} (0.5 is guessing; 95 % by bootstrap)")
    print(f"{'':26}", *(f"{name + ' ' + reference:>24}" for name, reference in columns))
    for kind in KINDS:
        cells = ["{:.3f} ({:.2f} to {:.2f})".format(*interval(values_of(rows, judge, kind, *at))) for at in columns]
        print(f"{kind:26}", *(f"{cell:>24}" for cell in cells))
    for kind in KINDS[1:]:
        gains = [advantage(*(values_of(rows, judge, which, *at) for which in (KINDS[0], kind))) for at in columns]
        cells = ["{:+.3f} ({:+.2f} to {:+.2f})".format(*gain) for gain in gains]
        print(f"{'over ' + kind:26}", *(f"{cell:>24}" for cell in cells))


def values_of(rows: Sequence[Mapping[str, Any]], judge: str, kind: str, layer: str, reference: str) -> list[float]:
    """The explanations of one kind's directions in a layer."""
    mine = (row for row in rows if (row["layer"], row["kind"]) == (layer, kind))
    return [row["explanation"][judge][reference] for row in mine]


def advantage(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """By how much one mean is above another, and its 95 % interval by bootstrap of both."""
    draw = np.random.default_rng(0)
    means = [
        np.asarray(values)[draw.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
        for values in (first, second)
    ]
    low, high = np.percentile(means[0] - means[1], (2.5, 97.5))
    return float(np.mean(first) - np.mean(second)), float(low), float(high)


if __name__ == "__main__":
    main()
