"""A filter on a photo, by layer and channel, as the page looks it up."""

from typing import Any

from cnnvis.analysis.arithmetic import Applied, apply_to_maps
from cnnvis.analysis.around import Surroundings, follow, last_of_block
from cnnvis.analysis.filters import Expanded, draw_expanded
from cnnvis.analysis.maps import compute_maps
from cnnvis.analysis.own_kernel import OwnMap, apply_to_seen, check_kernel
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import crop_like_training
from cnnvis.pictures.photo import Photo, open_photo


def apply_filter(net: VGG16, photo: Photo, layer: str, channel: int) -> Applied:
    """Lay one filter of a convolution over a photo."""
    target = net.architecture.target(layer, channel, kind="conv")
    return apply_to_maps(net, compute_maps(net, open_photo(photo), [target.layer], "network")[0], target.number)


def apply_kernel(net: VGG16, photo: Photo, kernel: Any, bias: object = 0.0) -> OwnMap:
    """Apply 3×3 weights to a photo as conv1_1 would."""
    return apply_to_seen(net, crop_like_training(open_photo(photo)), check_kernel(kernel, bias))


def expanded(net: VGG16, layer: str, channel: int) -> Expanded:
    """Expand a filter of conv1_2 or conv2_1."""
    return draw_expanded(net, net.architecture.target(layer, channel, kind="conv"))


def surroundings(net: VGG16, photo: Photo, layer: str, channel: int, row: int, column: int) -> Surroundings:
    """Follow one value of a convolution's map through ReLU and the next pool, and back to what it sees."""
    target = net.architecture.target(layer, channel, kind="conv")
    wanted = dict.fromkeys((target.layer, last_of_block(net.architecture, target.layer)))
    maps = compute_maps(net, open_photo(photo), list(wanted), "network")
    return follow(net.architecture, maps[0], maps[-1], target.number, (row, column))
