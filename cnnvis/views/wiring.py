"""The wiring of a filter: rows of kernels, each with what the filter at its other end looks for."""

from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from cnnvis.analysis.own_kernel import COLOURS
from cnnvis.analysis.wiring import INPUT, Wire
from cnnvis.network.architecture import Target
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.pictures.images import signed
from cnnvis.views.html import Tile, channel_button, image_at, image_tag


def reads_row(net: VGG16, target: Target, wires: Sequence[Wire], tile: Tile) -> str:
    """What a convolution's filter reads, as HTML; a click chooses one."""
    kernels = conv_module(net, target.layer).weight[target.number].float().cpu()
    return _row(net, wires, kernels, "reads", tile)


def readers_row(net: VGG16, target: Target, wires: Sequence[Wire], tile: Tile) -> str:
    """The filters of the next convolution that read a channel, as HTML; the last layer has none."""
    if not wires:
        return '<p class="quiet">Only the classifier reads it.</p>'
    kernels = conv_module(net, net.architecture.find(wires[0].layer)).weight[:, target.number].float().cpu()
    return _row(net, wires, kernels, "is read by", tile)


def _row(net: VGG16, wires: Sequence[Wire], kernels: Tensor, how: str, tile: Tile) -> str:
    """Cells for wires with their kernels, of one (3, 3) for each channel, all on one signed scale."""
    scale = max(float(kernels[wire.channel].abs().max()) for wire in wires)
    pictures = [Image.fromarray(signed(kernels[wire.channel], scale)) for wire in wires]
    cells = [_wire(net, wire, picture, how, tile) for wire, picture in zip(wires, pictures, strict=True)]
    return f'<div class="wires">{"".join(cells)}</div>'


def _wire(net: VGG16, wire: Wire, kernel: Image.Image, how: str, tile: Tile) -> str:
    """A kernel, the picture of the other end, and in words its number, its sign and its share."""
    sign, kind = ("−", "inhibiting") if wire.sum < 0 else ("+", "exciting")
    share = f"{100 * wire.share:.1f} %"
    pictures = image_tag(kernel, kind="png", looks="sharp-kernel")
    if wire.layer == INPUT:
        return f'<span class="wire">{pictures}<i>{COLOURS[wire.channel]} {sign}{share}</i></span>'
    pictures += image_at(tile(net.architecture.find(wire.layer), wire.channel))
    words = f"{how} {wire.layer} channel {wire.channel}, {kind}, {share} of the filter"
    inside = f"{pictures}<i>{wire.channel} <b>{sign}{share}</b></i>"
    return channel_button(inside, "wire", wire.layer, wire.channel, words)
