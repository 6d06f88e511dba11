"""Make a shelf from a folder of photos: plan the chunks, do those that are missing, merge them all.

A shelf is a folder: `shelf.json`, `photos.json`, `index.safetensors`, and `maxima.safetensors` for up to 5,000 photos.
Until it is whole, its chunks lie in a folder `chunks` inside.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from cnnvis.checks import whole_between
from cnnvis.errors import PhotoError, SettingError
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.prepared.shelf_indexing import PRECISIONS, Chunk, convolutions, from_arrays, index_chunk, read_chunk
from cnnvis.prepared.shelf_tables import Array, LayerIndex
from cnnvis.prepared.workers import keep_plan, run, write_whole

VERSION = 1
RANKS = 16
MAX_RANKS = 1024
MAX_WITH_MAXIMA = 5000  # photos
CHUNKS = 32  # of a small shelf; a large one has more, of at most this many photos:
MAX_CHUNK = 1024
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".heic", ".heif"}

Record = Mapping[str, str]  # title, author, licence, source of a photo


@dataclass(frozen=True)
class Made:
    """What became of a shelf's photos."""

    folder: str
    photos: int  # in the shelf
    unreadable: dict[str, str]  # the files that could not be read, with the reasons


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
    """Index every picture in the folder `photos`, nested or not, as a shelf in `folder`.

    The photos stay where they are, and are numbered by their sorted relative paths. `top` is how many are kept for each
    channel. `records` has title, author, licence and source by relative path. `progress` is called with the photos done
    and their number. With `workers` or `scheduler` (see `work.run`) the network is loaded there, and must be `net`.
    A making that was interrupted goes on where it stopped: start it again with the same arguments.
    Raises WeightsError, SettingError, PhotoError if there is no picture, UnavailableError.
    """
    architecture_of(net)  # raises
    SettingError.check("precision", precision, PRECISIONS)
    top = whole_between("top", top, 1, MAX_RANKS)
    root, target = Path(photos), Path(folder)
    files = photos_in(root)
    chunks = _plan(net, root, files, top, precision)
    keep_plan(target / "chunks", [asdict(chunk) for chunk in chunks])
    missing = [chunk for chunk in chunks if not _file(target, chunk).exists()]
    done = len(files) - sum(len(chunk.files) for chunk in missing)
    work = index_chunk if workers or scheduler else partial(index_chunk, net=net)
    for chunk, content in run(work, missing, workers, scheduler):
        write_whole(_file(target, chunk), content)
        done += len(chunk.files)
        if progress:
            progress(done, len(files))
    about = {"name": name or root.resolve().name, "precision": precision, "weights_sha256": tensors_sha256(net)}
    return _finish(net, target, root, files, [_file(target, chunk) for chunk in chunks], about, top, records or {})


def photos_in(folder: Path) -> list[str]:
    """The pictures in a folder and below, by relative path, sorted; hidden ones left out. Raises PhotoError."""
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in relative.parts):
            found.append(relative.as_posix())
    if not found:
        raise PhotoError(f"the folder {folder.name!r} has no pictures: name one that has.")
    return sorted(found)


def _plan(net: VGG16, root: Path, files: Sequence[str], top: int, precision: str) -> list[Chunk]:
    """The chunks; they follow from the photos alone, so that a second start finds those of the first."""
    size = min(MAX_CHUNK, max(1, -(-len(files) // CHUNKS)))
    weights, with_maxima = tensors_sha256(net), len(files) <= MAX_WITH_MAXIMA
    return [
        Chunk(number, first, tuple(str(root / file) for file in files[first : first + size]), top, precision, weights,
              with_maxima)
        for number, first in enumerate(range(0, len(files), size))
    ]  # fmt: skip


def _file(target: Path, chunk: Chunk) -> Path:
    return target / "chunks" / f"{chunk.number:06}.safetensors"


def _finish(
    net: VGG16,
    target: Path,
    root: Path,
    files: Sequence[str],
    chunks: Sequence[Path],
    about: Mapping[str, str],
    top: int,
    records: Mapping[str, Record],
) -> Made:
    """Merge the chunks into the shelf's files, and remove them."""
    layers = [layer.name for layer in convolutions(net)]
    merged, maxima, unreadable = _merged(layers, chunks, top)
    readable = [number for number in range(len(files)) if number not in unreadable]
    if not readable:
        raise PhotoError(f"none of the {len(files)} pictures can be read: {unreadable[0]}")
    index: dict[str, Array] = {}
    for layer in layers:
        index |= _layer_arrays(layer, merged[layer], np.array(readable))
    bundled = root.resolve() == (target / "photos").resolve()
    listed = [
        {"file": files[number] if bundled else str((root / files[number]).resolve()), **records.get(files[number], {})}
        for number in readable
    ]
    write_whole(target / "index.safetensors", save(index))
    if maxima:
        everything = {name: np.concatenate(parts) for name, parts in maxima.items()}
        write_whole(target / "maxima.safetensors", save(everything))
    else:
        (target / "maxima.safetensors").unlink(missing_ok=True)
    write_whole(target / "photos.json", _json(listed))
    prepared = "shorter side 256 px, bilinear with antialias; centre 224 px; upright, sRGB"
    shelf = {"version": VERSION, **about, "count": len(readable), "k": min(top, len(readable)), "prepared": prepared}
    write_whole(target / "shelf.json", _json(shelf))  # last: a shelf with it is whole
    shutil.rmtree(target / "chunks")
    return Made(str(target), len(readable), {files[number]: reason for number, reason in unreadable.items()})


def _merged(
    layers: Sequence[str], chunks: Sequence[Path], top: int
) -> tuple[dict[str, LayerIndex], dict[str, list[Array]], dict[int, str]]:
    """Merge the chunks one after the other: each layer's index, all maxima, and what could not be read."""
    merged: dict[str, LayerIndex] = {}
    maxima: dict[str, list[Array]] = {}
    unreadable: dict[int, str] = {}
    for arrays, failed in _read(chunks):
        unreadable |= failed
        for layer in layers:
            index = from_arrays(layer, arrays)
            merged[layer] = merged[layer].merged(index, top) if layer in merged else index
            if f"{layer}.maxima" in arrays:
                maxima.setdefault(layer, []).append(arrays[f"{layer}.maxima"])
    return merged, maxima, unreadable


def _read(chunks: Sequence[Path]) -> Iterator[tuple[dict[str, Array], dict[int, str]]]:
    for path in chunks:
        yield read_chunk(str(path))


def _layer_arrays(layer: str, index: LayerIndex, readable: Array) -> dict[str, Array]:
    """The arrays of a layer as the shelf has them: photos numbered among the readable ones, means and deviations."""
    count = len(readable)
    mean = index.sums.maxima / count
    deviation = np.sqrt(np.maximum(index.sums.squares / count - mean**2, 0))
    arrays = {"mean": mean, "deviation": deviation, "usual": index.sums.usual / count}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    for names, table in ((("photo", "cell", "value"), index.high), (("low", "low_cell", "low_value"), index.low)):
        photo = np.searchsorted(readable, table.photo).astype(np.int32)
        arrays |= dict(zip(names, (photo, table.cell, table.value), strict=True))
    return {f"{layer}.{name}": np.ascontiguousarray(array) for name, array in arrays.items()}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
