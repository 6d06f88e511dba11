"""The concepts of a deep layer: directions found over a whole photo shelf, each with a picture and its exemplars.

In deep layers a single channel is often not the unit: a direction of several is easier to interpret (Colin et al.,
"Local vs distributed representations: What is the right basis for interpretability?", arXiv 2411.03993). Each layer
has LAYER.safetensors, LAYER.webp and LAYER.json in the folder of the concepts; `concepts_making` makes them.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load
from torch import Tensor

from cnnvis.analysis.groups import Member
from cnnvis.analysis.maps import compute_maps
from cnnvis.analysis.places import least_spread
from cnnvis.checks import whole_between
from cnnvis.errors import ConceptsError, LayerError, ShelfError
from cnnvis.network.architecture import Architecture, Layer, Target, text_keys
from cnnvis.network.usual import CONCEPTS, concepts_folder, shelf_folder, tensors_sha256
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import Pictured
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.prepared.atlas import decoded
from cnnvis.prepared.shelf import BUNDLED as BUNDLED_SHELF
from cnnvis.prepared.shelf import RECORD, Exemplar, Shelf, shelf_of, state_of
from cnnvis.prepared.shelf_indexing import HIGH, LOW, Array
from cnnvis.version import __version__

BUNDLED = CONCEPTS
VAGUE = 0.7  # below this stability
NAMED = 12  # channels of a concept in its record
MOST_CONCEPTS = 64  # of a layer
FILES = ("safetensors", "webp", "json")


@dataclass(frozen=True)
class Concept:
    """A direction of a layer that many photos share; its value at a cell is the weighted sum of maps after ReLU."""

    concept: int  # its number in the layer, from 0
    share: float  # of what all the layer's concepts together make of its maps on the shelf, 0 to 1
    coherence: float  # how alike its nine strongest patches look, over nine drawn by chance; 1: no more than those
    stability: float  # cosine between what one half of the shelf makes of it and what the other half does, 0 to 1
    mean: float  # of its value over all cells of the shelf's photos
    spread: float  # the standard deviation of the same
    channels: list[Member]  # the largest weight first, in their spreads on the shelf
    direction: dict[int, float] = field(repr=False)  # weights by channel; the largest is 1
    exemplars: list[Exemplar] = field(repr=False)  # where it is strongest, at most one a photo
    lows: list[Exemplar] = field(repr=False)  # the photos that have least of it, each where they have most

    @property
    def vague(self) -> bool:
        """Whether the other half of the shelf hardly has it."""
        return self.stability < VAGUE

    def record(self) -> dict[str, Any]:
        """Everything but the lows, as plain values; of its channels, the leading ones."""
        plain = {name: value for name, value in asdict(self).items() if name != "lows"}
        plain["channels"] = plain["channels"][:NAMED]
        return {**plain, "vague": self.vague, "direction": text_keys(self.direction)}


@dataclass(frozen=True, repr=False, eq=False)
class Concepts(Pictured):
    """The concepts of a layer, the largest share first, vague ones last; tile i of the picture is concept i's."""

    picture: Image.Image
    layer: str
    shelf: Shelf  # that they were found in
    columns: int
    cell: int  # px from one tile to the next, including the gap
    gap: int
    picture_px: int  # how many px of a grown picture a tile shows; called `picture` in the record
    scale: float  # px of a tile per px of the grown picture
    made: dict[str, Any] = field(repr=False)  # how: recipe, settings, build, stability by count, and each picture's
    concepts: list[Concept] = field(repr=False)
    index: dict[str, Array] = field(repr=False)  # tables of all, as of channels in a shelf's index

    def record(self, some: Sequence[Concept] | None = None) -> dict[str, Any]:
        """Everything but the sheet, as plain values, of all concepts or of some; `picture`: the px of a tile."""
        about = {"layer": self.layer, "shelf": self.shelf.name, "photos": len(self.shelf.photos)}
        return {
            "picture": self.picture_px,
            **about,
            **{name: getattr(self, name) for name in ("columns", "cell", "gap", "scale")},
            "concepts": [concept.record() for concept in (self.concepts if some is None else some)],
            "cnnvis": __version__,
        }

    def __getitem__(self, number: object) -> Concept:
        """One concept. Raises SettingError."""
        return self.concepts[self.number(number)]

    def target(self, number: int, layer: Layer) -> Target:
        """What an ascent maximises for one concept."""
        return Target(layer, self.concepts[number].direction, f"concept-{number}")

    def named(self, number: int) -> str:
        """A concept in words."""
        return f"concept {number} of {self.layer}"

    def number(self, value: object) -> int:
        """Read `value` as the number of one of these concepts. Raises SettingError."""
        return whole_between("concept", value, 0, len(self.concepts) - 1)

    def tile(self, number: int) -> Image.Image:
        """The picture of one concept."""
        left, top = number % self.columns * self.cell, number // self.columns * self.cell
        side = self.cell - self.gap
        return self.picture.crop((left, top, left + side, top + side))

    def with_channel(self, channel: int) -> list[tuple[int, float]]:
        """The concepts that a channel takes part in, with its weight in each, the largest weight first."""
        every = ((concept.concept, member) for concept in self.concepts for member in concept.channels)
        found = [(concept, member.weight) for concept, member in every if member.channel == channel]
        return sorted(found, key=lambda pair: -pair[1])

    def values(self, net: VGG16, photo: Photo) -> Tensor:
        """The value of every concept at every cell of a photo, (concepts, rows, columns). Raises PhotoError."""
        layer = net.architecture.find(self.layer)
        return self.values_of(compute_maps(net, open_photo(photo), [layer], "network")[0].values)

    def values_of(self, maps: Tensor) -> Tensor:
        """The same from the layer's maps before ReLU, (channels, rows, columns)."""
        return concept_values(maps, torch.from_numpy(self.index["directions"]).to(maps))


