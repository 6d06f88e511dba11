"""Index photos: each passes through the network once, chunk by chunk, and every finished chunk is kept.

What is kept are tables of the photos that excite each channel most and least. However the photos are split, they merge
to the same. A layer's table has a row for each channel and a column for each rank. All arrays are NumPy's.
"""

import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor

from cnnvis.errors import PhotoError, WeightsError
from cnnvis.network.architecture import Layer
from cnnvis.network.precision import full_precision
from cnnvis.network.usual import tensors_sha256
from cnnvis.network.vgg import VGG16, cut
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import Photo, check_bytes, open_photo

VERSION = 2  # of a shelf; since 2 its index has spread and border
PRECISIONS = ("float32", "bfloat16")
SUMS = ("sum", "squares", "moments")  # in a file
HIGH, LOW = ("photo", "cell", "value"), ("low", "low_cell", "low_value")  # a layer's two tables in a file, by field
# Of a map after ReLU: the mean over all cells of the value and of its square, and the same over the outermost cells.
MOMENTS = 4

Array = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Photos ranked for each channel, each with the cell that counts."""

    photo: Array  # (channels, ranks) int32, the photo's number; at most once in a row
    cell: Array  # (channels, ranks, 2) int16, row and column of the map
    value: Array  # (channels, ranks) float32, of the map at that cell, before ReLU

    def best(self, count: int, largest: bool) -> "Table":
        """The first `count` ranks by value; of equal values, the photo with the lower number comes first."""
        keys = (self.photo, -self.value if largest else self.value)  # np.lexsort sorts by the last key first
        order = np.lexsort(keys, axis=-1)[:, :count]
        pick = np.take_along_axis
        return Table(pick(self.photo, order, 1), pick(self.cell, order[..., None], 1), pick(self.value, order, 1))

    def numbered(self, numbers: Array) -> "Table":
        """The same table, its photo i as `numbers[i]`."""
        return Table(numbers[self.photo], self.cell, self.value)

    def merged(self, other: "Table", count: int, largest: bool) -> "Table":
        """The first `count` ranks of two tables of the same layer, of different photos."""
        parts = zip(vars(self).values(), vars(other).values(), strict=True)
        return Table(*(np.concatenate(pair, 1) for pair in parts)).best(count, largest)


@dataclass(frozen=True)
class Sums:
    """What means and deviations are computed from, for each channel; in float64, so that the split does not show."""

    maxima: Array  # (channels,), the sum of the maxima over photos
    squares: Array  # (channels,), of their squares
    moments: Array  # (channels, 4), of the means over a map after ReLU: see MOMENTS

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.maxima + other.maxima, self.squares + other.squares, self.moments + other.moments)


@dataclass(frozen=True)
class LayerIndex:
    """How one layer responded to photos."""

    high: Table
    low: Table
    sums: Sums

    @classmethod
    def of(cls, numbers: Array, cells: Array, maxima: Array, moments: Array, ranks: int) -> "LayerIndex":
        """The index of photos with the given `numbers` (photos,).

        `cells` (photos, channels, 2) are where the `maxima` (photos, channels) lie; for the `moments` (photos,
        channels, 4) see MOMENTS.
        """
        photo = np.broadcast_to(numbers.astype(np.int32), maxima.T.shape)
        table = Table(photo, cells.astype(np.int16).swapaxes(0, 1), maxima.astype(np.float32).T)
        exact = maxima.astype(np.float64)
        sums = Sums(exact.sum(0), (exact**2).sum(0), moments.astype(np.float64).sum(0))
        return cls(table.best(ranks, largest=True), table.best(ranks, largest=False), sums)

    def numbered(self, numbers: Array) -> "LayerIndex":
        """The same index, its photo i as `numbers[i]`: int32, increasing, so that equal values keep their order."""
        return LayerIndex(self.high.numbered(numbers), self.low.numbered(numbers), self.sums)

    def merged(self, other: "LayerIndex", ranks: int) -> "LayerIndex":
        """The index of both sets of photos."""
        high = self.high.merged(other.high, ranks, largest=True)
        return LayerIndex(high, self.low.merged(other.low, ranks, largest=False), self.sums + other.sums)


@dataclass(frozen=True)
class Chunk:
    """Some of a shelf's photos to index together: plain values, so another machine can do it."""

    root: str  # the folder of the photos
    files: tuple[str, ...]  # relative to it, in the order of their numbers on the shelf
    ranks: int
    precision: str
    weights_sha256: str
    with_maxima: bool  # whether to keep the maxima of all photos, not only of the ranked ones

    @property
    def parameters(self) -> dict[str, Any]:
        """What the numbers depend on, besides the photos."""
        fields = ("ranks", "precision", "weights_sha256")
        return {"version": VERSION, **{name: getattr(self, name) for name in fields}}


@dataclass(frozen=True)
class Indexed:
    """A photo as it was when its chunk was indexed. Its number in the chunk's tables is its place in the chunk."""

    file: str
    size: int  # bytes
    mtime_ns: int
    sha256: str  # of the file; "" if it could not be read
    reason: str  # why it is no photo, or ""


def convolutions(net: VGG16) -> list[Layer]:
    """The layers that are indexed."""
    return [layer for layer in net.architecture.layers if layer.kind == "conv"]


