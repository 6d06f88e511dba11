"""Draw four pictures as they grow: docs/growing.webp, the animation at the top of the README.

    python -m benchmarks.make_growing [OUT.webp]

Grows four channels of deep layers with the recipe `fourier` and shows a snapshot every few steps.
"""

import sys

import numpy as np
from PIL import Image

from cnnvis import load_vgg16, maximize
from cnnvis.pictures.images import contact_sheet

SHOWN = (("conv4_1", 204), ("conv4_2", 409), ("conv4_3", 307), ("conv5_3", 307))
TILE_PX, GAP_PX = 190, 6
FRAMES, FRAME_MS, HELD_MS = 28, 110, 2500


def main(out: str = "docs/growing.webp") -> None:
    """Run four ascents, keep the same number of snapshots from each, and place them side by side."""
    net = load_vgg16()
    columns = []
    for layer, channel in SHOWN:
        pictures = [snapshot.picture for snapshot in maximize(net, layer, channel, every=0)]
        moments = np.linspace(0, len(pictures) - 1, FRAMES).round().astype(int)
        columns.append([np.asarray(pictures[i].resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)) for i in moments])
    frames = [contact_sheet(np.stack(tiles), len(SHOWN), GAP_PX) for tiles in zip(*columns, strict=True)]
    times = [FRAME_MS] * (FRAMES - 1) + [HELD_MS]
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=55, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
