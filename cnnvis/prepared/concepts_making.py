"""Make the concepts of deep layers over a whole photo shelf: plan the work, do what is missing, write each layer.

Concepts are a folder with LAYER.safetensors, their tables, LAYER.webp, their pictures, and LAYER.json, the record. What
a layer says at every cell is factorised (`concepts_finding`): many times, from other starts, for each half of the
shelf. What most of these runs have in common are the concepts; how well the halves agree on one is its stability.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load, save
from torch import Tensor

from cnnvis.analysis.places import direction_of
from cnnvis.errors import ConceptsError
from cnnvis.maximization.recipes import check_setting
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.prepared.atlas_growing import RECIPE, canvas_px, grow_batch, read_grown
from cnnvis.prepared.atlas_making import BATCH_CHANNELS, encoded_sheet, record_json
from cnnvis.prepared.concepts import (
    FILES,
    MOST_CONCEPTS,
    concept_layer,
    concept_layers,
    direction_in,
    index_sha256,
    spread_of,
)
from cnnvis.prepared.concepts_finding import (
    ConceptBatch,
    Found,
    Keep,
    Measure,
    Piece,
    Run,
    factorise,
    find,
    hexed,
    keep_cells,
    measure,
    tables_of,
)
from cnnvis.prepared.shelf import Shelf, shelf_of
from cnnvis.prepared.shelf_indexing import Array
from cnnvis.prepared.tiles import GAP_PX, TILE_PX, picture_px
from cnnvis.prepared.unfinished import held, is_whole, piece_file, remove_pieces, write_whole
from cnnvis.prepared.workers import check_where, run

VERSION = 1  # of the way concepts are found
COUNTS = (16, 32, MOST_CONCEPTS)  # factors of a run; the one that finds most stable concepts is kept
RUNS = 8  # of each half of the shelf, for each count
KEPT_CELLS = 524_288  # of a layer, half a gigabyte in files; of a larger shelf, fewer of each photo
PHOTOS_AT_ONCE = 16


def make_concepts(
    net: VGG16,
    layers: Sequence[str] = (),
    folder: str | Path = "concepts",
    *,
    shelf: str | Path | None = None,
    seed: int = 0,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Find the concepts of the deep convolutions `layers`, by default of all that have any, and write them to `folder`.

    They are found over the photos of a `shelf`, by default of the one in use. `progress` is called with the number of
    pieces of work done and the total. With `workers` or `scheduler` (see `workers.run`) the network is loaded there,
    and must be the same as `net`. Layers that the folder already has, of this shelf and network, are kept; after an
    interruption, run it again to resume. At one number of threads, the same shelf has the same concepts however the
    work is distributed. Returns the names of the layers.
    Raises LayerError, SettingError, ShelfError, ConceptsError, UnavailableError.
    """
    where, wanted = (check_where(workers, scheduler), scheduler), _wanted(net, layers)
    seed, target, source = check_setting("seed", seed, net.device), Path(folder), shelf_of(net, shelf)
    for layer in wanted:
        spread_of(source, layer)  # raises
    making = Making(net, source, where, seed, {}, Progress(progress))
    missing = [layer for layer in wanted if not _is_complete(target, layer, making.about)]
    making.progress.total = _total(source, missing)
    with ExitStack() as stack:
        for layer in missing:
            making.folders[layer.name] = stack.enter_context(held(target, _outputs(layer), layer.name))
        for layer, tables, found in find_concepts(making, missing):
            _write(making, layer, target, tables, found)
    return [layer.name for layer in wanted]


@dataclass
class Progress:
    """Counts pieces of work; there may turn out to be fewer than planned."""

    tell: Callable[[int, int], None] | None = None
    total: int = 0
    done: int = 0

    def add(self, pieces: int) -> None:
        """Count some more, and tell."""
        self.done = min(self.total, self.done + pieces)
        if self.tell:
            self.tell(self.done, self.total)


