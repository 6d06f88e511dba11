"""Make a shelf from a folder of photos: plan the chunks, index those that are missing, merge them all.

A shelf is a folder: `shelf.json`, `photos.json`, `index.safetensors`, and `maxima.safetensors` for up to 5,000 photos.
Until it is complete, its chunks lie in a folder for unfinished work. They outlast a change of the photos: what is new
is indexed, and only chunks of which a photo is gone or changed are indexed again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from cnnvis.checks import whole_between
from cnnvis.errors import PhotoError, SettingError
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.pictures.folders import photos_in, shown
from cnnvis.prepared.shelf_indexing import (
    HIGH,
    LOW,
    PRECISIONS,
    VERSION,
    Array,
    Chunk,
    LayerIndex,
    convolutions,
    from_arrays,
    index_chunk,
    read_chunk,
)
from cnnvis.prepared.shelf_resuming import Placed, Today, placed, usable_chunks
from cnnvis.prepared.unfinished import held, piece_file, pieces, remove_pieces, write_whole
from cnnvis.prepared.workers import check_where, run

RANKS = 16
MAX_RANKS = 1024
MAX_WITH_MAXIMA = 5000  # photos
CHUNKS = 32  # of a small shelf; a large one has more:
MAX_CHUNK = 1024  # photos
RECORD, LIST, INDEX, MAXIMA = OUTPUTS = ("shelf.json", "photos.json", "index.safetensors", "maxima.safetensors")

Record = Mapping[str, str]  # a photo's title, author, licence and source


@dataclass(frozen=True)
class Made:
    """What became of a shelf's photos."""

    folder: str
    photos: int  # in the shelf
    unreadable: dict[str, str]  # the pictures that could not be read, each with the reason
    skipped: dict[str, str]  # what else is in the photos' folder, each with the reason to leave it out