def concept_values(maps: Tensor, directions: Tensor) -> Tensor:
    """The values, (concepts, rows, columns), of directions (concepts, channels) on maps before ReLU."""
    return torch.einsum("kc,chw->khw", directions, maps.clamp_min(0))


def concepts(layer: str, folder: str | Path | None = None) -> Concepts:
    """Show the concepts of a deep layer: what many of its channels say together, found over the whole photo shelf.

    Of VGG16: conv4_3, conv5_1, conv5_2 and conv5_3. `folder` is one that `make_concepts` filled; by default the one
    named by CNNVIS_CONCEPTS, or else the bundled one. Raises LayerError, ConceptsError.
    """
    net = load_vgg16()
    return read_concepts(net, concept_layer(net.architecture, layer), folder)


def concept_layers(architecture: Architecture) -> list[Layer]:
    """The convolutions that have concepts: the last one of the fourth block, and all of the fifth."""
    names = [layer for layer in architecture.layers if layer.kind == "conv"]
    return [layer for layer, after in zip(names, [*names[1:], None], strict=True) if after is None or after.block == 5]


def concept_layer(architecture: Architecture, name: str) -> Layer:
    """Find a convolution that has concepts. Raises LayerError."""
    layer, having = architecture.find(name, "conv"), concept_layers(architecture)
    if layer not in having:
        names = ", ".join(other.name for other in having)
        raise LayerError(f"layer {layer.name!r} has no concepts, its channels are the units: choose one of {names}.")
    return layer


def read_concepts(net: VGG16, layer: Layer, folder: str | Path | None = None) -> Concepts:
    """`concepts` of a network's layer already looked up. Raises ConceptsError, also if they belong to another."""
    path = Path(folder) if folder else concepts_folder()
    return _concepts(net, layer, path, (state_of(path / f"{layer.name}.json"), state_of(shelf_folder() / RECORD)))


