"""What an ascent maximises: a channel's activation, changed where its gradient would say nothing or lead astray."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from cnnvis.maximization.recipes import Settings
from cnnvis.network.architecture import Direction, Target
from cnnvis.network.precision import PLAIN
from cnnvis.network.vgg import VGG16, forward, narrowed

# The recipe's leak makes edges. Once they are there, a map whose mean is still low has to rise as a whole:
LATE = 0.4  # from this share of an ascent on
LATE_LEAK = 0.95  # values below zero then count this much
LOW_MEAN = 0.2  # a mean is low if it is below this share of the map's mean distance from zero

# From the progress of the ascent (0 to 1) and each picture's view (N, 3, S, S) to the activation that is reported and
# the value that is maximised, both (N,).
Objective = Callable[[float, Tensor], tuple[Tensor, Tensor]]


def objective_of(net: VGG16, targets: Sequence[Target], settings: Settings, precision: torch.dtype) -> Objective:
    """Build the objective: for picture i the weighted sum of its target's channels.

    A channel counts by the mean of its map or by its central value; the objective `negative` flips the sign. In a
    convolution a direction is one filter, the weighted sum of its channels': as quick as one channel, and what is below
    zero is so for the direction as a whole.
    """
    layer = targets[0].layer
    computed, weights = _computed(targets, settings)
    body, after = narrowed(net, layer, computed, precision)
    rows = [row for row, direction in enumerate(weights) for _ in direction]
    columns = [column for direction in weights for column in direction]
    mix = torch.zeros(len(targets), len(rows), **PLAIN).to(net.device)
    mix[rows, list(range(len(rows)))] = mix.new_tensor([w for direction in weights for w in direction.values()])
    sign = -1 if settings.objective == "negative" else 1
    # Before ReLU, opposite signs cancel out in the mean of a map: at conv1_1 an edge adds nothing to it.
    leaky = layer.kind == "conv" and settings.leak < 1 and sign > 0

    def value(maps: Tensor) -> Tensor:
        mine = maps[rows, columns]
        height, width = mine.shape[1:]
        return mine[:, height // 2, width // 2] if settings.objective == "centre" else mine.mean((1, 2))

    def objective(progress: float, seen: Tensor) -> tuple[Tensor, Tensor]:
        before = forward(body, seen, precision)
        reached = maximised = value(after(before))
        if settings.redirected and len(after):
            # Where the ReLU is zero there is no gradient: maximise the value before it until something passes.
            maximised = torch.where(reached > 0, reached, value(before))
        if leaky:
            maximised = value(leaky_relu(before, settings.leak))
            if progress >= LATE:
                low = reached < LOW_MEAN * value(before.abs())
                maximised = torch.where(low, value(leaky_relu(before, max(settings.leak, LATE_LEAK))), maximised)
        maximised = sign * (mix @ maximised)
        if settings.headroom:
            scale = mix.abs() @ reached.detach().abs()  # in units of the activation, so one number suits every layer
            maximised = maximised - settings.headroom * scale * crowding(seen)
        return mix @ reached, maximised

    return objective


def _computed(targets: Sequence[Target], settings: Settings) -> tuple[Sequence[int | Direction], list[Direction]]:
    """The channels of the layer to compute, and the weights of those, by their positions, for each target."""
    layer = targets[0].layer
    if layer.kind == "conv" and settings.recipe != "erhan":
        return [target.direction for target in targets], [{position: 1.0} for position in range(len(targets))]
    channels = list(dict.fromkeys(channel for target in targets for channel in target.direction))
    if settings.recipe == "erhan":  # it repeats even the rounding of the original, which computes the whole layer
        channels = list(range(layer.channels))
    return channels, [{channels.index(c): weight for c, weight in target.direction.items()} for target in targets]


def crowding(rgb: Tensor) -> Tensor:
    """How close colours (N, 3, H, W) are to black or white: 0 if none is in the last 5 %, 1 if all are at the end."""
    return ((rgb - 0.5).abs() - 0.45).clamp_min(0).mean((1, 2, 3)) / 0.05
