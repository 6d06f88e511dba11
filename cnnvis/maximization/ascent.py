"""Activation maximization: a picture grown from noise, step by step, so that it activates a channel more and more.

Erhan, Bengio, Courville & Vincent, "Visualizing Higher-Layer Features of a Deep Network", 2009. The recipe `erhan`
repeats the original notebooks (2020); `fourier` follows Olah, Mordvintsev & Schubert, "Feature Visualization", 2017.
"""

import hashlib
import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cnnvis.errors import ChannelError, SettingError
from cnnvis.maximization.canvas import Canvas, FourierCanvas, RandomView, new_canvas
from cnnvis.maximization.objective import objective_of
from cnnvis.maximization.recipes import Settings, settle
from cnnvis.network.architecture import Direction, Target, Targeted
from cnnvis.network.precision import full_precision, precision_of
from cnnvis.network.vgg import VGG16, architecture_of
from cnnvis.pictures.images import Pictured, to_picture
from cnnvis.pictures.photo import Photo, open_photo
from cnnvis.version import __version__

BLURRED = 0.65  # share of an ascent over which the blur of the views falls to zero; the rest sharpens the picture
SNAPSHOT_SECONDS = 0.15  # between two snapshots, on average: six or seven a second


@dataclass(frozen=True, repr=False)
class Snapshot(Targeted, Pictured):
    """One picture of an ascent, after one step's update."""

    picture: Image.Image
    step: int  # 0 is the start picture
    steps: int  # the most there can be
    activation: float | None  # measured before this step's update, that is, on the previous picture; None at step 0
    seconds: float  # since the ascent began
    target: Target
    settings: Settings
    build: dict[str, Any]  # versions, device, precision, threads, weights: what else the picture depends on
    last: bool
    curve: tuple[float, ...] = ()  # the activation at every step so far, including steps without a snapshot

    def record(self) -> dict[str, Any]:
        """The snapshot as plain values, without its picture, `last` and `curve`."""
        settings = asdict(self.settings)
        short = {name: settings[name] for name in ("recipe", "seed", "size")}
        mine = {name: getattr(self, name) for name in ("step", "steps", "activation", "seconds", "layer")}
        return {**mine, "channel": self.target.written, **short, "settings": settings, "build": self.build}


def maximize(
    net: VGG16,
    layer: str,
    channel: int | Direction | None = None,
    settings: Settings | str = "fourier",
    *,
    start: Photo | None = None,
    every: float = SNAPSHOT_SECONDS,
    **overrides: Any,
) -> Iterator[Snapshot]:
    """Grow the picture that activates one channel of a layer, and yield snapshots on the way.

    `channel` is a number, or several with a weight each, {17: 1.0, 42: -0.5}, whose weighted sum is maximised. It may
    also be part of the layer's name, "conv5_3:165".
    `settings` is a Settings or the name of a recipe; `overrides` are fields of Settings. `start` is a photo to start
    from instead of noise. Steps 0 and 1 and the last one yield a snapshot. Others come every `every` seconds, or after
    each step if a step takes longer; math.inf leaves out all but the start and the last.
    The same seed gives the same picture, bit for bit, on one machine with one precision and one number of threads,
    unless `seconds` ends the ascent.
    Raises LayerError, ChannelError, SettingError or PhotoError at once, not at the first step.
    """
    batch = maximize_many(net, layer, [channel], settings, start=start, every=every, **overrides)
    return (snapshots[0] for snapshots in batch)