@lru_cache(maxsize=8)
def _concepts(net: VGG16, layer: Layer, folder: Path, _: object) -> Concepts:
    """One result for each state of the files, so what is kept by it is not kept after a new making."""
    architecture_of(net)  # raises
    try:
        tables, webp, record = ((folder / f"{layer.name}.{suffix}").read_bytes() for suffix in FILES)
    except OSError as error:
        raise ConceptsError(f"there are no concepts of {layer.name}: {_way_out(layer)}.") from error
    try:
        about, arrays, picture = json.loads(record), load(tables), decoded(webp)
        weights, found_in = about.pop("weights_sha256"), about.pop("shelf")
        sheet = {name: about.pop(name) for name in ("columns", "cell", "gap", "scale")}
        picture_px, count = about.pop("picture"), len(arrays["directions"])
        name, index = (found_in[name] for name in ("name", "sha256"))
    except Exception as error:  # a damaged picture or record can raise almost anything
        raise ConceptsError(f"the concepts of {layer.name} are damaged: {_way_out(layer)}.") from error
    if weights != tensors_sha256(net):
        raise ConceptsError(f"the concepts of {layer.name} were made with different weights: {_way_out(layer)}.")
    shelf = _shelf_with(net, index)
    if shelf is None:
        way = f"set CNNVIS_SHELF to it, or {_way_out(layer)}"
        raise ConceptsError(f"the concepts of {layer.name} were found in another photo shelf, {name!r}: {way}.")
    table = {**arrays, "mean": arrays["maxima_mean"], "deviation": arrays["maxima_deviation"]}
    made = [_concept(shelf, layer, arrays, table, number) for number in range(count)]
    return Concepts(picture, layer.name, shelf, picture_px=picture_px, made=about, concepts=made, index=table, **sheet)


def _concept(shelf: Shelf, layer: Layer, arrays: dict[str, Array], table: dict[str, Array], number: int) -> Concept:
    """One concept from the tables of its layer; in `table`, mean and deviation are of its maxima."""
    direction = direction_in(arrays["directions"][number])
    in_spreads = torch.from_numpy(arrays["directions"][number]).float() * spread_of(shelf, layer)
    ordered = in_spreads.argsort(descending=True, stable=True)[: len(direction)].tolist()
    measures = {name: float(arrays[name][number]) for name in ("share", "coherence", "stability", "mean", "spread")}
    channels = [Member(channel, float(in_spreads[channel] / in_spreads.max())) for channel in ordered]
    return Concept(
        number, **measures, channels=channels,
        direction=direction,
        exemplars=shelf.ranked(layer, table, number, HIGH), lows=shelf.ranked(layer, table, number, LOW),
    )  # fmt: skip


def direction_in(weights: Array) -> dict[int, float]:
    """A direction by channel, the largest weight first, from a row of weights, (channels,)."""
    order = np.argsort(-weights, kind="stable")[: int((weights > 0).sum())]
    return {int(channel): float(weights[channel]) for channel in order}


def spread_of(shelf: Shelf, layer: Layer) -> Tensor:
    """The spread of every channel of a layer on a shelf, (channels,), none of them next to nothing."""
    index = shelf.layer(layer)
    if "spread" not in index:
        raise ShelfError.no_spread(exists=True)
    spread = torch.from_numpy(index["spread"]).float()
    return spread.clamp_min(least_spread(spread))


def _shelf_with(net: VGG16, index: str) -> Shelf | None:
    """The shelf whose index has this sha256: the one in use, or the bundled one."""
    for folder in dict.fromkeys((shelf_folder(), BUNDLED_SHELF)):
        try:
            if index_sha256(folder) == index:
                return shelf_of(net, folder)
        except (OSError, ShelfError):
            continue
    return None


def index_sha256(folder: Path) -> str:
    """The sha256 of a shelf's index, which tells the shelf from every other. Raises OSError."""
    return sha256((folder / "index.safetensors").read_bytes()).hexdigest()


def _way_out(layer: Layer) -> str:
    return f"make them with `concepts make --layers {layer.name}`"
