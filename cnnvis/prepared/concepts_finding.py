"""Find a layer's concepts: what photos make it say, factorised in many runs, and what comes of it on all photos.

Each function here does one piece of work. No piece holds more than one photo's maps, or `MOST_CELLS` cells, at once.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load, save
from torch import Tensor

from cnnvis.analysis.factors import amounts, best_matches, consensus, weights_of
from cnnvis.analysis.histograms import histograms, mean_likeness
from cnnvis.analysis.maps import Maps, compute_maps
from cnnvis.analysis.patches import moved_inside
from cnnvis.errors import PhotoError, WeightsError
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.atlas_growing import Batch
from cnnvis.prepared.concepts import VAGUE, concept_values, spread_of
from cnnvis.prepared.shelf import Shelf
from cnnvis.prepared.shelf_indexing import HIGH, LOW, Array, LayerIndex, from_arrays, moments_of, to_arrays

log = logging.getLogger(__name__)

MOST_CELLS = 32_768  # in a run; a quarter of what half the bundled shelf has at conv4_3
SHORTEST = 0.5  # of the median cell's length: what says less than this does not count like the others
DIFFERENT = 0.5  # a direction on which the halves agree less than this is no concept
RANKS = 16
NINE, RANDOM_NINES = 9, 32  # exemplars whose likeness is coherence; as many drawn by chance to compare with
MEASURED = ("photos", "totals", "residual")  # what `measure` finds besides a layer's index


@dataclass(frozen=True)
class Piece:
    """A piece of work on some layers: plain values, so another machine can do it."""

    layers: tuple[str, ...]
    shelf: str  # its folder
    index_sha256: str  # of the shelf
    weights_sha256: str

    def only(self, layers: Sequence[str]) -> Self:
        """The same for some of the layers."""
        return replace(self, layers=tuple(layers))


@dataclass(frozen=True)
class Keep(Piece):
    """Keep what the layers say at the cells of some photos."""

    photos: tuple[int, ...]
    cells: int  # of each photo and layer, at most


@dataclass(frozen=True)
class Run(Piece):
    """Factorise what one layer says at cells kept in files."""

    files: tuple[str, ...]
    count: int
    seed: int


@dataclass(frozen=True)
class Measure(Piece):
    """Measure directions on some photos."""

    photos: tuple[int, ...]
    directions: tuple[str, ...]  # for each layer the float16 of (concepts, channels), as hexadecimal digits

    def only(self, layers: Sequence[str]) -> Self:
        """The same for some of the layers."""
        by_layer = dict(zip(self.layers, self.directions, strict=True))
        return replace(self, layers=tuple(layers), directions=tuple(by_layer[layer] for layer in layers))


@dataclass(frozen=True)
class ConceptBatch(Batch):
    """Some concepts of a layer to grow together; `channels` are their numbers."""

    directions: tuple[tuple[tuple[int, float], ...], ...]  # of each

    def target(self, net: VGG16, number: int) -> Target:
        """What one of the batch's numbers grows: that concept."""
        direction = dict(self.directions[self.channels.index(number)])
        return net.architecture.weighted_target(self.layer, direction, f"concept-{number}")


def keep_cells(piece: Keep, net: VGG16 | None = None) -> bytes:
    """What the layers say after ReLU, over the channels' spread: by layer float16 (cells of all photos, channels)."""
    kept: dict[str, list[Array]] = {layer: [] for layer in piece.layers}
    for number, maps, spread in _seen(piece, piece.photos, net):
        cells = maps.values.clamp_min(0).flatten(1).T / spread
        draw = torch.Generator("cpu").manual_seed(number)
        some = torch.randperm(len(cells), generator=draw)[: piece.cells] if len(cells) > piece.cells else slice(None)
        kept[maps.layer.name].append(cells[some].clamp_max(torch.finfo(torch.float16).max).half().numpy())
    return save({layer: np.ascontiguousarray(np.concatenate(cells)) for layer, cells in kept.items() if cells})


def factorise(piece: Run, net: VGG16 | None = None) -> bytes:
    """The weights of the factors of one run, (count, channels); the network is not needed again."""
    (layer,) = piece.layers
    maps = torch.cat(list(_drawn(piece.files, layer, piece.seed)))
    # Every cell counts alike: otherwise a few with very strong maps would decide, and each half of a shelf has its own.
    length = maps.norm(dim=1, keepdim=True)
    maps /= length.clamp_min(max(1e-9, SHORTEST * float(length.median())))
    return save({layer: weights_of(maps, piece.count, piece.seed).numpy()})


