"""Grow an atlas's pictures: one batch of channels of a layer at a time, drawn as tiles and measured."""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from cnnvis.errors import WeightsError
from cnnvis.maximization.ascent import Snapshot, ascend
from cnnvis.maximization.score import Response, respond
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.shelf_tables import Array
from cnnvis.prepared.tiles import middle, picture_px, tile, words_tile

RECIPE = "fourier"
SEEDS = 3  # tried for a channel that does not fire
MIN_CANVAS_PX, CANVAS_STEP_PX = 64, 16
# Not small first: a quarter repeated would show a deep channel's thing four times, each at half its scale. At full size
# fewer steps show it as clearly. Either way the last twelve steps get shorter. By block; elsewhere the recipe's own.
SHORTER: Mapping[int, Mapping[str, Any]] = {5: {"steps": 48, "decay_share": 0.25}}


@dataclass(frozen=True)
class Batch:
    """Some channels of a layer, to be grown together; plain values, so that another machine can do it."""

    layer: str
    number: int
    channels: tuple[int, ...]
    seed: int
    size: int  # px of the canvas
    device: str
    weights_sha256: str


@dataclass(frozen=True)
class Grown:
    """The pictures of some channels, in their order."""

    tiles: Array  # (N, 96, 96, 3) uint8
    means: Array  # (N, channels) float32: what every channel of the layer answers to each picture, on average
    records: list[dict[str, Any]]  # channel, seed, batch, activation, robust, fires
    settings: dict[str, Any]  # of the ascents; a record's own seed may be one of the two after
    build: dict[str, Any]


def canvas_px(layer: Layer) -> int:
    """The side of the canvas that an atlas's pictures of a layer grow on: its receptive field at least."""
    return max(MIN_CANVAS_PX, -(-layer.receptive_field // CANVAS_STEP_PX) * CANVAS_STEP_PX)


def grow_batch(batch: Batch, net: VGG16 | None = None) -> bytes:
    """Grow the pictures of a batch; `net` is by default the network that CNNVIS_WEIGHTS names, on the batch's device.

    A channel that does not fire is tried with the two following seeds, and keeps its first picture if they fail too.
    Returns the content of a safetensors file, which `read_grown` reads. Raises WeightsError if these are other weights
    than the atlas's.
    """
    net = net or load_vgg16(batch.device)
    if tensors_sha256(net) != batch.weights_sha256:
        raise WeightsError("the weights here are not those that the atlas was begun with: set CNNVIS_WEIGHTS alike.")
    kept: dict[int, tuple[Snapshot, Response, list[int]]] = {}
    waiting = list(batch.channels)
    for seed in range(batch.seed, batch.seed + SEEDS):
        for channel, snapshot in grow(net, batch.layer, waiting, seed, batch.size).items():
            found = respond(net, snapshot.picture, snapshot.target)
            if found.fires or channel not in kept:
                kept[channel] = snapshot, found, waiting
        waiting = [channel for channel in waiting if not kept[channel][1].fires]
        if not waiting:
            break
    return _packed(net, batch, [kept[channel] for channel in batch.channels])


def own_settings(layer: Layer, seed: int, size: int) -> dict[str, Any]:
    """What the recipe is changed in for an atlas."""
    return {"seed": seed, "size": size, "coarse_share": 0.0, **SHORTER.get(layer.block, {})}


def grow(net: VGG16, layer: str, channels: Sequence[int], seed: int, size: int) -> dict[int, Snapshot]:
    """The finished pictures of channels grown together in this order, which an atlas's record can repeat."""
    targets = [net.architecture.target(layer, channel) for channel in channels]
    *_, last = ascend(net, targets, RECIPE, every=math.inf, **own_settings(targets[0].layer, seed, size))
    return dict(zip(channels, last, strict=True))


def tile_of(snapshot: Snapshot, fires: bool = True) -> Array:
    """What of a finished picture an atlas shows, (96, 96, 3); of a channel that never fires, words."""
    if not fires:
        return np.asarray(words_tile("never fires"))
    return np.asarray(tile(middle(snapshot.picture, picture_px(snapshot.target.layer))))


def _packed(net: VGG16, batch: Batch, kept: Sequence[tuple[Snapshot, Response, list[int]]]) -> bytes:
    records = [
        {
            "channel": snapshot.target.number,
            "seed": snapshot.settings.seed,
            "batch": together,
            "activation": found.activation,
            "robust": found.robust,
            "fires": found.fires,
        }
        for snapshot, found, together in kept
    ]
    first = kept[0][0]
    settings, build = {**asdict(first.settings), "seed": batch.seed}, made_on(net, first.build)
    about = {"records": records, "settings": settings, "build": build}
    arrays = {
        "tiles": np.stack([tile_of(snapshot, found.fires) for snapshot, found, _ in kept]),
        "means": np.stack([found.means.numpy() for _, found, _ in kept]),
    }
    return save(arrays, {"about": json.dumps(about)})


def made_on(net: VGG16, build: dict[str, Any]) -> dict[str, Any]:
    """An ascent's build and, on a CPU, which one: the same picture grows only on the same."""
    return build if net.device.type == "cuda" else {**build, "processor": processor(), "start_sha256": None}


def processor() -> str:
    """The name of this machine's CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def read_grown(path: str) -> Grown:
    """What `grow_batch` returned, from its file."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
        return Grown(file.get_tensor("tiles"), file.get_tensor("means"), **about)
