"""Activation maximization: a picture grown from noise by gradient ascent until it excites one channel.

Erhan, Bengio, Courville & Vincent, "Visualizing Higher-Layer Features of a Deep Network", 2009. The recipe `erhan` is
what the notebooks of 2020 do; `fourier` follows Olah, Mordvintsev & Schubert, "Feature Visualization", Distill 2017.
"""

import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from cnnvis.canvas import Canvas, View, new_canvas
from cnnvis.errors import ChannelError, SettingError
from cnnvis.images import Photo, Pictured, open_photo, to_picture
from cnnvis.recipes import Ascent, settle
from cnnvis.vgg import (
    Mixture,
    channels_of,
    check_mixture,
    convolution_name,
    cut,
    exact,
    fast_dtype,
    find_layer,
    forward,
)

SNAPSHOT_SECONDS = 0.15  # between two pictures on their way up, on average: between six and seven a second


@dataclass(frozen=True, repr=False)
class Snapshot(Pictured):
    """One event of the ascent, with the picture as it is after this step's update."""

    picture: Image.Image
    step: int  # 0 is the start picture
    steps: int  # how many there will be at most
    activation: float | None  # what the loop saw in evaluation `step`, before its update; None at step 0
    seconds: float  # since the ascent began
    layer: str
    channel: int | Mixture
    settings: Ascent
    build: dict[str, Any]  # versions, device, precision, threads, weights: what else the picture depends on
    last: bool
    curve: tuple[float, ...] = ()  # the activation of every evaluation so far, those without a snapshot too

    def record(self) -> dict[str, Any]:
        """Everything but the picture, as plain values."""
        settings = asdict(self.settings)
        short = {name: settings[name] for name in ("recipe", "seed", "size")}
        mine = {name: getattr(self, name) for name in ("step", "steps", "activation", "seconds", "layer", "channel")}
        return {**mine, **short, "settings": settings, "build": self.build}


def maximize(
    net: nn.Sequential,
    layer: str,
    channel: int | Mixture,
    settings: Ascent | str = "fourier",
    *,
    start: Photo | None = None,
    every: float = SNAPSHOT_SECONDS,
    **overrides: Any,
) -> Iterator[Snapshot]:
    """Grow the picture that excites one channel of a layer, and yield snapshots on the way.

    `channel` is a number, or several with a weight each, {17: 1.0, 42: -0.5}, whose weighted sum is climbed.
    `settings` is an Ascent or a recipe's name, `overrides` are fields of Ascent; `start` is a photo to start from
    instead of noise. Step 0 and the last step are always yielded, others every `every` seconds, or after each step
    where that takes longer. The same seed gives the same picture, bit for bit, on one machine with one precision and
    one number of threads, unless `seconds` ends the ascent.
    Raises LayerError, ChannelError, SettingError or PhotoError at once, not at the first step.
    """
    batch = maximize_many(net, layer, [channel], settings, start=start, every=every, **overrides)
    return (snapshots[0] for snapshots in batch)


def maximize_many(
    net: nn.Sequential,
    layer: str,
    channels: Sequence[int | Mixture],
    settings: Ascent | str = "fourier",
    *,
    start: Photo | None = None,
    every: float = SNAPSHOT_SECONDS,
    **overrides: Any,
) -> Iterator[list[Snapshot]]:
    """Grow pictures for several channels of a layer in one batch, each as `maximize` alone would.

    Yields lists of snapshots in the order of `channels`. A batch rounds otherwise than a single picture, and what is a
    rounding at the first step grows from step to step. Otherwise as `maximize`.
    """
    found = find_layer(layer)
    count = channels_of(net, found.name)
    mixtures = [check_mixture(channel, count, found.name) for channel in channels]
    if not mixtures:
        raise ChannelError(f"no channel was given: choose from 0 to {count - 1} of {found.name}.")
    device = next(net.parameters()).device
    settled = settle(settings, found, device, **overrides)
    if start is None and settled.recipe == "deepdream":
        raise SettingError("recipe deepdream grows out of a photo: give one to start from.")
    if start is not None and settled.parameterisation == "phase":
        raise SettingError("phases alone (recipe maco) keep nothing of a photo: leave the start out, or use deepdream.")
    return _climb(net, found.name, mixtures, settled, None if start is None else open_photo(start), every)


# From each picture's view (N, 3, S, S) to what is reported and what is climbed, both (N,).
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]


