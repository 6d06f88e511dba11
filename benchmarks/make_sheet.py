"""Show the recipe `fourier` at a glance: four channels of each of the 13 convolutions, each with three photos below.

    python -m benchmarks.make_sheet [OUT.jpg]

Writes docs/layers.jpg: one column per layer, conv1_1 on the left. The channels are those at one, two, three and four
fifths of the layer. Below each picture are the patches of the shelf's photos that excite the channel most, each the
size of its receptive field. Prints each picture's score.
"""

import sys
from pathlib import Path

from PIL import Image

from benchmarks.before import evenly
from cnnvis import CONVOLUTIONS, load_vgg16, maximize, score
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.pictures.images import SHEET_BACKGROUND, encode
from cnnvis.prepared.shelf import load_shelf, patch_tile

ROWS, PHOTOS = 4, 3
TILE_PX, GAP_PX = 150, 6
PATCH_PX = TILE_PX // PHOTOS


def main(out: str = "docs/layers.jpg") -> None:
    """Run the ascents layer by layer, and lay the pictures out column by column."""
    net = load_vgg16()
    across, down = TILE_PX + GAP_PX, TILE_PX + PATCH_PX + GAP_PX
    sheet = Image.new("RGB", (len(CONVOLUTIONS) * across, ROWS * down), SHEET_BACKGROUND)
    for column, layer in enumerate(CONVOLUTIONS):
        for row, channel in enumerate(evenly(layer, ROWS)):
            *_, last = maximize(net, layer, channel, every=float("inf"))
            reached = score(net, last.picture, layer, channel)
            figures = f"robust {reached.robust:8.2f} saturated {reached.saturation:6.1%}"
            print(f"{layer} {channel:4}: saved activation {reached.saved_activation:8.2f} {figures}", flush=True)
            sheet.paste(above_its_photos(last.picture, layer, channel), (column * across, row * down))
    Path(out).write_bytes(encode(sheet, "jpeg"))


def above_its_photos(picture: Image.Image, layer: str, channel: int) -> Image.Image:
    """A picture above the three best exemplars of its channel."""
    tile = Image.new("RGB", (TILE_PX, TILE_PX + PATCH_PX))
    tile.paste(picture.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS))
    shelf = load_shelf()
    for number, exemplar in enumerate(shelf.exemplars(ARCHITECTURE.target(layer, channel), PHOTOS)):
        patch = patch_tile(shelf, exemplar).resize((PATCH_PX, PATCH_PX), Image.Resampling.LANCZOS)
        tile.paste(patch, (number * PATCH_PX, TILE_PX))
    return tile


if __name__ == "__main__":
    main(*sys.argv[1:])
