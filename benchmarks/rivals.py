"""Run other tools' ascents with our weights, against the clock: the 2020 notebook's loop, Lucent and DreamLens.

Each tool keeps its own defaults (size, optimiser, transforms, gradients for every weight). We only decide when its loop
ends. All run on the CPU: the notebook's loop cannot do otherwise, and Lucent uses a GPU if there is one, unless
CUDA_VISIBLE_DEVICES is empty. benchmarks/README.md explains how to install the two packages.
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

from cnnvis.maximization.canvas import START_VALUES
from cnnvis.network.architecture import find_layer
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD

NOTEBOOK_SIDE = 224  # px
ENDLESS = 10**9  # steps; the clock ends every loop long before
State = Mapping[str, Tensor]  # features.N.weight and .bias


@dataclass(frozen=True)
class Run:
    """What a tool reached in the given time."""

    picture: Image.Image  # 8-bit RGB as the tool would save it, at its own size
    steps: int
    seconds: float  # for these steps alone, without building the model or a trial step
    activation: float | None  # the channel's mean in the last step, before that step's update


class OutOfTime(KeyboardInterrupt):
    """Ends a tool's loop from inside, as Ctrl-C would: only then does Lucent return an unfinished picture."""


class Clock:
    """Counts a loop's steps and raises OutOfTime after a wall time or a number of steps."""

    def __init__(self, seconds: float = math.inf, steps: int = ENDLESS) -> None:
        self.seconds = seconds
        self.limit = steps
        self.steps = 0
        self.began = self.elapsed = 0.0
        self.loss: Tensor | None = None

    def start(self) -> None:
        """Start counting."""
        self.began = perf_counter()

    def watch(self, optimiser: Optimizer) -> Optimizer:
        """Start counting, and count each step that `optimiser` takes."""
        optimiser.register_step_post_hook(self.tick)
        self.start()
        return optimiser

    def hear(self, loss: Tensor) -> Tensor:
        """Keep the loss (the negative activation) and pass it on."""
        self.loss = loss.detach()
        return loss

    def tick(self, *_: object) -> None:
        """Count one finished step. Raises OutOfTime."""
        self.steps += 1
        self.elapsed = perf_counter() - self.began
        if self.over:
            raise OutOfTime

    @property
    def over(self) -> bool:
        """Whether the time or the steps are used up."""
        return self.elapsed >= self.seconds or self.steps >= self.limit

    def run(self, rgb: NDArray[np.floating[Any]]) -> Run:
        """What was reached, with the tool's last picture (H, W, 3)."""
        activation = None if self.loss is None else -self.loss.item()
        return Run(saved(rgb), self.steps, self.elapsed, activation)


Loop = Callable[[torchvision.models.VGG, str, int, Clock, int], Run]


def torchvision_vgg16(state: State) -> torchvision.models.VGG:
    """Torchvision's model. Its weights require gradients, as shipped; its classifier takes up no memory."""
    with torch.device("meta"):
        model: torchvision.models.VGG = torchvision.models.vgg16(weights=None, init_weights=False)
    model.load_state_dict(state, strict=False, assign=True)
    return model.eval()


