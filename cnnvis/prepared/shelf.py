"""The photo shelf: which of its photos excite a channel most, and where in them."""

import json
from dataclasses import asdict, dataclass
from functools import cache, cached_property
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
from cnnvis.pictures.images import PHOTO_SIDE, Pictured, columns_for, contact_sheet, crop_like_training
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf_tables import Array
from cnnvis.prepared.tiles import GAP_PX, TILE_PX, is_outlined, picture_px, tile, words_tile

BUNDLED = SHELF
MAX_EXEMPLARS = 16  # exemplars at once
CREDITS = ("title", "author", "licence", "source")
PERCENTILES = (100, 90, 75, 50, 25)
BARS = 24


@dataclass(frozen=True)
class Exemplar:
    """The place of a photo that excites a channel most."""

    photo: int  # its number on the shelf
    file: str  # its name there
    row: int  # of the cell in the map
    column: int
    value: float  # of the map there, before ReLU
    deviations: float  # above the mean of the channel's maxima over the shelf, in their standard deviations
    box: list[int]  # left, top, right, bottom in px of the 224 px crop, moved inside it
    title: str
    author: str
    licence: str
    source: str


@dataclass(frozen=True, repr=False)
class Exemplars(Pictured):
    """The photos that excite a channel most, strongest first; tile i of the picture is exemplar i."""

    picture: Image.Image
    layer: str
    channel: int
    shelf: str
    photos: int  # on the shelf
    columns: int
    cell: int  # px from one tile to the next, the gap included
    exemplars: list[Exemplar]

    def record(self) -> dict[str, Any]:
        """Everything but the picture, as plain values."""
        return {**super().record(), "exemplars": [asdict(one) for one in self.exemplars]}


class Shelf:
    """A shelf's files, each read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        """Raises ShelfError if the folder is no shelf, or not whole."""
        self.folder = folder
        self.about = self._json("shelf.json")
        self.photos = self._json("photos.json")

    def _json(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            begun = (self.folder / "chunks").exists()
            way = "its making was interrupted: start it again" if begun else "make one with `shelf make`"
            raise ShelfError(f"shelf {self.folder.name!r} has no {name}: {way}.") from error
        except (OSError, ValueError) as error:
            raise ShelfError(f"shelf {self.folder.name!r} has an unreadable {name}: make it anew.") from error

    @property
    def name(self) -> str:
        """The shelf's name."""
        return str(self.about["name"])

    @cached_property
    def _layers(self) -> dict[str, dict[str, Array]]:
        return {}

    def layer(self, layer: Layer) -> dict[str, Array]:
        """The index of a convolution: `photo`, `cell`, `value`, …, each with the channels first. Raises ShelfError."""
        if layer.name not in self._layers:
            try:
                with safe_open(self.folder / "index.safetensors", framework="numpy") as file:
                    mine = [name for name in set(file.keys()) if name.startswith(f"{layer.name}.")]
                    arrays = {name.partition(".")[2]: file.get_tensor(name) for name in mine}
            except (OSError, SafetensorError) as error:
                raise ShelfError(f"shelf {self.folder.name!r} has an unreadable index: make it anew.") from error
            self._layers[layer.name] = arrays
        return self._layers[layer.name]

    def maxima(self, target: Target) -> Array | None:
        """A channel's maximum on every photo, (photos,); None on a shelf that is too large to keep them."""
        found = self._maxima(target.layer, slice(target.number, target.number + 1))
        return None if found is None else found[:, 0]

    def layer_maxima(self, layer: Layer) -> Array | None:
        """The same of all channels of a convolution, (photos, channels)."""
        return self._maxima(layer, slice(None))

    def _maxima(self, layer: Layer, channels: slice) -> Array | None:
        try:
            with safe_open(self.folder / "maxima.safetensors", framework="numpy") as file:
                maxima: Array = file.get_slice(layer.name)[:, channels]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError) as error:
            raise ShelfError(f"shelf {self.folder.name!r} has unreadable maxima: make it anew.") from error
        return maxima.astype(np.float64)

    def path(self, number: int) -> Path:
        """Where a photo lies: in the shelf's own folder `photos`, or where it was when the shelf was made."""
        return self.folder / "photos" / str(self.photos[number]["file"])

    def open(self, number: int) -> Image.Image:
        """The 224 px of a photo that the network saw. Raises PhotoError if it has gone or changed beyond reading."""
        return crop_like_training(open_photo(self.path(number)))

    @property
    def ranks(self) -> int:
        """How many photos it keeps for each channel."""
        return min(int(self.about["k"]), len(self.photos))

    def exemplars(self, target: Target, count: int) -> list[Exemplar]:
        """The strongest exemplars of a channel of a convolution, already checked."""
        return self._ranked(target, ("photo", "cell", "value"))[:count]

    def lows(self, target: Target) -> list[Exemplar]:
        """The places of the photos that excite the channel least, each where its map is largest; the least first."""
        return self._ranked(target, ("low", "low_cell", "low_value"))

    def _ranked(self, target: Target, tables: tuple[str, str, str]) -> list[Exemplar]:
        index, channel = self.layer(target.layer), target.number
        mean, deviation = float(index["mean"][channel]), float(index["deviation"][channel])
        found = []
        for number, (row, column), value in zip(*(index[name][channel].tolist() for name in tables), strict=True):
            about = self.photos[number]
            above = (value - mean) / deviation if deviation else 0.0
            credits = [about.get(name, "") for name in CREDITS]
            box = list(moved_inside(target.layer.field(row, column), PHOTO_SIDE))
            found.append(Exemplar(number, about["file"], row, column, value, above, box, *credits))
        return found