@dataclass(frozen=True)
class Making:
    """One call of `make_concepts`: what it makes concepts of, and where."""

    net: VGG16
    shelf: Shelf
    where: tuple[int, str | None]  # workers and scheduler
    seed: int
    folders: dict[str, Path]  # for unfinished work, by layer
    progress: Progress = field(default_factory=Progress, repr=False)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What is in every layer's record."""
        index = index_sha256(self.shelf.folder)
        shelf = {"name": self.shelf.name, "photos": len(self.shelf.photos), "sha256": index}
        return {"version": VERSION, "seed": self.seed, "weights_sha256": tensors_sha256(self.net), "shelf": shelf}

    def do(self, function: Callable[..., bytes], pieces: Sequence[Piece]) -> dict[str, list[Path]]:
        """Do those of the pieces that are missing: by layer, the files of their results, in order."""
        files = {(piece, layer): self._file(piece, layer) for piece in pieces for layer in piece.layers}
        lacking = {piece: [name for name in piece.layers if not is_whole(files[piece, name])] for piece in pieces}
        planned = {piece.only(names): piece for piece, names in lacking.items() if names}
        self.progress.add(len(pieces) - len(planned))
        work = function if any(self.where) else partial(function, net=self.net)
        for piece, content in run(work, planned, *self.where):
            arrays = load(content)
            for layer in piece.layers:
                mine = {name: array for name, array in arrays.items() if name.partition(".")[0] == layer}
                write_whole(self.folders[layer], files[planned[piece], layer], save(mine))
            self.progress.add(1)
        return {layer: [files[piece, layer] for piece in pieces if layer in piece.layers] for layer in self.folders}

    def _file(self, piece: Piece, layer: str) -> Path:
        plan = {**asdict(piece.only([layer])), "work": type(piece).__name__, "version": VERSION}
        files = [Path(file).name for file in plan.pop("files", ())]
        del plan["shelf"]  # which may be moved, and the unfinished work with it
        return piece_file(self.folders[layer], {**plan, "files": files})