def with_classifier(model: torchvision.models.VGG) -> torchvision.models.VGG:
    """Give the model a full-size classifier, and ReLUs that leave their input unchanged.

    Lucent and DreamLens send every step through the whole model, whatever the target layer. For VGG16 that includes the
    124 million weights of the classifier, whose values make no difference.
    Both tools read a layer's output after the whole model has run. By then torchvision's in-place ReLU has overwritten
    it: a dead channel would have no gradient, and the figures would belong to a different map than everyone else's.
    """
    model.classifier.to_empty(device="cpu")
    for weights in model.classifier.parameters():
        nn.init.constant_(weights, 1e-3)  # not zero, because zero pages are read faster than memory
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def original_loop(model: torchvision.models.VGG, layer: str, channel: int, clock: Clock, seed: int) -> Run:
    """The notebook's `ActivationMaximizationVis` step by step, without its prints and plots.

    The optimiser has only the pixels, so unused gradients pile up in the weights. That is part of the loop's cost.
    """
    target, mean, std = find_layer(layer).index, np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    heard: dict[str, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        heard["map"] = output[0, channel]

    # From greys of 125 to 189, normalised for ImageNet.
    noise = np.random.RandomState(seed).randint(*START_VALUES, (NOTEBOOK_SIDE, NOTEBOOK_SIDE, 3), dtype=np.uint8)
    normal = ((noise / 255 - mean) / std).transpose(2, 0, 1)
    pixels = torch.from_numpy(normal).float()[None].requires_grad_()
    optimiser = Adam([pixels], lr=0.1, weight_decay=1e-6)
    features = list(model.features.children())
    hook = features[target].register_forward_hook(keep)
    clock.start()
    try:
        while True:
            optimiser.zero_grad()
            x = pixels
            for index, module in enumerate(features):
                x = module(x)
                if index == target:
                    break
            loss = clock.hear(-torch.mean(heard["map"]))
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            picture = pixels.detach().numpy().squeeze(0).transpose(1, 2, 0) * std + mean  # may leave [0, 1]
            clock.tick()
    except OutOfTime:
        return clock.run(picture)
    finally:
        hook.remove()


def lucent_loop(model: torchvision.models.VGG, layer: str, channel: int, clock: Clock, seed: int) -> Run:
    """Lucent's own `render_vis`: 128 px in Fourier space, shown to the network at 224 px, Adam 0.05.

    It leaves its hooks in the model; those of the trial step merely store each layer's output a second time.
    """
    render, objectives = patched_lucent()
    objective = objectives.channel(f"features_{find_layer(layer).index}", channel)
    seed_everything(seed)
    with redirect_stdout(io.StringIO()):  # it prints a line when interrupted
        pictures = render.render_vis(
            model,
            lambda hook: clock.hear(objective(hook)),
            optimizer=lambda values: clock.watch(Adam(values, lr=5e-2)),  # its default, with our clock
            thresholds=(ENDLESS,),
            progress=False,
            show_image=False,
        )
    if not clock.over:
        raise KeyboardInterrupt  # a real Ctrl-C, which Lucent swallowed
    return clock.run(pictures[-1][0])


def patched_lucent() -> tuple[ModuleType, ModuleType]:
    """Lucent's `render` and `objectives`, with two names restored that kornia has moved since."""
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
        return clock.watch(AdamW(reached, **settings))  # its default, with our clock

    config = tool.RenderConfig(steps=ENDLESS, optimizer_cls=watched)
    seed_everything(seed)
    canvas = tool.FourierCanvas(config.height, config.width)  # as it would make one
    try:
        tool.FeatureVisualizer(model, quiet=True).maximize(
            target, config, canvas, objective=lambda outputs: clock.hear(objective(outputs))
        )
    except OutOfTime:
        # It works on a copy of the canvas, which the exception discards. `reached` still holds the values.
        with torch.no_grad():
            for ours, its in zip(canvas.parameters(), reached, strict=True):
                ours.copy_(its)
    return clock.run(canvas.as_hwc().numpy())


def seed_everything(seed: int) -> None:
    """Seed the global generators. Lucent's transforms use numpy's, but its own `set_seed` forgets it."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def saved(rgb: NDArray[np.floating[Any]]) -> Image.Image:
    """The picture in 8 bits, clipped and truncated, not rounded, as in matplotlib, Lucent and DreamLens."""
    return Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))


# Each tool's loop, and the modules that it imports and cnnvis does not need.
RIVALS: Mapping[str, tuple[Loop, tuple[str, ...]]] = {
    "original": (original_loop, ()),
    "lucent": (lucent_loop, ("lucent", "kornia", "IPython", "decorator", "tqdm")),
    "dreamlens": (dreamlens_loop, ("dreamlens",)),
}


def installed() -> list[str]:
    """The rivals that can run here; the original always can."""
    return [name for name, (_, modules) in RIVALS.items() if all(map(find_spec, modules))]


def run_rival(
    name: str, state: State, layer: str, channel: int, seconds: float = math.inf, seed: int = 0, steps: int = ENDLESS
) -> Run:
    """Run a rival until its time or its steps are up, after one trial step whose result is thrown away."""
    loop, model = RIVALS[name][0], torchvision_vgg16(state)
    if name != "original":  # which stops at its layer
        with_classifier(model)
    loop(model, layer, channel, Clock(steps=1), seed)
    return loop(model, layer, channel, Clock(seconds, steps), seed)
