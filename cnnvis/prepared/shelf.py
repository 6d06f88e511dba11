"""The photo shelf: which of its photos excite a channel most, and where."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from safetensors import SafetensorError, safe_open

from cnnvis.analysis.patches import moved_inside
from cnnvis.checks import whole_between
from cnnvis.errors import PhotoError, ShelfError
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.usual import SHELF, shelf_folder, tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.folders import shown
from cnnvis.pictures.images import PHOTO_SIDE, Pictured, columns_for, contact_sheet, crop_like_training
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf_indexing import HIGH, LOW, Array
from cnnvis.prepared.tiles import GAP_PX, TILE_PX, is_outlined, picture_px, scale_box, tile, words_tile
from cnnvis.prepared.unfinished import begun

BUNDLED = SHELF
RECORD = "shelf.json"
MAX_EXEMPLARS = 16  # in one picture
CREDITS = ("title", "author", "licence", "source")
PERCENTILES = (100, 90, 75, 50, 25)
BARS = 24  # of a histogram


@dataclass(frozen=True)
class Exemplar:
    """Where a photo excites a channel most, and how strongly."""

    photo: int  # its number on the shelf
    file: str  # its name there, relative to the folder of its photos
    row: int  # of the cell in the map
    column: int
    value: float  # of the map at that cell, before ReLU
    deviations: float  # standard deviations above the mean of the channel's maxima over the shelf
    box: list[int]  # left, top, right, bottom in px of the 224 px crop, shifted to lie inside it
    title: str
    author: str
    licence: str
    source: str


@dataclass(frozen=True, repr=False)
class Exemplars(Pictured):
    """The photos that excite a channel most, strongest first; tile i of the picture shows exemplar i."""

    picture: Image.Image
    layer: str
    channel: int
    shelf: str
    photos: int  # on the shelf
    columns: int
    cell: int  # px from one tile to the next, including the gap
    exemplars: list[Exemplar]

    def record(self) -> dict[str, Any]:
        """Everything but the picture, as plain values."""
        return {**super().record(), "exemplars": [asdict(exemplar) for exemplar in self.exemplars]}


class Shelf:
    """A shelf's files, each read when first needed."""

    def __init__(self, folder: Path) -> None:
        """Raises ShelfError if the folder is not a complete shelf."""
        self.folder = folder
        self._state = state_of(folder / RECORD)
        self.about = self._json(RECORD)
        self.photos = self._json("photos.json")
        self._check_same()
        self._root = str(self.about.get("root") or _common_folder([str(photo["file"]) for photo in self.photos]))
        self._layers: dict[str, dict[str, Array]] = {}

    def _json(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            way = (
                "run `shelf make` again; finished work is kept" if begun(self.folder) else "make one with `shelf make`"
            )
            raise ShelfError(f"shelf {self.folder.name!r} has no {name}: {way}.") from error
        except (OSError, ValueError) as error:
            raise self._unreadable(f"an unreadable {name}") from error

    def _unreadable(self, what: str) -> ShelfError:
        return ShelfError(f"shelf {self.folder.name!r} has {what}: rebuild it with `shelf make`.")

    def _check_same(self) -> None:
        """Raise ShelfError if another shelf has been made in the folder since this one was opened."""
        if state_of(self.folder / RECORD) != self._state:
            raise ShelfError(f"shelf {self.folder.name!r} is being made again: try again in a moment.")

    @property
    def name(self) -> str:
        """The shelf's name."""
        return str(self.about["name"])

    def layer(self, layer: Layer) -> dict[str, Array]:
        """The index of a convolution: `photo`, `cell`, `value`, …, each with the channels first. Raises ShelfError."""
        if layer.name not in self._layers:
            try:
                with safe_open(self.folder / "index.safetensors", framework="numpy") as file:
                    names = [name for name in set(file.keys()) if name.startswith(f"{layer.name}.")]
                    arrays = {name.partition(".")[2]: file.get_tensor(name) for name in names}
            except (OSError, SafetensorError) as error:
                raise self._unreadable("an unreadable index") from error
            self._check_same()
            self._layers[layer.name] = arrays
        return self._layers[layer.name]

    def maxima(self, target: Target) -> Array | None:
        """A channel's maximum on every photo, (photos,); None for a shelf too large to keep them."""
        maxima = self.layer_maxima(target.layer, slice(target.number, target.number + 1))
        return None if maxima is None else maxima[:, 0]

    def layer_maxima(self, layer: Layer, channels: slice = slice(None)) -> Array | None:
        """The same for all channels of a convolution, (photos, channels), or for some."""
        try:
            with safe_open(self.folder / "maxima.safetensors", framework="numpy") as file:
                maxima: Array = file.get_slice(layer.name)[:, channels]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError) as error:
            raise self._unreadable("unreadable maxima") from error
        self._check_same()
        return maxima.astype(np.float64)

    def path(self, number: int) -> Path:
        """A photo's file: in the shelf's own folder `photos`, or where it was when the shelf was made."""
        return self.folder / "photos" / str(self.photos[number]["file"])

    def file(self, number: int) -> str:
        """A photo's name for everybody: relative to the folder of the photos, so it says nothing about the server."""
        file = Path(self.photos[number]["file"])
        if file.is_absolute():  # made by version 0.1, a photo behind a link may lie anywhere
            file = file.relative_to(self._root) if file.is_relative_to(self._root) else Path(file.name)
        return shown(file.as_posix())

    def open(self, number: int) -> Image.Image:
        """The 224 px of a photo that the network saw. Raises PhotoError if the file is missing or unreadable."""
        return crop_like_training(open_photo(self.path(number)))

    @property
    def ranks(self) -> int:
        """How many photos the shelf keeps for each channel."""
        return min(int(self.about["k"]), len(self.photos))

    def exemplars(self, target: Target, count: int) -> list[Exemplar]:
        """The strongest exemplars of a channel of a convolution, already checked."""
        return self.ranked(target.layer, self.layer(target.layer), target.number, HIGH)[:count]

    def lows(self, target: Target) -> list[Exemplar]:
        """The photos that excite the channel least, weakest first, each at the cell where its map is largest."""
        return self.ranked(target.layer, self.layer(target.layer), target.number, LOW)

    def ranked(self, layer: Layer, index: dict[str, Array], of: int, names: tuple[str, str, str]) -> list[Exemplar]:
        """The exemplars in one row of an index of this shelf's photos: a layer's own, or one of its concepts."""
        mean, deviation = float(index["mean"][of]), float(index["deviation"][of])
        ranked = []
        for number, (row, column), value in zip(*(index[name][of].tolist() for name in names), strict=True):
            about = self.photos[number]
            above = (value - mean) / deviation if deviation else 0.0
            credits = [about.get(name, "") for name in CREDITS]
            box = list(moved_inside(layer.field(row, column), PHOTO_SIDE))
            ranked.append(Exemplar(number, self.file(number), row, column, value, above, box, *credits))
        return ranked


