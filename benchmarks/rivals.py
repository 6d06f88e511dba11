"""Other tools' ascents with our weights, stopped by the clock: the 2020 notebook's loop, Lucent and DreamLens.

Each tool keeps its own defaults (size, optimiser, transforms, gradients for every weight); only where its loop ends is
ours. All run on the CPU: the notebook's loop knows nothing else, and where there is a GPU Lucent takes it unless
CUDA_VISIBLE_DEVICES is empty. How to install the two packages is in benchmarks/README.md.
"""

import io
import math
import random
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from cnnvis.canvas import START_GREYS
from cnnvis.vgg import IMAGENET_MEAN, IMAGENET_STD, find_layer

NOTEBOOK_SIDE = 224  # px
ENDLESS = 10**9  # steps; the clock ends every loop long before

# What each tool imports beyond what cnnvis itself needs.
MODULES: Mapping[str, tuple[str, ...]] = {
    "original": (),
    "lucent": ("lucent", "kornia", "IPython", "decorator", "tqdm"),
    "dreamlens": ("dreamlens",),
}

State = Mapping[str, Tensor]  # features.N.weight and .bias


@dataclass(frozen=True)
class Run:
    """What a tool reached in its time."""

    picture: Image.Image  # 8-bit RGB as the tool would save it, in its own size
    steps: int
    seconds: float  # of these steps alone; the model stands and a first step has been tried before
    activation: float | None  # the channel's mean that its loop saw last, before that step's update


class OutOfTime(KeyboardInterrupt):
    """Ends a tool's loop from inside: Lucent hands out an unfinished picture on Ctrl-C and at no other time."""


class Clock:
    """Counts a loop's steps and ends it, by OutOfTime, after a wall time or a number of steps."""

    def __init__(self, seconds: float = math.inf, steps: int = ENDLESS) -> None:
        self.seconds = seconds
        self.limit = steps
        self.steps = 0
        self.began = self.elapsed = 0.0
        self.loss: Tensor | None = None

    def start(self) -> None:
        """Begin to count."""
        self.began = perf_counter()

    def watch(self, optimiser: Optimizer) -> Optimizer:
        """Begin to count, and count a step whenever `optimiser` has taken one."""
        optimiser.register_step_post_hook(self.tick)
        self.start()
        return optimiser

    def hear(self, loss: Tensor) -> Tensor:
        """Remember the loss, minus the activation, and pass it on."""
        self.loss = loss.detach()
        return loss

    def tick(self, *_: object) -> None:
        """One step is done. Raises OutOfTime."""
        self.steps += 1
        self.elapsed = perf_counter() - self.began
        if self.over:
            raise OutOfTime

    @property
    def over(self) -> bool:
        """Whether the time or the steps are used up."""
        return self.elapsed >= self.seconds or self.steps >= self.limit

    def run(self, rgb: NDArray[np.floating[Any]]) -> Run:
        """What was reached, with the picture (H, W, 3) that the tool had in the end."""
        activation = None if self.loss is None else -self.loss.item()
        return Run(saved(rgb), self.steps, self.elapsed, activation)


Loop = Callable[[torchvision.models.VGG, str, int, Clock, int], Run]


def original(state: State, layer: str, channel: int, seconds: float, seed: int = 0) -> Run:
    """The 2020 notebook's loop."""
    return timed(original_loop, torchvision_vgg16(state), layer, channel, seconds, seed)


def lucent(state: State, layer: str, channel: int, seconds: float, seed: int = 0) -> Run:
    """Lucent 0.1.8's `render_vis` with its defaults."""
    return timed(lucent_loop, whole(torchvision_vgg16(state)), layer, channel, seconds, seed)


def dreamlens(state: State, layer: str, channel: int, seconds: float, seed: int = 0) -> Run:
    """DreamLens 0.1.1's `maximize` with its defaults."""
    return timed(dreamlens_loop, whole(torchvision_vgg16(state)), layer, channel, seconds, seed)


RIVALS: Mapping[str, Callable[..., Run]] = {"original": original, "lucent": lucent, "dreamlens": dreamlens}


def installed() -> list[str]:
    """The rivals that can run here; the original always can."""
    return [name for name in RIVALS if all(find_spec(module) for module in MODULES[name])]


def timed(loop: Loop, model: torchvision.models.VGG, layer: str, channel: int, seconds: float, seed: int) -> Run:
    """The loop for `seconds`, after one step of it whose result is thrown away."""
    loop(model, layer, channel, Clock(steps=1), seed)
    return loop(model, layer, channel, Clock(seconds), seed)


def torchvision_vgg16(state: State) -> torchvision.models.VGG:
    """Torchvision's model, its weights wanting gradients as it ships, its classifier without memory."""
    with torch.device("meta"):
        model: torchvision.models.VGG = torchvision.models.vgg16(weights=None, init_weights=False)
    model.load_state_dict(state, strict=False, assign=True)
    return model.eval()


