"""Measure how strongly every channel of VGG16 usually responds: its map's mean over the photos of the bundled shelf.

    python -m benchmarks.make_statistics

Writes cnnvis/assets/photo_statistics.safetensors. For each of the 31 layers it holds a float32 tensor (2, channels):
the map's mean averaged over the photos, and its standard deviation from photo to photo (n − 1). `photos` is how many
there were. Scores use them to compare how far a picture lifts its own channel and the others of the layer.
"""

import json

import torch
from safetensors.torch import save_file

from cnnvis.analysis.maps import compute_maps
from cnnvis.network.usual import STATISTICS
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf import BUNDLED

PHOTOS = sorted((BUNDLED / "photos").iterdir())


def measure() -> dict[str, torch.Tensor]:
    """By layer name (2, channels): average and standard deviation; and the number of photos."""
    net = load_vgg16("cpu")
    layers = net.architecture.layers
    photos = [[maps.strength for maps in compute_maps(net, open_photo(photo), layers, "network")] for photo in PHOTOS]
    tables = {}
    for layer, strengths in zip(layers, zip(*photos, strict=True), strict=True):
        means = torch.stack(strengths)  # (photos, channels)
        tables[layer.name] = torch.stack([means.mean(0), means.std(0)])
    return {**tables, "photos": torch.tensor(len(PHOTOS))}


if __name__ == "__main__":
    about = json.dumps({"photos": "the bundled shelf", "made by": "benchmarks/make_statistics.py"})
    save_file(measure(), STATISTICS, metadata={"about": about})
    print(f"{STATISTICS.name}: {STATISTICS.stat().st_size} bytes from {len(PHOTOS)} photos")
