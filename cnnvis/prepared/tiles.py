"""The tiles that show photos and grown pictures, all of one size and scale.

A layer's tile shows as much of a picture as one value of its maps sees, within limits (`picture_px`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from cnnvis.analysis.patches import moved_inside
from cnnvis.errors import PhotoError
from cnnvis.network.architecture import Layer, Target
from cnnvis.pictures.images import PHOTO_SIDE, contact_sheet

if TYPE_CHECKING:  # the shelf draws its exemplars with this module
    from cnnvis.prepared.shelf import Exemplar, Shelf

TILE_PX, GAP_PX = 96, 2
SHARP_PX = 24  # pieces up to this size are enlarged so that their pixels stay visible
OUTLINED = 0.8  # a receptive field is outlined if it takes up at most this share of a tile's side
MIN_PX, MAX_PX, STEP_PX = 16, 160, 8
GREY = (128, 128, 128)
BEST_PX, BEST_COLUMNS = 48, 16  # of the sheet with every channel's best photo


def picture_px(layer: Layer) -> int:
    """How many px of a grown picture a convolution's tile shows: its receptive field, rounded up, 16 to 160."""
    return min(MAX_PX, max(MIN_PX, -(-layer.receptive_field // STEP_PX) * STEP_PX))


def is_outlined(layer: Layer) -> bool:
    """Whether a tile shows clearly more than what one value of the layer sees."""
    return layer.receptive_field <= OUTLINED * picture_px(layer)


def tile(piece: Image.Image) -> Image.Image:
    """Scale a square piece of a picture to the size of a tile."""
    sharp = piece.width <= SHARP_PX
    return piece.resize((TILE_PX, TILE_PX), Image.Resampling.NEAREST if sharp else Image.Resampling.BICUBIC)


def middle(picture: Image.Image, side: int) -> Image.Image:
    """The middle `side` px of a picture."""
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def words_tile(words: str) -> Image.Image:
    """A tile that says why there is no picture."""
    empty = Image.new("RGB", (TILE_PX, TILE_PX), GREY)
    ImageDraw.Draw(empty).multiline_text((8, 8), words, "white")
    return empty


def scale_box(exemplar: "Exemplar", layer: Layer) -> tuple[int, int, int, int]:
    """What a tile shows of an exemplar's photo, in px of the 224 px crop: as much as of a grown picture."""
    side, field = picture_px(layer), layer.receptive_field
    left, top, _, _ = layer.field(exemplar.row, exemplar.column)
    left, top = (edge + (field - side) // 2 for edge in (left, top))
    return moved_inside((left, top, left + side, top + side), PHOTO_SIDE)


def best_photos(shelf: "Shelf", layer: Layer) -> Image.Image:
    """Every channel's strongest exemplar on one sheet. Raises ShelfError."""
    best = [shelf.exemplars(Target(layer, {channel: 1.0}), 1)[0] for channel in range(layer.channels)]
    return small_pieces(shelf, layer, best)


def small_pieces(shelf: "Shelf", layer: Layer, exemplars: "Sequence[Exemplar]") -> Image.Image:
    """Exemplars of a layer on one sheet, at the scale of the atlas; black where a photo cannot be read.

    Tile i starts at ((i % 16)·48, (i // 16)·48) px. Each photo is opened once.
    """
    tiles = np.zeros((len(exemplars), BEST_PX, BEST_PX, 3), np.uint8)
    by_photo: dict[int, list[int]] = {}
    for number, exemplar in enumerate(exemplars):
        by_photo.setdefault(exemplar.photo, []).append(number)
    for photo_number, numbers in by_photo.items():
        try:
            photo = shelf.open(photo_number)
        except PhotoError:
            continue
        for number in numbers:
            piece = photo.crop(scale_box(exemplars[number], layer))
            tiles[number] = np.asarray(piece.resize((BEST_PX, BEST_PX), Image.Resampling.BICUBIC))
    return contact_sheet(tiles, BEST_COLUMNS, 0)
