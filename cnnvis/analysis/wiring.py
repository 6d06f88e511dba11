"""The wiring: the channels that a filter gives its largest weights, and the filters that give it theirs.

Everything is read off the weights. Pooling in between keeps the numbers of the channels.
"""

from dataclasses import dataclass

from torch import Tensor

from cnnvis.checks import whole_between
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.vgg import VGG16, architecture_of, conv_module
from cnnvis.version import Recorded

MOST_WIRES = 64
INPUT = "input"  # what conv1_1 reads: its channels 0, 1 and 2 are red, green and blue


@dataclass(frozen=True)
class Wire:
    """One kernel, between a channel and the filter that reads it; layer and channel are those of the other end."""

    layer: str
    channel: int
    norm: float  # the kernel's L2 norm
    sum: float  # of its nine weights: whether it excites or inhibits on the whole
    share: float  # of the reading filter's squared norm, 0 to 1
    usual: float | None  # norm times the shelf's mean, after ReLU, of the channel that is read; None: unknown


@dataclass(frozen=True)
class Wiring(Recorded):
    """What a filter reads, and which filters read it, strongest first."""

    layer: str
    channel: int
    reads: list[Wire]
    readers: list[Wire]  # none for the last convolution, which the classifier reads


def wiring(net: VGG16, layer: str, channel: int | None = None, count: int = 8) -> Wiring:
    """Find what a filter reads and what reads it: the `count` strongest of each, 1 to 64.

    The strongest are those that usually carry most: a large kernel on a silent channel does nothing. Without a shelf
    the norm alone counts. Raises LayerError, ChannelError, SettingError.
    """
    target = architecture_of(net).target(layer, channel, kind="conv")
    count = whole_between("count", count, 1, MOST_WIRES)
    return Wiring(target.layer.name, target.number, reads(net, target)[:count], readers(net, target)[:count])


def reads(net: VGG16, target: Target, by: str = "usual") -> list[Wire]:
    """All that a filter reads, by "usual" or "norm"; a ReLU or pool stands for its convolution."""
    kernels = conv_module(net, target.layer).weight[target.number].float().cpu()
    before = neighbour(net, target.layer, -1)
    means = None if before is None else _means(net, before)
    squared_norm = kernels.square().sum().expand(len(kernels))
    return strongest_first(_wires(before.name if before else INPUT, kernels, squared_norm, means), by)


def readers(net: VGG16, target: Target, by: str = "usual") -> list[Wire]:
    """All filters of the next convolution that read a channel, by "usual" or "norm"; none for the last one."""
    after = neighbour(net, target.layer, 1)
    if after is None:
        return []
    filters = conv_module(net, after).weight.float().cpu()
    means = _means(net, net.architecture.convolution_of(target.layer))
    mine = None if means is None else means[target.number].expand(len(filters))
    wires = _wires(after.name, filters[:, target.number], filters.square().sum((1, 2, 3)), mine)
    return strongest_first(wires, by)


def strongest_first(wires: list[Wire], by: str) -> list[Wire]:
    """Sort wires by what they usually carry, where that is known, or by their norm."""
    if by == "usual" and all(wire.usual is not None for wire in wires):
        return sorted(wires, key=lambda wire: -(wire.usual or 0.0))
    return sorted(wires, key=lambda wire: -wire.norm)


def neighbour(net: VGG16, layer: Layer, offset: int) -> Layer | None:
    """The convolution before (−1) or after (1) a layer's own: what it reads, or what reads it; None at either end."""
    names = net.architecture.convolutions
    at = names.index(layer.convolution) + offset
    return net.architecture.find(names[at]) if 0 <= at < len(names) else None


def _means(net: VGG16, layer: Layer) -> Tensor | None:
    """The mean of each channel after ReLU on the shelf's photos, (channels,); None: unknown."""
    return (net.mean_activation or {}).get(layer.name)


def _wires(layer: str, kernels: Tensor, squared_norms: Tensor, means: Tensor | None) -> list[Wire]:
    """Wires for kernels (N, 3, 3), with the squared norms of the reading filters (N,) and the means of what is read."""
    norms = kernels.flatten(1).norm(dim=1)
    shares = norms.square() / squared_norms.clamp_min(1e-30)
    usual = [None] * len(kernels) if means is None else (norms * means).tolist()
    columns = zip(norms.tolist(), kernels.sum((1, 2)).tolist(), shares.tolist(), usual, strict=True)
    return [Wire(layer, number, *column) for number, column in enumerate(columns)]
