"""The atlas: a picture of every channel of the 13 convolutions, grown ahead, on one sheet for each layer."""

import io
import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from cnnvis.analysis.places import Mosaic, check_places, draw_mosaic, places_of
from cnnvis.errors import AtlasError
from cnnvis.maximization.recipes import current_names
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import ATLAS, atlas_folder, tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import Pictured
from cnnvis.pictures.photo import Photo

BUNDLED = ATLAS


@dataclass(frozen=True)
class AtlasTile:
    """The picture of one channel, and how it was grown."""

    channel: int
    seed: int
    batch: list[int]  # the channels grown together, in order; with it and the build, the picture can be grown again
    activation: float  # the channel's mean on the whole canvas, in float32, before ReLU
    robust: float  # the same, averaged over 16 distorted copies
    fires: bool  # whether the map is above zero anywhere
    alike: list[int]  # the channels whose pictures drive the layer in much the same way, closest first


@dataclass(frozen=True, repr=False)
class AtlasSheet(Pictured):
    """The pictures of a layer: channel i's tile begins at ((i % columns)·cell, (i // columns)·cell)."""

    picture: Image.Image
    layer: str
    channels: int
    columns: int
    cell: int  # px from one tile to the next, including the gap
    gap: int
    picture_px: int  # how many px of a grown picture a tile shows; called `picture` in the record
    scale: float  # px of a tile per px of the grown picture
    recipe: str
    settings: dict[str, Any]
    weights_sha256: str
    build: dict[str, Any]
    arrangement: dict[str, Any] | None  # `channels` in rows of `columns`, by the photos they respond to
    tiles: list[AtlasTile]

    def record(self) -> dict[str, Any]:
        """Everything but the sheet, as plain values; `picture` is the number of px that a tile shows."""
        plain = {name: value for name, value in super().record().items() if name != "picture_px"}
        return {**plain, "picture": self.picture_px, "tiles": [asdict(tile) for tile in self.tiles]}

    def tile(self, channel: int) -> Image.Image:
        """The picture of one channel."""
        left, top = channel % self.columns * self.cell, channel // self.columns * self.cell
        side = self.cell - self.gap
        return self.picture.crop((left, top, left + side, top + side))


class Atlas:
    """An atlas's folder. Each layer stands alone: if one is missing or damaged, the others still work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def webp(self, layer: Layer) -> bytes:
        """The sheet of a convolution as it is stored. Raises AtlasError."""
        return self._read(layer, "webp")

    def sheet(self, layer: Layer, net: VGG16) -> AtlasSheet:
        """The sheet of a convolution, already looked up. Raises AtlasError, also if it belongs to another network."""
        record, webp = self._read(layer, "json"), self.webp(layer)
        try:
            about = json.loads(record)
            weights = about["weights_sha256"]
            about["settings"] = current_names(about["settings"])
            picture_px, tiles = about.pop("picture"), [AtlasTile(**tile) for tile in about.pop("tiles")]
            sheet = AtlasSheet(picture=decoded(webp), picture_px=picture_px, tiles=tiles, **about)
        except Exception as error:  # a damaged picture or record can raise almost anything
            raise AtlasError(f"the atlas's sheet of {layer.name} is damaged: {_way_out(layer)}.") from error
        if weights != tensors_sha256(net):
            raise AtlasError(f"the atlas's sheet of {layer.name} was made with different weights: {_way_out(layer)}.")
        return sheet

    def _read(self, layer: Layer, suffix: str) -> bytes:
        try:
            return (self.folder / f"{layer.name}.{suffix}").read_bytes()
        except OSError as error:
            raise AtlasError(f"the atlas has no sheet of {layer.name}: {_way_out(layer)}.") from error


@lru_cache(maxsize=1)  # a quiz asks for tiles of one sheet again and again; decoded it has up to 15 MB
def decoded(webp: bytes) -> Image.Image:
    """A stored sheet as a picture."""
    with Image.open(io.BytesIO(webp)) as opened:
        return opened.convert("RGB")


def _way_out(layer: Layer) -> str:
    return f"make it with `atlas make --layers {layer.name}`, or grow one picture with `maximize`"


def load_atlas(folder: str | Path | None = None) -> Atlas:
    """The atlas in `folder`; by default the one named by CNNVIS_ATLAS, or else the bundled one."""
    path = Path(folder) if folder else atlas_folder()
    return _atlas(path, _state(path))


@lru_cache(maxsize=4)
def _atlas(folder: Path, _: tuple[tuple[str, int, int], ...]) -> Atlas:
    """One atlas for each state of a folder, so whoever keeps its sheets by the atlas keeps none that was made again."""
    return Atlas(folder)


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells an atlas from another in the same folder: a layer that is made again has a new record."""
    try:
        with os.scandir(folder) as files:
            records = [(file.name, file.stat()) for file in files if file.name.endswith(".json")]
    except OSError:
        return ()
    return tuple(sorted((name, status.st_ino, status.st_mtime_ns) for name, status in records))


def atlas_sheet(layer: str, folder: str | Path | None = None) -> AtlasSheet:
    """Show the pictures of all channels of a convolution, grown ahead, on one sheet.

    A tile shows the middle of its picture at the same scale as the layer's exemplars. Raises LayerError, AtlasError.
    """
    net = load_vgg16()
    return load_atlas(folder).sheet(net.architecture.find(layer, "conv"), net)


def mosaic(net: VGG16, photo: Photo, layer: str) -> Mosaic:
    """Draw what a convolution sees all over a photo: at each place the atlas's picture of the leading channel.

    The more unusual the channel is there, the brighter its picture; behind it lies the photo, grey and dark. There are
    at most 28 × 28 places.
    Raises LayerError, PhotoError, AtlasError, and ShelfError if the shelf does not know what is usual.
    """
    convolution = check_places(net, layer)
    sheet = load_atlas().sheet(convolution, net)
    return draw_mosaic(places_of(net, photo, convolution), sheet.tile)