def maximize_many(
    net: VGG16,
    layer: str,
    channels: Sequence[int | Direction | None],
    settings: Settings | str = "fourier",
    *,
    start: Photo | None = None,
    every: float = SNAPSHOT_SECONDS,
    **overrides: Any,
) -> Iterator[list[Snapshot]]:
    """Grow pictures for several channels of a layer in one batch, each as `maximize` would alone.

    Yields lists of snapshots in the order of `channels`. A batch is rounded differently from a single picture, and
    small differences grow from step to step. Otherwise it is like `maximize`.
    """
    architecture = architecture_of(net)
    targets = [architecture.weighted_target(layer, channel) for channel in channels]
    if not targets:
        asked = architecture.find(layer)
        raise ChannelError(f"no channel was given: choose one or more from 0 to {asked.channels - 1} of {asked.name}.")
    return ascend(net, targets, settings, start=start, every=every, **overrides)


def ascend(
    net: VGG16,
    targets: Sequence[Target],
    settings: Settings | str,
    *,
    start: Photo | None = None,
    every: float = SNAPSHOT_SECONDS,
    **overrides: Any,
) -> Iterator[list[Snapshot]]:
    """Grow pictures for targets already checked, all of one layer. Raises SettingError or PhotoError at once."""
    settled, photo = check_ascent(targets, settings, start, net.device, **overrides)
    return _steps(net, targets, settled, photo, every)


def check_ascent(
    targets: Sequence[Target],
    settings: Settings | str,
    start: Photo | None,
    device: torch.device | str,
    **overrides: Any,
) -> tuple[Settings, Image.Image | None]:
    """The settled settings of an ascent on a device, and its photo opened. Raises SettingError or PhotoError."""
    several = any(len(target.direction) > 1 for target in targets)
    settled = settle(settings, targets[0].layer, device, start is not None, several, **overrides)
    if start is None:
        if settled.recipe == "deepdream":
            raise SettingError("recipe deepdream starts from a photo: give one.")
        return settled, None
    if settled.parameterisation == "phase":
        raise SettingError("recipe maco cannot start from a photo, because it would keep nothing of it: try deepdream.")
    return replace(settled, coarse_share=0.0), open_photo(start)  # the first picture shows all its pixels


def _steps(
    net: VGG16, targets: Sequence[Target], settings: Settings, start: Image.Image | None, every: float
) -> Iterator[list[Snapshot]]:
    begun = time.perf_counter()
    due = begun if every < math.inf else math.inf  # the first step is due at once: a visitor waits for it
    precision = precision_of(settings.precision, net.device)
    generator = torch.Generator("cpu").manual_seed(settings.seed)  # on the CPU: the same noise for every device
    # Tensors made inside a caller's inference mode could not be optimised.
    with full_precision(net.device), torch.inference_mode(False):
        canvas = new_canvas(settings, len(targets), start, generator, net.device)
        objective = objective_of(net, targets, settings, precision)
    view = RandomView(settings.crop, settings.jitter, settings.zoom, settings.rotation)
    optimiser = _adam(canvas, settings)
    pixels = None if start is None else hashlib.sha256(start.tobytes()).hexdigest()
    album = _Album(targets, settings, {**build_record(net, precision), "start_sha256": pixels}, begun)

    yield album.snapshots(canvas, 0, last=False)
    for step in range(1, settings.steps + 1):
        spent = (time.perf_counter() - begun) / settings.seconds if settings.seconds else 0.0
        progress = max((step - 1) / settings.steps, spent)
        if canvas.side < settings.size and progress >= settings.coarse_share:
            canvas, optimiser = _doubled(canvas, optimiser, settings)
        rate = min(1.0, max(0.0, 1 - progress) / settings.decay_share) if settings.decay_share else 1.0
        optimiser.param_groups[0]["lr"] = settings.learning_rate * rate
        blur = settings.blur * max(0.0, 1 - progress / BLURRED)
        album.activations.append(_update(canvas, view, blur, partial(objective, progress), optimiser, generator))
        now = time.perf_counter()
        last = step == settings.steps or 0 < settings.seconds <= now - begun
        if last or now >= due:  # only snapshots wait for the device
            yield album.snapshots(canvas, step, last)
            # Due at fixed times, not `every` seconds after the last one: with steps of 0.11 s, there would be one only
            # every 0.22 s. Time that the caller spends between snapshots does not count.
            due = max(due, now - every) + every + time.perf_counter() - now
        if last:
            return


