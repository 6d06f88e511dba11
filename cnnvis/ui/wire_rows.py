"""The wiring on the page: what a filter reads, and what reads it, as rows of kernels and the atlas's pictures."""

import numpy as np
from PIL import Image
from torch import Tensor

from cnnvis.analysis.wiring import INPUT, Wire, readers, reads
from cnnvis.errors import AtlasError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import encode, signed
from cnnvis.ui.serving import cache as cached
from cnnvis.ui.serving.files import bytes_url, data_url
from cnnvis.ui.serving.gpu import LIGHT_DEVICE

COLOURS = ("red", "green", "blue")
TILE_PX = 64


def reads_row(target: Target, count: int, by: str = "usual") -> str:
    """The strongest channels that a filter reads, as HTML; a click chooses one."""
    net, target = load_vgg16(LIGHT_DEVICE), convolution(target)
    kernels = conv_module(net, target.layer).weight[target.number].float().cpu()
    wires = reads(net, target, by)[:count]
    return _row(net, [(wire, kernels[wire.channel]) for wire in wires], "reads")


def readers_row(target: Target, count: int, by: str = "usual") -> str:
    """The filters of the next convolution that read a channel most, as HTML; the classifier reads the last ones."""
    net, target = load_vgg16(LIGHT_DEVICE), convolution(target)
    wires = readers(net, target, by)[:count]
    if not wires:
        return '<p class="quiet">The classifier reads it, and nothing else.</p>'
    module = conv_module(net, net.architecture.find(wires[0].layer))
    return _row(net, [(wire, module.weight[wire.channel, target.number].float().cpu()) for wire in wires], "is read by")


def _row(net: VGG16, wired: list[tuple[Wire, Tensor]], how: str) -> str:
    """Cells for wires with their kernels (3, 3), all on one signed scale."""
    scale = max(float(kernel.abs().max()) for _, kernel in wired)
    cells = [_cell(net, wire, Image.fromarray(np.asarray(signed(kernel, scale))), how) for wire, kernel in wired]
    return f'<div class="wires">{"".join(cells)}</div>'


def _cell(net: VGG16, wire: Wire, kernel: Image.Image, how: str) -> str:
    """A kernel, the picture of the other end, and in words its number, its sign and its share."""
    share = f"{'−' if wire.sum < 0 else '+'}{100 * wire.share:.1f} %"
    shown = f'<img class="sharp-kernel" src="{data_url(kernel)}" alt="">'
    if wire.layer == INPUT:
        return f'<span class="wire">{shown}<i>{COLOURS[wire.channel]} {share}</i></span>'
    try:
        tile = cached.atlas_sheet(net.architecture.find(wire.layer)).tile(wire.channel).resize((TILE_PX, TILE_PX))
        shown += f'<img src="{bytes_url(encode(tile, "jpeg"), "jpeg")}" alt="">'
    except AtlasError:  # the kernel alone
        pass
    sign = "inhibiting" if wire.sum < 0 else "exciting"
    words = f"{how} {wire.layer} channel {wire.channel}, {sign}, {100 * wire.share:.1f} % of the filter"
    about = f'data-layer="{wire.layer}" data-channel="{wire.channel}" title="{words}" aria-label="{words}"'
    return f'<button type="button" class="wire" {about}>{shown}<i>{wire.channel} <b>{share}</b></i></button>'
