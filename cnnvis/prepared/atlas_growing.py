"""Grow an atlas's pictures, one batch of a layer's channels at a time, and draw and measure each."""

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
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.shelf_indexing import Array
from cnnvis.prepared.tiles import middle, picture_px, tile, words_tile

RECIPE = "fourier"
SEEDS = 3  # how many are tried for a channel that does not fire
MIN_CANVAS_PX, CANVAS_STEP_PX = 64, 16
# No coarse start: a repeated quarter would show a motif four times, each at half its scale. In block 5 fewer steps show
# it just as clearly, and the last twelve get shorter. By block; others keep the recipe's.
OWN: Mapping[int, Mapping[str, Any]] = {4: {"steps": 80}, 5: {"steps": 48, "decay_share": 0.25}}


@dataclass(frozen=True)
class Batch:
    """Some channels of a layer to grow together: plain values, so another machine can do it."""

    layer: str
    number: int
    channels: tuple[int, ...]
    seed: int
    size: int  # px of the canvas
    device: str
    weights_sha256: str

    def target(self, net: VGG16, number: int) -> Target:
        """What one of the batch's numbers grows: that channel."""
        return net.architecture.target(self.layer, number)


@dataclass(frozen=True)
class Grown:
    """The pictures of some channels, in order."""

    tiles: Array  # (N, 96, 96, 3) uint8
    means: Array  # (N, channels) float32: the mean response of every channel of the layer to each picture
    records: list[dict[str, Any]]  # channel, seed, batch, activation, robust, fires
    settings: dict[str, Any]  # of the ascents; a record's own seed may be up to two higher
    build: dict[str, Any]


def canvas_px(layer: Layer) -> int:
    """The side of the canvas that a layer's pictures grow on: at least its receptive field."""
    return max(MIN_CANVAS_PX, -(-layer.receptive_field // CANVAS_STEP_PX) * CANVAS_STEP_PX)


def grow_batch(batch: Batch, net: VGG16 | None = None) -> bytes:
    """Grow the pictures of a batch; by default `net` is the network named by CNNVIS_WEIGHTS, on the batch's device.

    A channel that does not fire is tried with the next two seeds, and keeps its first picture if they fail too.
    Returns the content of a safetensors file for `read_grown`. Raises WeightsError if the network's weights are not the
    atlas's.
    """
    net = net or load_vgg16(batch.device)
    if tensors_sha256(net) != batch.weights_sha256:
        raise WeightsError(
            "these weights differ from the ones this atlas was started with: point CNNVIS_WEIGHTS at the same file."
        )
    kept: dict[int, tuple[Snapshot, Response, list[int]]] = {}
    waiting = list(batch.channels)
    for seed in range(batch.seed, batch.seed + SEEDS):
        snapshots = grow(net, [batch.target(net, channel) for channel in waiting], seed, batch.size)
        for channel, snapshot in zip(waiting, snapshots, strict=True):
            response = respond(net, snapshot.picture, snapshot.target)
            if response.fires or channel not in kept:
                kept[channel] = snapshot, response, waiting
        waiting = [channel for channel in waiting if not kept[channel][1].fires]
        if not waiting:
            break
    return _packed(net, batch, [(channel, *kept[channel]) for channel in batch.channels])


def own_settings(layer: Layer, seed: int, size: int) -> dict[str, Any]:
    """The settings in which an atlas departs from the recipe."""
    return {"seed": seed, "size": size, "coarse_share": 0.0, **OWN.get(layer.block, {})}


def grow(net: VGG16, targets: Sequence[Target], seed: int, size: int) -> list[Snapshot]:
    """The finished pictures of targets grown together, in this order, as an atlas's record can repeat them."""
    *_, last = ascend(net, targets, RECIPE, every=math.inf, **own_settings(targets[0].layer, seed, size))
    return last


def tile_of(snapshot: Snapshot, fires: bool = True) -> Array:
    """The part of a finished picture that an atlas shows, (96, 96, 3); for a channel that never fires, words."""
    if not fires:
        return np.asarray(words_tile("never fires"))
    return np.asarray(tile(middle(snapshot.picture, picture_px(snapshot.target.layer))))


def _packed(net: VGG16, batch: Batch, kept: Sequence[tuple[int, Snapshot, Response, list[int]]]) -> bytes:
    records = [
        {"channel": number, "seed": snapshot.settings.seed, "batch": together,
         "activation": response.activation, "robust": response.robust, "fires": response.fires}
        for number, snapshot, response, together in kept
    ]  # fmt: skip
    first = kept[0][1]
    settings, build = {**asdict(first.settings), "seed": batch.seed}, made_on(net, first.build)
    about = {"records": records, "settings": settings, "build": build}
    arrays = {
        "tiles": np.stack([tile_of(snapshot, response.fires) for _, snapshot, response, _ in kept]),
        "means": np.stack([response.means.numpy() for _, _, response, _ in kept]),
    }
    return save(arrays, {"about": json.dumps(about)})


def made_on(net: VGG16, build: dict[str, Any]) -> dict[str, Any]:
    """An ascent's build and, on a CPU, its model: only the same CPU grows the same picture."""
    return build if net.device.type == "cuda" else {**build, "processor": processor(), "start_sha256": None}


def processor() -> str:
    """The name of this machine's CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def read_grown(path: str) -> Grown:
    """What `grow_batch` returned, from its file."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
        return Grown(file.get_tensor("tiles"), file.get_tensor("means"), **about)
