"""Toy networks: all 31 layers, but only a few channels."""

import torch
from torch import nn

from cnnvis.network.architecture import Architecture
from cnnvis.network.vgg import VGG16, build

TOY_WIDTHS = (4, 4, 6, 6, 8)


def toy(seed: int = 4) -> VGG16:
    """Build a network with all 31 layers but only a few channels, for tests that change its weights.

    He initialisation keeps signals from growing or fading. With the default seed, noise activates every channel.
    """
    torch.manual_seed(seed)
    net = build(Architecture(widths=TOY_WIDTHS))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return net


def conv(net: VGG16, layer: str) -> nn.Conv2d:
    """Return the module of the convolution whose maps `layer` holds."""
    module = net.get_submodule(net.architecture.find(layer).convolution)
    assert isinstance(module, nn.Conv2d)
    return module