def _climb(
    net: nn.Sequential, layer: str, mixtures: list[Mixture], settings: Ascent, start: Image.Image | None, every: float
) -> Iterator[list[Snapshot]]:
    device = next(net.parameters()).device
    precision = fast_dtype(device) if settings.precision == "auto" else torch.float32
    began_with = None if start is None else hashlib.sha256(start.tobytes()).hexdigest()  # its pixels
    build = {**build_record(net, precision), "start_sha256": began_with}
    names = [next(iter(mixture)) if list(mixture.values()) == [1.0] else mixture for mixture in mixtures]
    begun = time.perf_counter()
    due = begun + every
    generator = torch.Generator().manual_seed(settings.seed)  # on the CPU, so that every device starts alike
    with torch.inference_mode(False):  # tensors made in somebody's inference mode could not be climbed with
        canvas = new_canvas(settings, len(mixtures), start, generator, device)
        objective = _objective(net, layer, mixtures, settings, precision)
    view = View(settings.view, settings.jitter, settings.zoom, settings.turn)
    betas = settings.momentum, settings.smoothing
    optimiser = torch.optim.Adam([canvas.values], settings.learning_rate, betas, weight_decay=settings.weight_decay)

    seen: list[Tensor] = []  # of each step the activations (N,); still on the device, which is not waited for
    curves: list[tuple[float, ...]] = [()] * len(mixtures)

    def snapshots(step: int, last: bool) -> list[Snapshot]:
        nonlocal curves
        seconds = time.perf_counter() - begun
        if seen:
            curves = [(*curve, *new) for curve, new in zip(curves, torch.stack(seen, 1).tolist(), strict=True)]
            seen.clear()
        with torch.no_grad():
            pictures = [to_picture(rgb) for rgb in canvas.rgb()]
        return [
            Snapshot(
                picture, step, settings.steps, curve[-1] if curve else None, seconds, layer, channel, settings, build,
                last, curve,
            )
            for picture, curve, channel in zip(pictures, curves, names, strict=True)
        ]  # fmt: skip

    yield snapshots(0, False)
    for step in range(1, settings.steps + 1):
        spent = (time.perf_counter() - begun) / settings.seconds if settings.seconds else 0.0
        progress = max((step - 1) / settings.steps, spent)
        optimiser.param_groups[0]["lr"] = settings.learning_rate * _slowed(settings, progress)
        seen.append(_update(canvas, view, objective, optimiser, generator))
        now = time.perf_counter()
        last = step == settings.steps or 0 < settings.seconds <= now - begun
        if last or now >= due:  # nothing else waits for the device
            yield snapshots(step, last)
            # By the clock, not so long after the last one: steps of 0.11 s would show a picture only every 0.22 s.
            due = max(due, now - every) + every + time.perf_counter() - now  # a listener's own time is not counted
        if last:
            return


def _slowed(settings: Ascent, progress: float) -> float:
    """What is left of the learning rate when `progress` (0 to 1) of the ascent is done."""
    return min(1.0, max(0.0, 1 - progress) / settings.decline) if settings.decline else 1.0


def _update(
    canvas: Canvas, view: View, objective: Objective, optimiser: torch.optim.Optimizer, generator: torch.Generator
) -> Tensor:
    """One step up; returns the activations (N,) seen before it. No torch state outlives the call."""
    with exact(canvas.values.device), torch.inference_mode(False), torch.enable_grad():
        seen = view.of(canvas.rgb(), generator)
        activations, climbed = objective(seen)
        # For the canvas alone: the weights are shared between visitors and never written.
        (canvas.values.grad,) = torch.autograd.grad(-climbed.sum(), canvas.values)
        optimiser.step()
    return activations.detach()


def _objective(
    net: nn.Sequential, layer: str, mixtures: list[Mixture], settings: Ascent, precision: torch.dtype
) -> Objective:
    """Picture i climbs `mixtures[i]`, the weighted sum of its channels: of each map the mean, or the centre's value."""
    source = convolution_name(layer)
    body, after = cut(net, source), cut(net, layer)[len(cut(net, source)) :]
    rows = [row for row, mixture in enumerate(mixtures) for _ in mixture]
    channels = [channel for mixture in mixtures for channel in mixture]
    weights = [weight for mixture in mixtures for weight in mixture.values()]
    mix = torch.zeros(len(mixtures), len(channels), device=next(net.parameters()).device)
    mix[rows, list(range(len(rows)))] = mix.new_tensor(weights)
    sign = -1 if settings.objective == "negative" else 1

    def value(maps: Tensor) -> Tensor:
        mine = maps[rows, channels]
        height, width = mine.shape[1:]
        return mine[:, height // 2, width // 2] if settings.objective == "centre" else mine.mean((1, 2))

    def objective(seen: Tensor) -> tuple[Tensor, Tensor]:
        before = forward(body, seen, precision)
        reached = climbed = value(after(before))
        if settings.redirected and len(after):
            # Where a ReLU lets nothing through there is no slope: climb what it holds back, until something passes.
            climbed = torch.where(reached > 0, reached, value(before))
        climbed = sign * (mix @ climbed)
        if settings.headroom:
            # In units of the activation, so that one number serves every layer.
            climbed = climbed - settings.headroom * (mix.abs() @ reached.detach().abs()) * _crowding(seen)
        return mix @ reached, climbed

    return objective


def _crowding(rgb: Tensor) -> Tensor:
    """How far the colours of pictures (N, 3, H, W) crowd the last 5 % before black and white: 0 not at all, 1 all."""
    return ((rgb - 0.5).abs() - 0.45).clamp_min(0).mean((1, 2, 3)) / 0.05


def build_record(net: nn.Sequential, precision: torch.dtype) -> dict[str, Any]:
    """What a picture depends on besides its settings, as plain values."""
    device = next(net.parameters()).device
    origin = getattr(net, "origin", None)
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "precision": str(precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "weights_sha256": origin.sha256 if origin else None,
    }
