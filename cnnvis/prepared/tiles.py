"""The tiles that show photos and grown pictures, all of one size and scale.

A layer's tile shows as much of a picture as one value of its maps sees, within limits (`picture_px`).
"""

from PIL import Image, ImageDraw

from cnnvis.network.architecture import Layer

TILE_PX, GAP_PX = 96, 2
SHARP_PX = 24  # pieces up to this size are enlarged so that their pixels stay visible
OUTLINED = 0.8  # a receptive field is outlined if it takes up at most this share of a tile's side
MIN_PX, MAX_PX, STEP_PX = 16, 160, 8
GREY = (128, 128, 128)


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
