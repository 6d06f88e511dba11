"""Make an atlas: plan the batches, grow those that are missing, and write each layer as soon as it is whole.

An atlas is a folder with LAYER.webp, the sheet, and LAYER.json, its record. What is unfinished lies in its folder
`unfinished/LAYER`.
"""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnvis.errors import ShelfError
from cnnvis.maximization.recipes import check_setting, current_names, settle
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.pictures.images import columns_for, contact_sheet
from cnnvis.prepared.atlas_growing import RECIPE, Batch, Grown, canvas_px, grow_batch, own_settings, read_grown
from cnnvis.prepared.likeness import arranged, check_library, correlations, most_alike
from cnnvis.prepared.shelf import shelf_of
from cnnvis.prepared.tiles import GAP_PX, TILE_PX, picture_px
from cnnvis.prepared.workers import keep_plan, run, write_whole

AT_ONCE = 16  # channels in a batch
ACROSS = 16  # columns of the arrangement, at most
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
    """Grow the picture of every channel of the convolutions `layers`, by default all, into an atlas in `folder`.

    `progress` is called with the pictures done and their number. With `workers` or `scheduler` (see `work.run`) the
    network is loaded there, and must be `net`. A layer that the folder already has, grown with these settings from
    these weights, stays; a making that was interrupted goes on where it stopped. Returns the names of the layers.
    Raises LayerError, SettingError, UnavailableError.
    """
    check_library()
    found = _asked(net, layers)
    seed, target = check_setting("seed", seed, net.device), Path(folder)
    missing = {layer: _batches(net, layer, seed) for layer in found if not _is_whole(net, target, layer, seed)}
    for layer, batches in missing.items():
        keep_plan(_unfinished(target, layer.name), [asdict(batch) for batch in batches])
    of, by_name = sum(layer.channels for layer in found), {layer.name: layer for layer in found}
    open_batches = [b for batches in missing.values() for b in batches if not _file(target, b).exists()]
    done = of - sum(len(batch.channels) for batch in open_batches)
    if progress:
        progress(done, of)
    for layer in missing:  # a layer may have all its batches, and no sheet yet
        _finish_if_grown(net, target, layer, missing[layer])
    work = grow_batch if workers or scheduler else partial(grow_batch, net=net)
    for batch, content in run(work, open_batches, workers, scheduler):
        write_whole(_file(target, batch), content)
        done += len(batch.channels)
        if progress:
            progress(done, of)
        layer = by_name[batch.layer]
        _finish_if_grown(net, target, layer, missing[layer])
    return [layer.name for layer in found]


def _asked(net: VGG16, layers: Sequence[str]) -> list[Layer]:
    """The convolutions called `layers`, in the network's order; all for none."""
    if isinstance(layers, str):
        layers = [layers]
    all_layers = architecture_of(net)
    names = {all_layers.find(name, "conv").name for name in layers or all_layers.convolutions}
    return [layer for layer in all_layers.layers if layer.name in names]


def _batches(net: VGG16, layer: Layer, seed: int) -> list[Batch]:
    weights = tensors_sha256(net)
    return [
        Batch(layer.name, number, tuple(range(first, min(first + AT_ONCE, layer.channels))), seed, canvas_px(layer),
              str(net.device), weights)
        for number, first in enumerate(range(0, layer.channels, AT_ONCE))
    ]  # fmt: skip


def _unfinished(target: Path, layer: str) -> Path:
    return target / "unfinished" / layer


def _file(target: Path, batch: Batch) -> Path:
    return _unfinished(target, batch.layer) / f"{batch.number:04}.safetensors"


def _is_whole(net: VGG16, target: Path, layer: Layer, seed: int) -> bool:
    """Whether the folder has this layer as it would be made now."""
    try:
        record = json.loads((target / f"{layer.name}.json").read_text(encoding="utf-8"))
        settled = settle(RECIPE, layer, net.device, **own_settings(layer, seed, canvas_px(layer)))
        wanted = {"weights_sha256": tensors_sha256(net), "settings": asdict(settled)}
        record["settings"] = current_names(record["settings"])
        return (target / f"{layer.name}.webp").exists() and wanted.items() <= record.items()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _finish_if_grown(net: VGG16, target: Path, layer: Layer, batches: Sequence[Batch]) -> None:
    """Once all batches of a layer are there, make them its sheet and record, and remove them."""
    files = [_file(target, batch) for batch in batches]
    if not all(file.exists() for file in files):
        return
    parts = [read_grown(str(file)) for file in files]
    sheet, record = _sheet(net, layer, parts)
    write_whole(target / f"{layer.name}.webp", sheet)
    write_whole(target / f"{layer.name}.json", record)  # last: a layer with it is whole
    shutil.rmtree(files[0].parent)
    if not any(files[0].parents[1].iterdir()):
        files[0].parents[1].rmdir()


def _sheet(net: VGG16, layer: Layer, parts: Sequence[Grown]) -> tuple[bytes, bytes]:
    """A layer's sheet as WebP, and its record as JSON."""
    columns = columns_for(layer.channels)
    picture = contact_sheet(np.concatenate([part.tiles for part in parts]), columns, GAP_PX)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=6)
    alike = most_alike(correlations(np.concatenate([part.means for part in parts]).T))
    tiles = [one for part in parts for one in part.records]
    record = {
        "layer": layer.name,
        "channels": layer.channels,
        "columns": columns,
        "cell": TILE_PX + GAP_PX,
        "gap": GAP_PX,
        "picture": picture_px(layer),
        "scale": TILE_PX / picture_px(layer),
        "recipe": RECIPE,
        "settings": parts[0].settings,
        "weights_sha256": tensors_sha256(net),
        "build": parts[0].build,
        "arrangement": _arrangement(net, layer),
        "tiles": [{**tile, "alike": numbers} for tile, numbers in zip(tiles, alike, strict=True)],
    }
    return buffer.getvalue(), _json(record)


def _arrangement(net: VGG16, layer: Layer) -> dict[str, Any] | None:
    """The channels laid out by what excites them on the shelf's photos; None without a shelf that knows."""
    try:
        maxima = shelf_of(net).layer_maxima(layer)
    except ShelfError:
        return None
    columns = min(ACROSS, columns_for(layer.channels))
    return None if maxima is None else {"columns": columns, "channels": arranged(correlations(maxima), columns)}


def _json(record: dict[str, Any]) -> bytes:
    """A record with a line for each tile: `batch` and `alike` would else take a line for each number."""
    tiles = ",\n".join(f"  {json.dumps(tile)}" for tile in record["tiles"])
    head = json.dumps({name: value for name, value in record.items() if name != "tiles"})
    return f'{head[:-1]}, "tiles": [\n{tiles}\n]}}\n'.encode()