def make_shelf(
    net: VGG16,
    photos: str | Path,
    folder: str | Path,
    *,
    name: str | None = None,
    top: int = RANKS,
    precision: str = "float32",
    records: Mapping[str, Record] | None = None,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Made:
    """Index every picture in the folder `photos` and below as a shelf in `folder`.

    The photos stay where they are, and are numbered by their sorted relative paths. `top` is how many are kept for each
    channel. `records` has title, author, licence and source by relative path. `progress` is called with the number of
    photos done and the total. With `workers` or `scheduler` (see `workers.run`) the network is loaded there, and must
    be the same as `net`. After an interruption, run it again with the same arguments to resume, with more photos too.
    Raises WeightsError, SettingError, PhotoError if there is no picture, UnavailableError.
    """
    architecture_of(net)  # raises
    SettingError.check("precision", precision, PRECISIONS)
    top = whole_between("top", top, 1, MAX_RANKS)
    workers = check_where(workers, scheduler)
    root, target = Path(photos), Path(folder)
    found = photos_in(root)
    about = {"name": name or shown(root.resolve().name), "precision": precision, "weights_sha256": tensors_sha256(net)}
    with_maxima = len(found.files) <= MAX_WITH_MAXIMA
    empty = Chunk(str(root.absolute()), (), top, precision, tensors_sha256(net), with_maxima)
    with held(target, OUTPUTS) as unfinished:
        today = Today(root, found.files)
        chunks = usable_chunks(pieces(unfinished), today, empty.parameters, with_maxima)
        planned = _planned(empty, today)
        done = len(found.files) - sum(map(len, planned.values()))
        work = index_chunk if workers or scheduler else partial(index_chunk, net=net)
        for chunk, content in run(work, planned, workers, scheduler):
            path = piece_file(unfinished, asdict(chunk))
            write_whole(unfinished, path, content)
            chunks.append(placed(path, planned[chunk]))
            done += len(chunk.files)
            if progress:
                progress(done, len(found.files))
        files = _shelf_files(net, target, root, found.files, chunks, about, top, records or {})
        _replace(unfinished, target, files)
        remove_pieces(unfinished)
    unreadable = {found.files[number]: reason for number, reason in sorted(_unreadable(chunks).items())}
    return Made(str(target), len(found.files) - len(unreadable), unreadable, found.skipped)


def _planned(empty: Chunk, today: Today) -> dict[Chunk, list[int]]:
    """The chunks that are missing, each with the numbers of its photos; `empty` has everything but the photos."""
    free, size = sorted(today.free), min(MAX_CHUNK, max(1, -(-len(today.files) // CHUNKS)))
    parts = [free[first : first + size] for first in range(0, len(free), size)]
    return {replace(empty, files=tuple(today.files[number] for number in part)): part for part in parts}


def _unreadable(chunks: Sequence[Placed]) -> dict[int, str]:
    """Why photos could not be read, by number."""
    return {number: reason for chunk in chunks for number, reason in chunk.reasons.items()}


def _shelf_files(
    net: VGG16,
    target: Path,
    root: Path,
    files: Sequence[str],
    chunks: Sequence[Placed],
    about: Mapping[str, str],
    top: int,
    records: Mapping[str, Record],
) -> dict[str, bytes]:
    """Merge the chunks into the contents of the shelf's files. Raises PhotoError if there is no photo."""
    unreadable = _unreadable(chunks)
    readable = np.array([number for number in range(len(files)) if number not in unreadable], np.int64)
    if not len(readable):
        raise PhotoError(f"none of the {len(files)} pictures can be read: {unreadable[0]}")
    layers = [layer.name for layer in convolutions(net)]
    maxima = {} if len(files) > MAX_WITH_MAXIMA else {layer: _no_maxima(net, layer, len(files)) for layer in layers}
    merged = _merged(layers, sorted(chunks, key=lambda chunk: max(chunk.numbers)), top, maxima)
    index: dict[str, Array] = {}
    for layer in layers:
        index |= _layer_arrays(layer, merged[layer], readable)
    whole, own = root.resolve(), root.resolve() == (target / "photos").resolve()
    names = [files[number] for number in readable]
    listed = [{"file": name if own else str(whole / name), **records.get(name, {})} for name in names]
    prepared = "shorter side 256 px, bilinear with antialias; centre 224 px; upright, sRGB"
    shelf = {"version": VERSION, **about, "count": len(readable), "k": min(top, len(readable)), "prepared": prepared}
    contents = {INDEX: save(index), LIST: _json(listed), RECORD: _json(shelf if own else {**shelf, "root": str(whole)})}
    return {MAXIMA: save({layer: rows[readable] for layer, rows in maxima.items()}), **contents} if maxima else contents


def _no_maxima(net: VGG16, layer: str, photos: int) -> Array:
    return np.zeros((photos, net.architecture.find(layer).channels), np.float16)


def _replace(unfinished: Path, target: Path, contents: Mapping[str, bytes]) -> None:
    """Write the shelf's files. Its record goes first and comes last: so nobody reads half of two shelves."""
    for name in (RECORD, MAXIMA):
        (target / name).unlink(missing_ok=True)
    for name, content in contents.items():
        write_whole(unfinished, target / name, content)


def _merged(
    layers: Sequence[str], chunks: Sequence[Placed], top: int, maxima: Mapping[str, Array]
) -> dict[str, LayerIndex]:
    """Merge the chunks one by one: each layer's index. Fills the rows of its `maxima` (photos, channels), if any."""
    merged: dict[str, LayerIndex] = {}
    for chunk in chunks:
        arrays, numbers = read_chunk(chunk.path), np.array(chunk.numbers, np.int32)
        for layer in layers:
            index = from_arrays(layer, arrays).numbered(numbers)
            merged[layer] = merged[layer].merged(index, top) if layer in merged else index
            if layer in maxima:
                maxima[layer][numbers[arrays["numbers"]]] = arrays[f"{layer}.maxima"]
    return merged


def _layer_arrays(layer: str, index: LayerIndex, readable: Array) -> dict[str, Array]:
    """A layer's arrays as the shelf has them, with photos numbered among the readable ones, means and deviations."""
    count = len(readable)
    means, squares = index.sums.maxima / count, index.sums.squares / count
    usual, usual_squares, border, border_squares = (index.sums.moments / count).T
    arrays = {
        "mean": means, "deviation": _deviation(means, squares), "usual": usual,
        "spread": _deviation(usual, usual_squares), "border": border,
        "border_spread": _deviation(border, border_squares),
    }  # fmt: skip
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    for names, table in ((HIGH, index.high), (LOW, index.low)):
        photo = np.searchsorted(readable, table.photo).astype(np.int32)
        arrays |= dict(zip(names, (photo, table.cell, table.value), strict=True))
    return {f"{layer}.{name}": np.ascontiguousarray(array) for name, array in arrays.items()}


def _deviation(mean: Array, squares: Array) -> Array:
    """The standard deviation of what has this mean and this mean of its squares."""
    deviation: Array = np.sqrt(np.maximum(squares - mean**2, 0))
    return deviation


def _json(value: Any) -> bytes:
    """A record as JSON. A file's name that is not UTF-8 comes back as the same bytes (`os.fsencode`)."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
