"""Make an atlas: plan the batches, grow those that are missing, and write each layer as soon as it is complete.

An atlas is a folder with LAYER.webp, the sheet, and LAYER.json, its record. Each layer has a folder of its own for
unfinished work, so several makings may work on different layers of one atlas.
"""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnvis.analysis.likeness import arranged, check_library, correlations, most_alike
from cnnvis.errors import ShelfError
from cnnvis.maximization.recipes import check_setting, current_names, settle
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.pictures.images import columns_for, contact_sheet
from cnnvis.prepared.atlas_growing import RECIPE, Batch, Grown, canvas_px, grow_batch, own_settings, read_grown
from cnnvis.prepared.shelf import shelf_of
from cnnvis.prepared.shelf_indexing import Array
from cnnvis.prepared.tiles import GAP_PX, TILE_PX, picture_px
from cnnvis.prepared.unfinished import begun, held, is_whole, piece_file, remove_pieces, write_whole
from cnnvis.prepared.workers import check_where, run

BATCH_CHANNELS = 16
MAX_COLUMNS = 16  # of the arrangement
QUALITY = 85  # of the WebP sheets: all of VGG16 in less than 30 MB


def make_atlas(
    net: VGG16,
    layers: Sequence[str] = (),
    folder: str | Path = "atlas",
    *,
    seed: int = 0,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Grow a picture of every channel of the convolutions `layers`, by default all, into an atlas in `folder`.

    `progress` is called with the number of pictures done and the total. With `workers` or `scheduler` (see
    `workers.run`) the network is loaded there, and must be the same as `net`. A layer that the folder already has with
    these settings and weights is kept; after an interruption, run it again to resume. Returns the names of the layers.
    Raises LayerError, SettingError, UnavailableError.
    """
    check_library()
    workers, wanted = check_where(workers, scheduler), _wanted(net, layers)
    seed, target = check_setting("seed", seed, net.device), Path(folder)
    missing = {layer: _batches(net, layer, seed) for layer in wanted if not _is_complete(net, target, layer, seed)}
    done = total = sum(layer.channels for layer in wanted)
    with ExitStack() as stack:
        left = [layer for layer in wanted if layer in missing or begun(target, layer.name)]
        folders = {layer: stack.enter_context(held(target, _outputs(layer), layer.name)) for layer in left}
        files = {layer: _files(folders[layer], batches) for layer, batches in missing.items()}
        open_batches = [batch for some in files.values() for batch, file in some.items() if not is_whole(file)]
        done -= sum(len(batch.channels) for batch in open_batches)
        if progress:
            progress(done, total)
        for layer in missing:  # a layer may have all its batches and no sheet yet
            _finish_if_grown(net, target, layer, folders[layer], list(files[layer].values()))
        work = grow_batch if workers or scheduler else partial(grow_batch, net=net)
        for batch, content in run(work, open_batches, workers, scheduler):
            layer = net.architecture.find(batch.layer)
            write_whole(folders[layer], files[layer][batch], content)
            done += len(batch.channels)
            if progress:
                progress(done, total)
            _finish_if_grown(net, target, layer, folders[layer], list(files[layer].values()))
    return [layer.name for layer in wanted]


def _wanted(net: VGG16, layers: Sequence[str]) -> list[Layer]:
    """The convolutions called `layers`, in the network's order; all of them if none is named."""
    if isinstance(layers, str):
        layers = [layers]
    all_layers = architecture_of(net)
    names = {all_layers.find(name, "conv").name for name in layers or all_layers.convolutions}
    return [layer for layer in all_layers.layers if layer.name in names]


def _batches(net: VGG16, layer: Layer, seed: int) -> list[Batch]:
    weights = tensors_sha256(net)
    return [
        Batch(layer.name, number, tuple(range(first, min(first + BATCH_CHANNELS, layer.channels))), seed,
              canvas_px(layer), str(net.device), weights)
        for number, first in enumerate(range(0, layer.channels, BATCH_CHANNELS))
    ]  # fmt: skip


def _files(folder: Path, batches: Sequence[Batch]) -> dict[Batch, Path]:
    return {batch: piece_file(folder, asdict(batch)) for batch in batches}


def _outputs(layer: Layer) -> tuple[str, str]:
    """A layer's files in the atlas: its record and its sheet."""
    return f"{layer.name}.json", f"{layer.name}.webp"


def _is_complete(net: VGG16, target: Path, layer: Layer, seed: int) -> bool:
    """Whether the folder already has this layer exactly as it would be made now."""
    try:
        record = json.loads((target / f"{layer.name}.json").read_text(encoding="utf-8"))
        settled = settle(RECIPE, layer, net.device, **own_settings(layer, seed, canvas_px(layer)))
        wanted = {"weights_sha256": tensors_sha256(net), "settings": asdict(settled)}
        record["settings"] = current_names(record["settings"])
        return (target / f"{layer.name}.webp").exists() and wanted.items() <= record.items()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _finish_if_grown(net: VGG16, target: Path, layer: Layer, folder: Path, files: Sequence[Path]) -> None:
    """Once all batches of a layer are in the folder, turn them into its sheet and record, and remove them."""
    if not all(map(is_whole, files)):
        return
    parts = [read_grown(str(file)) for file in files]
    sheet, record = _sheet(net, layer, parts)
    write_whole(folder, target / f"{layer.name}.webp", sheet)
    write_whole(folder, target / f"{layer.name}.json", record)  # last: a layer that has it is complete
    remove_pieces(folder)


def _sheet(net: VGG16, layer: Layer, parts: Sequence[Grown]) -> tuple[bytes, bytes]:
    """A layer's sheet as WebP, and its record as JSON."""
    columns, sheet = encoded_sheet([part.tiles for part in parts])
    alike = most_alike(correlations(np.concatenate([part.means for part in parts]).T))
    tiles = [tile for part in parts for tile in part.records]
    side = picture_px(layer)
    record = {
        "layer": layer.name, "channels": layer.channels, "columns": columns, "cell": TILE_PX + GAP_PX, "gap": GAP_PX,
        "picture": side, "scale": TILE_PX / side, "recipe": RECIPE, "settings": parts[0].settings,
        "weights_sha256": tensors_sha256(net), "build": parts[0].build, "arrangement": _arrangement(net, layer),
        "tiles": [{**tile, "alike": numbers} for tile, numbers in zip(tiles, alike, strict=True)],
    }  # fmt: skip
    return sheet, record_json(record)


def encoded_sheet(tiles: Sequence[Array]) -> tuple[int, bytes]:
    """The tiles (N, 96, 96, 3) of several batches on one sheet: how many columns it has, and its WebP."""
    every = np.concatenate(tiles)
    columns, buffer = columns_for(len(every)), io.BytesIO()
    contact_sheet(every, columns, GAP_PX).save(buffer, "WEBP", quality=QUALITY, method=6)
    return columns, buffer.getvalue()


def _arrangement(net: VGG16, layer: Layer) -> dict[str, Any] | None:
    """The channels laid out by the photos they respond to; None without a shelf that keeps all maxima."""
    try:
        maxima = shelf_of(net).layer_maxima(layer)
    except ShelfError:
        return None
    columns = min(MAX_COLUMNS, columns_for(layer.channels))
    return None if maxima is None else {"columns": columns, "channels": arranged(correlations(maxima), columns)}


def record_json(record: dict[str, Any]) -> bytes:
    """A record with one line for each tile; an indented one would give every number of `batch` and `alike` a line."""
    tiles = ",\n".join(f"  {json.dumps(tile)}" for tile in record["tiles"])
    head = json.dumps({name: value for name, value in record.items() if name != "tiles"})
    return f'{head[:-1]}, "tiles": [\n{tiles}\n]}}\n'.encode()
