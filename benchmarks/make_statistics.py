"""Measure what every channel of VGG16 usually answers: its mean and deviation on the example photos.

    python -m benchmarks.make_statistics

Writes cnnvis/assets/photo_statistics.safetensors: for each of the 31 layers a tensor (2, channels) of float32, the mean
and the standard deviation over all places of all photos in examples/, prepared as VGG16 was trained. Scores compare a
picture's effect on its channel with that on the layer's other channels by these.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from cnnvis.images import crop_like_training, open_photo, to_tensor
from cnnvis.vgg import LAYERS
from cnnvis.weights import STATISTICS, load_vgg16

PHOTOS = sorted((Path(__file__).parents[1] / "examples").glob("*.jpg"))


def measure() -> dict[str, torch.Tensor]:
    """Layer name to (2, channels): mean and standard deviation, float32."""
    net = load_vgg16("cpu")
    values = torch.cat([to_tensor(crop_like_training(open_photo(photo))) for photo in PHOTOS])
    measured = {}
    with torch.inference_mode():
        for name, step in net.named_children():
            values = step(values)
            if name in {layer.name for layer in LAYERS}:
                flat = values.transpose(0, 1).flatten(1)
                measured[name] = torch.stack([flat.mean(1), flat.std(1)]).contiguous()
    return measured


if __name__ == "__main__":
    about = json.dumps({"photos": [photo.name for photo in PHOTOS], "made by": "benchmarks/make_statistics.py"})
    save_file(measure(), STATISTICS, metadata={"about": about})
    print(f"{STATISTICS.name}: {STATISTICS.stat().st_size} bytes from {len(PHOTOS)} photos")
