"""Index photos: each passes the network once, chunk by chunk, and a chunk is kept as soon as it is whole."""

import json
from dataclasses import dataclass

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

from cnnvis.errors import PhotoError, WeightsError
from cnnvis.network.architecture import Layer
from cnnvis.network.precision import full_precision
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, cut
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf_tables import Array, LayerIndex, Sums, Table

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Chunk:
    """Some of a shelf's photos, to be indexed together; plain values, so that another machine can do it."""

    number: int
    first: int  # number of its first photo
    files: tuple[str, ...]
    ranks: int
    precision: str
    weights_sha256: str
    with_maxima: bool  # whether to keep every photo's maxima, not only the ranks


def convolutions(net: VGG16) -> list[Layer]:
    """The layers that are indexed."""
    return [layer for layer in net.architecture.layers if layer.kind == "conv"]


def index_chunk(chunk: Chunk, net: VGG16 | None = None) -> bytes:
    """Index the photos of a chunk; `net` is by default the network that CNNVIS_WEIGHTS names.

    Returns the content of a safetensors file, which `read_chunk` reads. A photo that cannot be read is skipped, and
    named with the reason in the file's metadata. Raises WeightsError if these are other weights than the shelf's.
    """
    net = net or load_vgg16()
    if tensors_sha256(net) != chunk.weights_sha256:
        raise WeightsError("the weights here are not those that the shelf was begun with: set CNNVIS_WEIGHTS alike.")
    numbers, unreadable, answers = [], {}, []
    for number, file in enumerate(chunk.files, chunk.first):
        try:
            answers.append(answer(net, file, chunk.precision))
            numbers.append(number)
        except PhotoError as error:
            unreadable[number] = str(error)
    arrays: dict[str, Array] = {"numbers": np.array(numbers, np.int64)}
    for layer in convolutions(net):
        cells, maxima, usual = _stacked([one[layer.name] for one in answers], layer.channels)
        index = LayerIndex.of(arrays["numbers"], cells, maxima, usual, chunk.ranks)
        arrays |= to_arrays(layer.name, index)
        if chunk.with_maxima:
            arrays[f"{layer.name}.maxima"] = maxima.astype(np.float16)
    return save(arrays, {"unreadable": json.dumps(unreadable)})


def answer(net: VGG16, file: str, precision: str) -> dict[str, tuple[Array, Array, Array]]:
    """What every channel of every convolution answers to a photo, by layer.

    For each channel its largest value before ReLU: where it is (channels, 2), what it is (channels,), and the map's
    mean after ReLU (channels,). The photo is prepared and computed exactly as for its feature maps. Raises PhotoError.
    """
    layers = convolutions(net)
    wanted = {layer.name for layer in layers}
    seen = to_tensor(crop_like_training(open_photo(file))).to(net.device)
    fast = precision != "float32"
    answers = {}
    with (
        full_precision(net.device),
        torch.inference_mode(),
        torch.autocast(net.device.type, torch.bfloat16, enabled=fast),
    ):
        values = seen
        for name, step in cut(net, layers[-1]).named_children():
            values = step(values)
            if name in wanted:
                maps = values[0].float().flatten(1)
                largest, place = maps.max(1)
                cells = torch.stack([place // values.shape[3], place % values.shape[3]], 1)
                usual = maps.clamp_min(0).mean(1)
                answers[name] = cells.cpu().numpy(), largest.cpu().numpy(), usual.cpu().numpy()
    return answers


def _stacked(answers: list[tuple[Array, Array, Array]], channels: int) -> tuple[Array, Array, Array]:
    """The answers of one layer to several photos, or to none: each with the photos as its first axis."""
    if not answers:
        nothing = np.empty((0, channels))
        return np.empty((0, channels, 2)), nothing, nothing
    cells, maxima, usual = (np.stack(part) for part in zip(*answers, strict=True))
    return cells, maxima, usual


def to_arrays(layer: str, index: LayerIndex) -> dict[str, Array]:
    """A layer's index as the named arrays of a file, sums included."""
    named = {
        "photo": index.high.photo, "cell": index.high.cell, "value": index.high.value,
        "low": index.low.photo, "low_cell": index.low.cell, "low_value": index.low.value,
        "sum": index.sums.maxima, "squares": index.sums.squares, "usual": index.sums.usual,
    }  # fmt: skip
    return {f"{layer}.{name}": np.ascontiguousarray(array) for name, array in named.items()}


def from_arrays(layer: str, arrays: dict[str, Array]) -> LayerIndex:
    """The reverse of `to_arrays`."""
    high, low, sums = (
        [arrays[f"{layer}.{name}"] for name in names]
        for names in (("photo", "cell", "value"), ("low", "low_cell", "low_value"), ("sum", "squares", "usual"))
    )
    return LayerIndex(Table(*high), Table(*low), Sums(*sums))


def read_chunk(path: str) -> tuple[dict[str, Array], dict[int, str]]:
    """The arrays of a chunk's file, and the numbers of the photos that could not be read, with the reasons."""
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in set(file.keys())}
        unreadable = json.loads(file.metadata()["unreadable"])
    return arrays, {int(number): reason for number, reason in unreadable.items()}