def load_shelf(folder: str | Path | None = None) -> Shelf:
    """The shelf in `folder`, by default the one that CNNVIS_SHELF names, or the bundled one; read once.

    Raises ShelfError, also if it was made with other weights than those in use.
    """
    return shelf_of(load_vgg16(), folder)


def shelf_of(net: VGG16, folder: str | Path | None = None) -> Shelf:
    """The same for a network. Raises ShelfError, also if the shelf was made with other weights than the network's."""
    shelf = _opened(Path(folder) if folder else shelf_folder())
    if shelf.about["weights_sha256"] != tensors_sha256(net):
        raise ShelfError(f"shelf {shelf.name!r} was made with other weights: make one with these, `shelf make`.")
    return shelf


@cache
def _opened(folder: Path) -> Shelf:
    return Shelf(folder)


def exemplars(layer: str, channel: int | None = None, count: int = 9, shelf: str | Path | None = None) -> Exemplars:
    """Show the photos that excite a channel of a convolution most, at most one place a photo, strongest first.

    A patch is what one value of the map sees, at its true scale. `shelf` is a folder, see `load_shelf`.
    Raises LayerError, ChannelError, SettingError, ShelfError.
    """
    target = load_vgg16().architecture.target(layer, channel, kind="conv")
    return draw_exemplars(load_shelf(shelf), target, whole_between("count", count, 1, MAX_EXEMPLARS))


def draw_exemplars(shelf: Shelf, target: Target, count: int) -> Exemplars:
    """`exemplars` for arguments already checked."""
    found = shelf.exemplars(target, count)
    tiles = [np.asarray(patch_tile(shelf, one)) for one in found]
    columns = 3 if len(tiles) <= 9 else columns_for(len(tiles))
    return Exemplars(
        picture=contact_sheet(np.stack(tiles), columns, GAP_PX),
        layer=target.layer.name,
        channel=target.number,
        shelf=shelf.name,
        photos=len(shelf.photos),
        columns=columns,
        cell=TILE_PX + GAP_PX,
        exemplars=found,
    )


def patch_tile(shelf: Shelf, one: Exemplar) -> Image.Image:
    """The patch at the size of a tile; if the photo has gone, that is said in its place."""
    return _piece_tile(shelf, one, (one.box[0], one.box[1], one.box[2], one.box[3]))


def atlas_scale_tile(shelf: Shelf, one: Exemplar, layer: Layer) -> Image.Image:
    """As much of the photo around the patch as an atlas's tile of the layer shows, so that both have one scale.

    What the cell sees exactly is outlined, where it is clearly smaller.
    """
    side, field = picture_px(layer), layer.receptive_field
    left, top, _, _ = layer.field(one.row, one.column)
    left, top = (edge + (field - side) // 2 for edge in (left, top))
    around = moved_inside((left, top, left + side, top + side), PHOTO_SIDE)
    drawn = _piece_tile(shelf, one, around)
    if is_outlined(layer):
        seen = [(edge - around[i % 2]) * TILE_PX / side for i, edge in enumerate(one.box)]
        box = [round(seen[0]) - 1, round(seen[1]) - 1, round(seen[2]), round(seen[3])]
        draw = ImageDraw.Draw(drawn)
        draw.rectangle([box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1], outline="black")
        draw.rectangle(box, outline="white")
    return drawn


def _piece_tile(shelf: Shelf, one: Exemplar, box: tuple[int, int, int, int]) -> Image.Image:
    try:
        return tile(shelf.open(one.photo).crop(box))
    except PhotoError:
        return words_tile("this photo\nhas gone")


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
    """The spread of a channel of a convolution, already checked; None if the shelf does not keep all maxima.

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