def whole(model: torchvision.models.VGG) -> torchvision.models.VGG:
    """The model with a classifier of full size, and with ReLUs that leave their input alone.

    Lucent and DreamLens send every step through the whole model they are given, for VGG16 also through its 124 million
    classifier weights, whatever layer is the target. So it is here; what the weights are makes no difference.
    Both read a layer's output after the whole model has run, when torchvision's in-place ReLU has overwritten it: a
    dead channel would then have no gradient, and the figures would be of another map than everyone else's.
    """
    model.classifier.to_empty(device="cpu")
    for weights in model.classifier.parameters():
        nn.init.constant_(weights, 1e-3)  # not zero pages, which would be read faster than memory
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def original_loop(model: torchvision.models.VGG, layer: str, channel: int, clock: Clock, seed: int) -> Run:
    """The notebook's `ActivationMaximizationVis` step by step, without its prints and plots.

    The optimiser knows the pixels only, so gradients pile up in weights that nobody reads: that is part of its cost.
    """
    target = find_layer(layer).index
    heard: dict[str, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        heard["map"] = output[0, channel]

    pixels = notebook_noise(seed).requires_grad_()
    optimiser = Adam([pixels], lr=0.1, weight_decay=1e-6)
    features = list(model.features.children())
    hook = features[target].register_forward_hook(keep)
    clock.start()
    try:
        while True:
            optimiser.zero_grad()
            x = pixels
            for index, step in enumerate(features):
                x = step(x)
                if index == target:
                    break
            loss = clock.hear(-torch.mean(heard["map"]))
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            picture = notebook_picture(pixels)
            clock.tick()
    except OutOfTime:
        return clock.run(picture)
    finally:
        hook.remove()


def notebook_noise(seed: int) -> Tensor:
    """The start (1, 3, 224, 224): greys of 125 to 189, normalised for ImageNet."""
    noise = np.random.RandomState(seed).randint(*START_GREYS, (NOTEBOOK_SIDE, NOTEBOOK_SIDE, 3), dtype=np.uint8)
    normal = (noise / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    return torch.from_numpy(normal.transpose(2, 0, 1)).float()[None]


def notebook_picture(pixels: Tensor) -> NDArray[np.floating[Any]]:
    """The picture (224, 224, 3), not confined to [0, 1], that the notebook rebuilds at every step."""
    plain: NDArray[np.floating[Any]] = pixels.detach().numpy().squeeze(0).transpose(1, 2, 0)
    picture: NDArray[np.floating[Any]] = plain * np.array(IMAGENET_STD) + np.array(IMAGENET_MEAN)
    return picture


def lucent_loop(model: torchvision.models.VGG, layer: str, channel: int, clock: Clock, seed: int) -> Run:
    """Lucent's own `render_vis`: 128 px in Fourier space, looked at 224 px large, Adam 0.05.

    It leaves its hooks in the model; those of the trial step do no more than name each layer's output once again.
    """
    render, objectives = patched_lucent()
    objective = objectives.channel(f"features_{find_layer(layer).index}", channel)
    seed_everything(seed)
    with redirect_stdout(io.StringIO()):  # it prints that it was interrupted
        pictures = render.render_vis(
            model,
            lambda hook: clock.hear(objective(hook)),
            optimizer=lambda values: clock.watch(Adam(values, lr=5e-2)),  # its default, watched
            thresholds=(ENDLESS,),
            progress=False,
            show_image=False,
        )
    if not clock.over:
        raise KeyboardInterrupt  # a real Ctrl-C, which Lucent has swallowed
    return clock.run(pictures[-1][0])


def patched_lucent() -> tuple[ModuleType, ModuleType]:
    """Lucent's `render` and `objectives`, with the two names back that kornia has moved since."""
    kornia, geometry = import_module("kornia"), import_module("kornia.geometry.transform")
    for name in ("get_rotation_matrix2d", "warp_affine"):
        if not hasattr(kornia, name):
            setattr(kornia, name, getattr(geometry, name))
    return import_module("lucent.optvis.render"), import_module("lucent.optvis.objectives")


def dreamlens_loop(model: torchvision.models.VGG, layer: str, channel: int, clock: Clock, seed: int) -> Run:
    """DreamLens's own classic `maximize`: 256 px in Fourier space, AdamW 0.009, gradients clipped."""
    tool = import_module("dreamlens")
    target = tool.FeatureTarget.for_channel(f"features.{find_layer(layer).index}", channel)
    objective = import_module("dreamlens.objectives").TargetObjective([target])
    reached: list[Tensor] = []

    def watched(values: Any, **settings: Any) -> Optimizer:
        reached.extend(values)
        return clock.watch(AdamW(reached, **settings))  # its default, watched

    config = tool.RenderConfig(steps=ENDLESS, optimizer_cls=watched)
    seed_everything(seed)
    canvas = tool.FourierCanvas(config.height, config.width)  # what it would make itself
    try:
        tool.FeatureVisualizer(model, quiet=True).maximize(
            target, config, canvas, objective=lambda outputs: clock.hear(objective(outputs))
        )
    except OutOfTime:
        # It works on a copy of the canvas, which goes with the exception; the values went through our hands.
        with torch.no_grad():
            for ours, its in zip(canvas.parameters(), reached, strict=True):
                ours.copy_(its)
    return clock.run(canvas.as_hwc().numpy())


def seed_everything(seed: int) -> None:
    """Seed the global generators, numpy's too: Lucent's own `set_seed` forgets it, though its transforms use it."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def saved(rgb: NDArray[np.floating[Any]]) -> Image.Image:
    """The picture as 8 bits: clipped and cut off, not rounded, as in matplotlib, Lucent and DreamLens alike."""
    return Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))