def _drawn(files: Sequence[str], layer: str, seed: int) -> Iterator[Tensor]:
    """At most `MOST_CELLS` of a layer's cells in files, in order; the same however the photos are split into files."""
    lengths = []
    for name in files:
        with safe_open(name, framework="pt") as file:
            lengths.append(file.get_slice(layer).get_shape()[0] if layer in set(file.keys()) else 0)
    total, first = sum(lengths), 0
    taken = torch.zeros(total, dtype=torch.bool, device="cpu")
    taken[torch.randperm(total, generator=torch.Generator("cpu").manual_seed(seed))[:MOST_CELLS]] = True
    for name, length in zip(files, lengths, strict=True):
        if length:
            with safe_open(name, framework="pt") as file:
                yield file.get_tensor(layer)[taken[first : first + length]].float()
        first += length


def measure(piece: Measure, net: VGG16 | None = None) -> bytes:
    """Where some photos have most and least of each concept, its moments, and its part in the layer's maps."""
    hexed = dict(zip(piece.layers, piece.directions, strict=True))
    found: dict[str, list[tuple[Any, ...]]] = {layer: [] for layer in piece.layers}
    for number, maps, spread in _seen(piece, piece.photos, net):
        directions = from_hex(hexed[maps.layer.name], len(spread))
        values = concept_values(maps.values, directions)
        largest, where = values.flatten(1).max(1)
        cells = torch.stack([where // values.shape[2], where % values.shape[2]], 1)
        scaled, weights = maps.values.clamp_min(0).flatten(1).T / spread, directions * spread
        placed = amounts(scaled, weights)
        squares = [float((scaled - placed.T @ weights).square().sum()), float(scaled.square().sum())]
        totals = (placed.sum(1) * weights.sum(1)).double().numpy()
        moments = moments_of(values.flatten(1), values.shape[1:])
        found[maps.layer.name].append((number, cells.numpy(), largest.numpy(), moments, totals, squares))
    arrays: dict[str, Array] = {}
    for layer, rows in found.items():
        if rows:
            numbers, cells_of, maxima, moments_, totals_, squares_ = (
                np.stack(part) for part in zip(*rows, strict=True)
            )
            arrays |= to_arrays(layer, LayerIndex.of(numbers, cells_of, maxima, moments_, RANKS))
            arrays |= {f"{layer}.totals": totals_.sum(0), f"{layer}.residual": squares_.sum(0)}
            arrays[f"{layer}.photos"] = np.array([len(rows)])
    return save(arrays)


def _seen(piece: Piece, photos: Sequence[int], net: VGG16 | None) -> Iterator[tuple[int, Maps, Tensor]]:
    """Each of a shelf's photos that can be read, with its maps of each layer and the channels' spread."""
    net, shelf = net or load_vgg16(), Shelf(Path(piece.shelf))
    if tensors_sha256(net) != piece.weights_sha256:
        raise WeightsError(
            "these weights differ from those the concepts were started with: point CNNVIS_WEIGHTS at the same file."
        )
    layers = [net.architecture.find(layer) for layer in piece.layers]
    for number in photos:
        try:
            photo = open_photo(shelf.path(number))
        except PhotoError as error:
            log.warning("photo %s is left out: %s", shelf.file(number), error)
            continue
        for maps in compute_maps(net, photo, layers, "network"):
            yield number, maps, spread_of(shelf, maps.layer)


def hexed(directions: Tensor) -> str:
    """Directions as a piece of work holds them."""
    return directions.half().numpy().tobytes().hex()


def from_hex(digits: str, channels: int) -> Tensor:
    """The reverse of `hexed`, (concepts, channels)."""
    return torch.from_numpy(np.frombuffer(bytes.fromhex(digits), np.float16).reshape(-1, channels).copy()).float()


@dataclass(frozen=True)
class Found:
    """What the runs of one count have in common."""

    weights: Tensor  # (concepts, channels), each of length 1
    stability: Tensor  # (concepts,), how well the halves of the shelf agree on each
    agreement: dict[str, Any]  # of the halves, in figures


def find(halves: tuple[Tensor, Tensor], count: int) -> Found:
    """Find the concepts in the runs of the two halves of a shelf, each (runs, count, channels).

    Those on which the halves do not agree at all are left out.
    """
    plain = torch.cat([best_matches(*pair)[0] for first, second in zip(*halves, strict=True)
                       for pair in ((first, second), (second, first))])  # fmt: skip
    parts = [consensus(runs, count) for runs in halves]
    both = torch.cat([best_matches(*parts)[0], best_matches(*parts[::-1])[0]])
    whole = consensus(torch.cat(halves), count)
    if not all(map(len, (*parts, whole))):
        return Found(whole[:0], whole[:0, 0], {"count": count, "concepts": 0, "stable": 0})
    first, second = (part[best_matches(whole, part)[1]] for part in parts)
    stability = (first * second).sum(1)
    kept = stability >= DIFFERENT
    agreement = {
        "count": count, "plain": float(plain.median()), "consensus": float(both.median()), "found": len(whole),
        "concepts": int(kept.sum()), "stable": int((stability >= VAGUE).sum()),
        "median": float(stability[kept].median()) if kept.any() else 0.0,
    }  # fmt: skip
    return Found(whole[kept], stability[kept], agreement)


def tables_of(
    shelf: Shelf, layer: Layer, directions: Tensor, found: Found, files: Sequence[Path]
) -> tuple[dict[str, Array], float]:
    """A layer's tables, stable concepts first, then by share; and how much of the maps' squares they explain."""
    index, photos, totals, residual = _merged(layer.name, files)
    mean, squares = (index.sums.moments / photos).T[:2]
    maxima, maxima_squares = index.sums.maxima / photos, index.sums.squares / photos
    strongest = zip(index.high.photo, index.high.cell, strict=True)
    coherence = np.array([mean_likeness(histograms(_patches(shelf, layer, *places))) for places in strongest])
    by_chance = np.mean([mean_likeness(histograms(nine)) for nine in _random_nines(shelf, layer)])
    stability = found.stability.numpy()
    tables: dict[str, Array] = {
        "share": totals / (totals.sum() or 1.0), "stability": stability, "mean": mean,
        "coherence": coherence / max(1e-9, by_chance),
        "spread": np.sqrt(np.maximum(squares - mean**2, 0)), "maxima_mean": maxima,
        "maxima_deviation": np.sqrt(np.maximum(maxima_squares - maxima**2, 0)),
    }  # fmt: skip
    order = np.lexsort((-tables["share"], stability < VAGUE))
    tables = {name: table[order].astype(np.float32) for name, table in tables.items()}
    for names, table in ((HIGH, index.high), (LOW, index.low)):
        tables |= {name: rows[order] for name, rows in zip(names, vars(table).values(), strict=True)}
    tables["directions"] = directions.half().numpy()[order]
    tables = {name: np.ascontiguousarray(table) for name, table in tables.items()}  # as a file needs them
    return tables, 1 - float(residual[0]) / max(1e-9, float(residual[1]))


def _merged(layer: str, files: Sequence[Path]) -> tuple[LayerIndex, int, Array, Array]:
    """What pieces of `measure` found, merged: the index, how many photos could be read, the totals, the residual."""
    parts = [arrays for arrays in (load(file.read_bytes()) for file in files) if arrays]
    index = from_arrays(layer, parts[0])
    for arrays in parts[1:]:
        index = index.merged(from_arrays(layer, arrays), RANKS)
    photos, totals, residual = (np.sum([arrays[f"{layer}.{name}"] for arrays in parts], 0) for name in MEASURED)
    return index, int(photos[0]), totals, residual


def _patches(shelf: Shelf, layer: Layer, photos: Array, cells: Array) -> list[Image.Image]:
    """What the first nine of some cells see of their photos, without those that cannot be read."""
    patches = []
    for photo, (row, column) in zip(photos[:NINE].tolist(), cells[:NINE].tolist(), strict=True):
        with suppress(PhotoError):
            patches.append(shelf.open(photo).crop(moved_inside(layer.field(row, column), PHOTO_SIDE)))
    return patches


def _random_nines(shelf: Shelf, layer: Layer) -> Iterator[list[Image.Image]]:
    """Patches of the same size at places drawn by chance, nine at a time from different photos."""
    draw = np.random.default_rng(0)
    for _ in range(RANDOM_NINES):
        photos = draw.permutation(len(shelf.photos))[:NINE]
        yield _patches(shelf, layer, photos, draw.integers(0, PHOTO_SIDE // layer.stride, (len(photos), 2)))
