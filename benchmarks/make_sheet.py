"""Show the recipe `fourier` at a glance: four channels of each of the 13 convolutions on one contact sheet.

    python -m benchmarks.make_sheet [OUT.jpg]

Writes docs/layers.jpg: one column per layer, conv1_1 on the left. The channels are those at one, two, three and four
fifths of the layer. Prints each picture's score.
"""

import sys
from pathlib import Path

import numpy as np

from cnnvis import CONVOLUTIONS, find_layer, load_vgg16, maximize_many, score
from cnnvis.images import contact_sheet, encode

ROWS = 4
TILE_PX, GAP_PX = 150, 6


def main(out: str = "docs/layers.jpg") -> None:
    """Run the ascents layer by layer, and lay the pictures out column by column."""
    net = load_vgg16()
    columns = []
    for layer in CONVOLUTIONS:
        channels = [find_layer(layer).channels * (row + 1) // (ROWS + 1) for row in range(ROWS)]
        *_, last = maximize_many(net, layer, channels, every=float("inf"))
        for snapshot in last:
            reached = score(net, snapshot.picture, layer, snapshot.channel)
            figures = (
                f"{reached.saved_activation:8.2f} robust {reached.robust:8.2f} saturated {reached.saturation:6.1%}"
            )
            print(f"{layer} {snapshot.channel:4}: saved activation {figures}", flush=True)
        columns.append([np.asarray(snapshot.picture.resize((TILE_PX, TILE_PX))) for snapshot in last])
    tiles = np.stack([column[row] for row in range(ROWS) for column in columns])
    Path(out).write_bytes(encode(contact_sheet(tiles, len(columns), GAP_PX), "jpeg"))


if __name__ == "__main__":
    main(*sys.argv[1:])