def find_concepts(making: Making, layers: Sequence[Layer]) -> Iterator[tuple[Layer, dict[str, Array], dict[str, Any]]]:
    """Find the concepts of layers, of all of them step by step: each layer's tables, and how they were found."""
    if not layers:
        return
    names = tuple(layer.name for layer in layers)
    plain = names, str(making.shelf.folder.absolute()), making.about["shelf"]["sha256"], tensors_sha256(making.net)
    photos = len(making.shelf.photos)
    halves = [_parts(range(half, photos, 2), PHOTOS_AT_ONCE) for half in (0, 1)]
    kept = making.do(keep_cells, [Keep(*plain, part, -(-KEPT_CELLS // photos)) for half in halves for part in half])
    runs = [
        Run((name,), *plain[1:], tuple(map(str, files)), count, 1000 * making.seed + RUNS * half + number)
        for name in names for count in COUNTS for half, files in enumerate(_split(kept[name], len(halves[0])))
        for number in range(RUNS)
    ]  # fmt: skip
    factors = making.do(factorise, runs)
    found = {layer.name: _found(layer, factors[layer.name]) for layer in layers}
    spreads = {layer.name: spread_of(making.shelf, layer) for layer in layers}
    directions = {name: _directions(found[name][0], spreads[name]) for name in names}
    digits = tuple(hexed(directions[name]) for name in names)
    measured = making.do(measure, [Measure(*plain, part, digits) for part in _parts(range(photos), PHOTOS_AT_ONCE)])
    for layer in layers:
        best, agreements = found[layer.name]
        tables, explained = tables_of(making.shelf, layer, directions[layer.name], best, measured[layer.name])
        yield layer, tables, {"agreement": agreements, "explained": explained}


def _wanted(net: VGG16, layers: Sequence[str]) -> list[Layer]:
    """The convolutions called `layers`, in the network's order; all that have concepts if none is named."""
    having = concept_layers(architecture_of(net))
    asked = [concept_layer(net.architecture, name) for name in ([layers] if isinstance(layers, str) else layers)]
    return [layer for layer in having if layer in (asked or having)]


def _outputs(layer: Layer) -> tuple[str, ...]:
    """A layer's files, the record first."""
    return tuple(f"{layer.name}.{suffix}" for suffix in reversed(FILES))


def _is_complete(target: Path, layer: Layer, about: Mapping[str, Any]) -> bool:
    """Whether the folder already has this layer as it would be made now."""
    try:
        record = json.loads((target / f"{layer.name}.json").read_text(encoding="utf-8"))
        return all((target / name).exists() for name in _outputs(layer)) and about.items() <= record.items()
    except (OSError, ValueError, AttributeError):
        return False


def _total(shelf: Shelf, layers: Sequence[Layer]) -> int:
    """How many pieces of work there are at most."""
    chunks, batches = -(-len(shelf.photos) // PHOTOS_AT_ONCE), -(-max(COUNTS) // BATCH_CHANNELS)
    return 2 * chunks + 1 + len(layers) * (2 * RUNS * len(COUNTS) + batches)


def _parts(numbers: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Numbers in parts of at most `size`."""
    return [tuple(numbers[first : first + size]) for first in range(0, len(numbers), size)]


def _split(files: Sequence[Path], first: int) -> tuple[Sequence[Path], Sequence[Path]]:
    return files[:first], files[first:]


def _found(layer: Layer, files: Sequence[Path]) -> tuple[Found, list[dict[str, Any]]]:
    """The concepts of the count of factors that finds most stable ones, and how well the halves agree for each count.

    Raises ConceptsError if there is none.
    """
    weights = [torch.from_numpy(load(file.read_bytes())[layer.name]) for file in files]
    every = []
    for position, count in enumerate(COUNTS):
        mine = weights[2 * RUNS * position : 2 * RUNS * (position + 1)]
        every.append(find((torch.stack(mine[:RUNS]), torch.stack(mine[RUNS:])), count))
    best = max(every, key=lambda found: found.agreement["stable"])  # of equal ones, the fewest factors
    if not len(best.weights):
        best = max(every, key=lambda found: len(found.weights))
    if not len(best.weights):
        raise ConceptsError(f"the halves of the shelf have no concept of {layer.name} in common: take more photos.")
    return best, [found.agreement for found in every]


def _directions(found: Found, spread: Tensor) -> Tensor:
    """The directions, (concepts, channels), of concepts: the largest weights over the spread, rounded as in a file."""
    directions = torch.zeros_like(found.weights)
    for row, weights in zip(directions, found.weights, strict=True):
        kept = direction_of(weights, spread)
        row[list(kept)] = row.new_tensor(list(kept.values()))
    return directions.half().float()


def _write(making: Making, layer: Layer, target: Path, tables: Mapping[str, Array], found: Mapping[str, Any]) -> None:
    """Grow the pictures of a layer's concepts and write its files, the record last: it says that all are there."""
    parts = [read_grown(str(file)) for file in _grown(making, layer, tables["directions"])]
    columns, webp = encoded_sheet([part.tiles for part in parts])
    tiles = [{"concept": tile.pop("channel"), **tile} for part in parts for tile in part.records]
    side = picture_px(layer)
    record = {
        "layer": layer.name, **making.about, "columns": columns, "cell": TILE_PX + GAP_PX, "gap": GAP_PX,
        "picture": side, "scale": TILE_PX / side, "recipe": RECIPE, "settings": parts[0].settings,
        "build": parts[0].build, **found, "tiles": tiles,
    }  # fmt: skip
    contents = {"safetensors": save(dict(tables)), "webp": webp, "json": record_json(record)}
    for suffix in FILES:
        write_whole(making.folders[layer.name], target / f"{layer.name}.{suffix}", contents[suffix])
    remove_pieces(making.folders[layer.name])


def _grown(making: Making, layer: Layer, directions: Array) -> list[Path]:
    """The files with the pictures of concepts, grown in batches."""
    plain = [tuple(direction_in(row).items()) for row in directions]
    batches = [
        ConceptBatch(layer.name, number, part, making.seed, canvas_px(layer), str(making.net.device),
                     tensors_sha256(making.net), tuple(plain[concept] for concept in part))
        for number, part in enumerate(_parts(range(len(plain)), BATCH_CHANNELS))
    ]  # fmt: skip
    files = {batch: piece_file(making.folders[layer.name], asdict(batch)) for batch in batches}
    missing = [batch for batch in batches if not is_whole(files[batch])]
    making.progress.add(-(-max(COUNTS) // BATCH_CHANNELS) - len(missing))
    work = grow_batch if any(making.where) else partial(grow_batch, net=making.net)
    for batch, content in run(work, missing, *making.where):
        write_whole(making.folders[layer.name], files[batch], content)
        making.progress.add(1)
    return list(files.values())
