"""A filter's largest kernels, each beside the atlas's picture of the channel that it reads, as buttons."""

from cnnvis.architecture import Target
from cnnvis.errors import AtlasError
from cnnvis.filters import largest_kernels
from cnnvis.images import encode
from cnnvis.stock.atlas import convolution
from cnnvis.ui import cached
from cnnvis.ui.files import bytes_url, data_url
from cnnvis.ui.zero import LIGHT_DEVICE
from cnnvis.weights import load_vgg16

COLOURS = ("red", "green", "blue")


def kernel_row(target: Target, count: int) -> str:
    """The `count` largest kernels of a channel's filter as HTML; a click chooses the channel that one reads."""
    net, target = load_vgg16(LIGHT_DEVICE), convolution(target)
    kernels = largest_kernels(net, target, count)
    if target.layer.depth == 1:
        cells = [_cell(data_url(kernel), "", COLOURS[channel]) for channel, kernel in kernels]
        return f'<div class="reads">{"".join(cells)}</div>'
    before = net.architecture.find(net.architecture.convolutions[target.layer.depth - 2])
    cells = []
    for channel, kernel in kernels:
        read = Target(before, {channel: 1.0})
        try:
            tile = bytes_url(encode(cached.atlas_sheet(before).tile(channel), "jpeg"), "jpeg")
        except AtlasError:
            tile = ""
        cells.append(
            f'<button type="button" data-layer="{before.name}" data-channel="{channel}" title="{read}"'
            f' aria-label="kernel for {read}">{_cell(data_url(kernel), tile, str(channel))}</button>'
        )
    return f'<div class="reads">{"".join(cells)}</div>'


def _cell(kernel: str, tile: str, name: str) -> str:
    pictures = f'<img class="sharp-kernel" src="{kernel}" alt="">' + (f'<img src="{tile}" alt="">' if tile else "")
    return f'<span class="kernel">{pictures}<i>{name}</i></span>'