def index_chunk(chunk: Chunk, net: VGG16 | None = None) -> bytes:
    """Index the photos of a chunk; by default `net` is the network named by CNNVIS_WEIGHTS.

    Returns the content of a safetensors file for `read_chunk`. A photo that cannot be read is skipped; the file's
    metadata has the reason. Raises WeightsError if the network's weights are not the shelf's.
    """
    net = net or load_vgg16()
    if tensors_sha256(net) != chunk.weights_sha256:
        raise WeightsError(
            "these weights differ from the ones this shelf was started with: point CNNVIS_WEIGHTS at the same file."
        )
    photos, numbers, responses = [], [], []
    for number, file in enumerate(chunk.files):
        photo, content = _read(Path(chunk.root), file)
        try:
            if not photo.reason:
                responses.append(respond_to(net, content, chunk.precision))
                numbers.append(number)
        except PhotoError as error:
            photo = replace(photo, reason=str(error))
        photos.append(photo)
    arrays: dict[str, Array] = {"numbers": np.array(numbers, np.int64)}
    for layer in convolutions(net):
        cells, maxima, moments = _stacked([response[layer.name] for response in responses], layer.channels)
        index = LayerIndex.of(arrays["numbers"], cells, maxima, moments, chunk.ranks)
        arrays |= to_arrays(layer.name, index)
        if chunk.with_maxima:
            arrays[f"{layer.name}.maxima"] = maxima.astype(np.float16)
    about = {"parameters": chunk.parameters, "with_maxima": chunk.with_maxima, "photos": list(map(asdict, photos))}
    return save(arrays, {"about": json.dumps(about)})


def _read(root: Path, file: str) -> tuple[Indexed, bytes]:
    """A photo's file and its content, read once; or the reason why it cannot be read."""
    size = mtime_ns = 0
    try:
        status = (root / file).stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
        check_bytes(root / file)
        content = (root / file).read_bytes()
    except PhotoError as error:
        return Indexed(file, size, mtime_ns, "", str(error)), b""
    except OSError as error:
        return Indexed(file, size, mtime_ns, "", f"the picture cannot be read ({error.strerror})."), b""
    return Indexed(file, len(content), mtime_ns, sha256(content).hexdigest(), ""), content


def respond_to(net: VGG16, photo: Photo, precision: str) -> dict[str, tuple[Array, Array, Array]]:
    """How every channel of every convolution responds to a photo, by layer.

    For each channel the cell of its largest value before ReLU (channels, 2), that value (channels,), and the moments
    after ReLU (channels, 4). The photo is prepared and computed exactly as for its feature maps. Raises PhotoError.
    """
    layers = convolutions(net)
    names = {layer.name for layer in layers}
    values = to_tensor(crop_like_training(open_photo(photo))).to(net.device)
    fast = precision != "float32"
    responses = {}
    with (
        full_precision(net.device),
        torch.inference_mode(),
        torch.autocast(net.device.type, torch.bfloat16, enabled=fast),
    ):
        for name, module in cut(net, layers[-1]).named_children():
            values = module(values)
            if name in names:
                maps = values[0].float().flatten(1)
                largest, where = maps.max(1)
                cells = torch.stack([where // values.shape[3], where % values.shape[3]], 1)
                responses[name] = cells.cpu().numpy(), largest.cpu().numpy(), moments_of(maps, values.shape[2:])
    return responses


def moments_of(maps: Tensor, size: torch.Size) -> Array:
    """The moments of maps (channels, cells) of a `size` after ReLU, float64 (channels, 4): see MOMENTS."""
    rectified = maps.clamp_min(0)
    inner = torch.zeros(size, dtype=torch.bool, device=maps.device)
    inner[1:-1, 1:-1] = True
    border = rectified[:, ~inner.flatten()]
    means = [rectified.mean(1), rectified.square_().mean(1), border.mean(1), border.square_().mean(1)]
    return torch.stack(means, 1).double().cpu().numpy()


def _stacked(responses: list[tuple[Array, Array, Array]], channels: int) -> tuple[Array, Array, Array]:
    """The responses of one layer to several photos, or to none, each with the photos as its first axis."""
    if not responses:
        return np.empty((0, channels, 2)), np.empty((0, channels)), np.empty((0, channels, MOMENTS))
    cells, maxima, moments = (np.stack(part) for part in zip(*responses, strict=True))
    return cells, maxima, moments


def to_arrays(layer: str, index: LayerIndex) -> dict[str, Array]:
    """A layer's index as the named arrays of a file, including the sums."""
    arrays = [array for part in (index.high, index.low, index.sums) for array in vars(part).values()]
    named = zip((*HIGH, *LOW, *SUMS), arrays, strict=True)
    return {f"{layer}.{name}": np.ascontiguousarray(array) for name, array in named}


def from_arrays(layer: str, arrays: dict[str, Array]) -> LayerIndex:
    """The reverse of `to_arrays`."""
    high, low, sums = ([arrays[f"{layer}.{name}"] for name in names] for names in (HIGH, LOW, SUMS))
    return LayerIndex(Table(*high), Table(*low), Sums(*sums))


def read_chunk(path: Path) -> dict[str, Array]:
    """The arrays of a chunk's file, with photos numbered by their place in the chunk."""
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in set(file.keys())}


def about_chunk(path: Path) -> tuple[dict[str, Any], bool, list[Indexed]]:
    """What a chunk's numbers depend on, whether it keeps all maxima, and its photos."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
    return about["parameters"], about["with_maxima"], [Indexed(**photo) for photo in about["photos"]]
