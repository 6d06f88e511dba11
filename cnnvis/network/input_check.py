"""Whether weights expect the input they get here, RGB normalised as for ImageNet; their first layer tells.

Weights made for Caffe have the same names and shapes, but expect BGR from 0 to 255. Our input is some sixty times
smaller and looks to them like an even grey: the first layer responds nearly the same everywhere.
"""

from functools import cache

import torch

from cnnvis.errors import PhotoError
from cnnvis.network.usual import SHELF
from cnnvis.network.vgg import VGG16, cut, forward
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import open_photo

PHOTOS = 4  # of the bundled shelf
# How far the first layer's responses vary around their means, as a share of the means: 1.2 for the published weights,
# 1.0 to 1.7 for changed or random ones and those made for RGB in [0, 1] or [−1, 1], 0.05 for those made for 0 to 255.
LEAST_VARIATION = 0.3
INPUT_WARNING = (
    "The first layer barely responds to image content; these weights seem to expect other input, "
    "such as Caffe's (BGR from 0 to 255). What you see of them means little."
)


@cache
def input_warning(net: VGG16) -> str | None:
    """A warning if the network's first layer barely responds to the content of photos, otherwise None."""
    files = sorted((SHELF / "photos").glob("*"))
    try:
        photos = [open_photo(file) for file in files[:: len(files) // PHOTOS or 1]]
    except PhotoError:
        return None
    if not photos:
        return None
    rgb = torch.cat([to_tensor(crop_like_training(photo)) for photo in photos[:PHOTOS]]).to(net.device)
    with torch.inference_mode():
        maps = forward(cut(net, net.architecture.layers[1]), rgb).transpose(0, 1).flatten(1)
    return INPUT_WARNING if variation(maps) <= LEAST_VARIATION else None


def variation(responses: torch.Tensor) -> float:
    """How far responses (channels, N) vary around each channel's mean, over all channels, as a share of the means."""
    deviations, means = responses.std(1), responses.mean(1)
    return float(deviations.norm() / means.norm()) if means.any() else 0.0