class _Album:
    """What all snapshots of one ascent have in common, and the activations that no snapshot has reported yet."""

    def __init__(self, targets: Sequence[Target], settings: Settings, build: dict[str, Any], begun: float) -> None:
        self.targets, self.settings, self.build, self.begun = targets, settings, build, begun
        self.activations: list[Tensor] = []  # (N,) for each step; left on the device, so no step waits for it
        self.curves: list[tuple[float, ...]] = [()] * len(targets)

    def snapshots(self, canvas: Canvas, step: int, last: bool) -> list[Snapshot]:
        """Take a snapshot of each picture."""
        seconds = time.perf_counter() - self.begun
        if self.activations:
            news = torch.stack(self.activations, 1).tolist()
            self.curves = [(*curve, *new) for curve, new in zip(self.curves, news, strict=True)]
            self.activations.clear()
        with full_precision(canvas.values.device), torch.no_grad():
            repeats = self.settings.size // canvas.side  # so that even a small canvas fills the size asked for
            pictures = [to_picture(rgb.repeat(1, repeats, repeats)) for rgb in canvas.rgb()]
        return [
            Snapshot(picture, step, self.settings.steps, curve[-1] if curve else None, seconds, target, self.settings,
                     self.build, last, curve)
            for picture, curve, target in zip(pictures, self.curves, self.targets, strict=True)
        ]  # fmt: skip


def _adam(canvas: Canvas, settings: Settings) -> torch.optim.Adam:
    betas = settings.beta1, settings.beta2
    return torch.optim.Adam([canvas.values], settings.learning_rate, betas, weight_decay=settings.weight_decay)


def _doubled(canvas: Canvas, optimiser: torch.optim.Adam, settings: Settings) -> tuple[Canvas, torch.optim.Adam]:
    """A canvas of twice the side, and an Adam that goes on where this one stopped.

    The new frequencies between the old ones begin without momentum but with their neighbours' squared gradients: with
    none, their first steps would be several times too long.
    """
    assert isinstance(canvas, FourierCanvas)
    with full_precision(canvas.values.device), torch.inference_mode(False), torch.no_grad():
        larger, ratio = canvas.doubled()
        going_on = _adam(larger, settings)
        if state := optimiser.state.get(canvas.values):  # there is none if the time was up before the first step
            first, second = torch.zeros_like(larger.values), torch.empty_like(larger.values)
            first[:, :, ::2, ::2] = state["exp_avg"] / ratio[..., None]
            squares = state["exp_avg_sq"] / ratio[..., None] ** 2
            second[:] = squares.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :, : second.shape[3]]
            going_on.state[larger.values] = {"step": state["step"], "exp_avg": first, "exp_avg_sq": second}
    return larger, going_on


def _update(
    canvas: Canvas,
    view: RandomView,
    blur: float,
    objective: Callable[[Tensor], tuple[Tensor, Tensor]],
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> Tensor:
    """Take one step and return the activations (N,) before it. No torch mode outlives the call."""
    with full_precision(canvas.values.device), torch.inference_mode(False), torch.enable_grad():
        activations, maximised = objective(view.of(canvas.rgb(), generator, blur))
        # A gradient for the canvas alone: visitors share the weights, which are never written.
        (canvas.values.grad,) = torch.autograd.grad(-maximised.sum(), canvas.values)
        optimiser.step()
    return activations.detach()


def build_record(net: VGG16, precision: torch.dtype) -> dict[str, Any]:
    """What a picture depends on besides its settings, as plain values."""
    return {
        "cnnvis": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(net.device) if net.device.type == "cuda" else str(net.device),
        "precision": str(precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "weights_sha256": net.origin.sha256 if net.origin else None,
    }