def load_shelf(folder: str | Path | None = None) -> Shelf:
    """The shelf in `folder`, by default the one named by CNNVIS_SHELF, or else the bundled one.

    It is read once, until it is made again.
    Raises ShelfError, also if it was made with weights other than those in use.
    """
    return shelf_of(load_vgg16(), folder)


def shelf_of(net: VGG16, folder: str | Path | None = None) -> Shelf:
    """The same for a network. Raises ShelfError, also if the shelf was made with weights other than the network's."""
    path = Path(folder) if folder else shelf_folder()
    shelf = _opened(path, state_of(path / RECORD))
    if shelf.about["weights_sha256"] != tensors_sha256(net):
        raise ShelfError(f"shelf {shelf.name!r} was made with different weights: make one for these with `shelf make`.")
    return shelf


@lru_cache(maxsize=4)
def _opened(folder: Path, _: tuple[int, ...]) -> Shelf:
    """The shelf in a folder, read once for each state."""
    return Shelf(folder)


def state_of(file: Path) -> tuple[int, ...]:
    """What tells a file from another written in its place: a shelf that is made again has a new record."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _common_folder(files: Sequence[str]) -> str:
    """The folder of all photos with absolute paths, for a shelf that does not say it."""
    try:
        return os.path.commonpath({os.path.dirname(file) for file in files if os.path.isabs(file)})
    except ValueError:  # there are none, or they lie on several drives
        return ""


def exemplars(layer: str, channel: int | None = None, count: int = 9, shelf: str | Path | None = None) -> Exemplars:
    """Show the photos that excite a channel of a convolution most, strongest first, with one patch per photo.

    A patch is exactly what one value of the map sees. `shelf` is a folder, see `load_shelf`.
    Raises LayerError, ChannelError, SettingError, ShelfError.
    """
    target = load_vgg16().architecture.target(layer, channel, kind="conv")
    return draw_exemplars(load_shelf(shelf), target, whole_between("count", count, 1, MAX_EXEMPLARS))


def draw_exemplars(shelf: Shelf, target: Target, count: int) -> Exemplars:
    """`exemplars`, for arguments already checked."""
    strongest = shelf.exemplars(target, count)
    tiles = [np.asarray(patch_tile(shelf, exemplar)) for exemplar in strongest]
    columns = 3 if len(tiles) <= 9 else columns_for(len(tiles))
    picture, cell = contact_sheet(np.stack(tiles), columns, GAP_PX), TILE_PX + GAP_PX
    layer, channel = target.layer.name, target.number
    return Exemplars(picture, layer, channel, shelf.name, len(shelf.photos), columns, cell, strongest)


def patch_tile(shelf: Shelf, exemplar: Exemplar) -> Image.Image:
    """The patch at the size of a tile; if the photo is missing, a tile that says so."""
    return _piece_tile(shelf, exemplar, exemplar.box)


def atlas_scale_tile(shelf: Shelf, exemplar: Exemplar, layer: Layer) -> Image.Image:
    """As much of the photo around the patch as an atlas tile of the layer shows, so that both have the same scale.

    The part that the cell sees is outlined where it is clearly smaller.
    """
    side, around = picture_px(layer), scale_box(exemplar, layer)
    drawn = _piece_tile(shelf, exemplar, around)
    if is_outlined(layer):
        seen = [(edge - around[i % 2]) * TILE_PX / side for i, edge in enumerate(exemplar.box)]
        box = [round(seen[0]) - 1, round(seen[1]) - 1, round(seen[2]), round(seen[3])]
        draw = ImageDraw.Draw(drawn)
        draw.rectangle([box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1], outline="black")
        draw.rectangle(box, outline="white")
    return drawn


def _piece_tile(shelf: Shelf, exemplar: Exemplar, box: Sequence[int]) -> Image.Image:
    left, top, right, bottom = box
    try:
        return tile(shelf.open(exemplar.photo).crop((left, top, right, bottom)))
    except PhotoError:
        return words_tile("photo\nunavailable")


@dataclass(frozen=True)
class Spread:
    """The photos at some percentiles of a channel's maxima, and the histogram of all."""

    percentiles: list[int]
    photos: list[int]  # the photo at each percentile
    values: list[float]  # its maximum, to float16
    counts: list[int]  # photos in each bar of the histogram
    low: float  # the histogram's ends
    high: float


def spread(shelf: Shelf, target: Target) -> Spread | None:
    """The spread of a channel of a convolution, already checked; None if the shelf is too large to keep all maxima.

    Raises ShelfError.
    """
    maxima = shelf.maxima(target)
    if maxima is None:
        return None
    order = np.argsort(maxima, kind="stable")
    ranks = [round(percentile / 100 * (len(order) - 1)) for percentile in PERCENTILES]
    counts, edges = np.histogram(maxima, BARS)
    photos = [int(order[rank]) for rank in ranks]
    values = [float(maxima[photo]) for photo in photos]
    return Spread(list(PERCENTILES), photos, values, counts.tolist(), float(edges[0]), float(edges[-1]))
