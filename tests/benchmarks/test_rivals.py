"""The rivals' clock, and the original notebook's loop, compared with torchvision and with a number it once printed.

These tests need neither Lucent nor DreamLens.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import normalize, to_tensor

from benchmarks import rivals
from benchmarks.rivals import Clock, OutOfTime, torchvision_vgg16
from cnnvis.network.weights import read_weights


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return read_weights()[0]


def heard(state: dict[str, Tensor], layer: str, channel: int, steps: int, seed: int = 0) -> float:
    """The activation in the last of some steps."""
    activation = rivals.original_loop(torchvision_vgg16(state), layer, channel, Clock(steps=steps), seed).activation
    assert activation is not None
    return activation


def test_the_clock_stops_after_its_steps_or_its_time() -> None:
    clock = Clock(steps=2)
    clock.start()
    clock.tick()
    with pytest.raises(OutOfTime):
        clock.tick()
    assert clock.steps == 2 and clock.over
    with pytest.raises(OutOfTime):
        Clock(seconds=0).tick()


def test_the_clock_counts_the_steps_of_an_optimiser() -> None:
    values = torch.ones(1, requires_grad=True)
    clock = Clock(steps=3)
    optimiser = clock.watch(torch.optim.Adam([values]))

    def ascend() -> None:
        while True:
            optimiser.zero_grad()
            clock.hear(values.square().sum()).backward()
            optimiser.step()

    with pytest.raises(OutOfTime):
        ascend()
    run = clock.run(np.zeros((2, 2, 3)))
    assert run.steps == 3 and run.seconds > 0 and run.activation == pytest.approx(-1, abs=0.01)


def test_the_notebooks_first_activation_equals_torchvisions(state: dict[str, Tensor], features: nn.Sequential) -> None:
    np.random.seed(3)
    start = Image.fromarray(np.random.randint(125, 190, (224, 224, 3), dtype="uint8"))  # as the notebook draws it
    noise = normalize(to_tensor(start), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    for layer, index in (("conv1_2", 2), ("relu1_2", 3)):
        plain = features[: index + 1](noise[None])[0, 5].mean().item()
        assert heard(state, layer, 5, steps=1, seed=3) == pytest.approx(plain, rel=1e-4)


def test_the_notebook_raises_the_activation_and_starts_over_each_time(state: dict[str, Tensor]) -> None:
    short, long = heard(state, "conv1_1", 7, steps=2), heard(state, "conv1_1", 7, steps=6)
    assert long > short > heard(state, "conv1_1", 7, steps=1)
    assert heard(state, "conv1_1", 7, steps=2) == short


def test_the_notebook_runs_for_the_given_time(state: dict[str, Tensor]) -> None:
    run = rivals.run_rival("original", state, "conv1_1", 7, seconds=0.2)
    assert run.picture.size == (224, 224) and run.picture.mode == "RGB"
    assert 0.2 <= run.seconds < 5 and run.steps < 512


def test_the_notebook_leaves_no_hook_and_does_not_change_the_weights(state: dict[str, Tensor]) -> None:
    before = state["features.0.weight"].clone()
    model = torchvision_vgg16(state)
    rivals.original_loop(model, "conv1_1", 7, Clock(steps=1), seed=0)
    assert not model.features[0]._forward_hooks  # the notebook's own loop forgets to remove it
    assert torch.equal(state["features.0.weight"], before)


def test_the_model_with_a_classifier_is_torchvisions_but_relu_keeps_the_conv_maps(state: dict[str, Tensor]) -> None:
    model = rivals.with_classifier(torchvision_vgg16(state))
    with torch.device("meta"):
        shapes = {name: weights.shape for name, weights in torchvision.models.vgg16().named_parameters()}
    assert {name: weights.shape for name, weights in model.named_parameters()} == shapes
    assert all(weights.requires_grad for weights in model.parameters()) and not model.training
    with torch.no_grad():
        convolved = model.features[0](torch.randn(1, 3, 8, 8))
        model.features[1](convolved)
    assert convolved.min() < 0


def test_colours_are_clipped_and_rounded_down() -> None:
    picture = rivals.saved(np.array([[[-0.5, 0.999, 1.5]]]))
    assert picture.getpixel((0, 0)) == (0, 254, 255)


def test_only_installed_tools_are_listed() -> None:
    assert rivals.installed()[0] == "original"
    assert ("dreamlens" in rivals.installed()) == (find_spec("dreamlens") is not None)


@pytest.mark.slow
def test_the_notebook_reaches_the_activation_it_once_printed(state: dict[str, Tensor]) -> None:
    """The notebook printed 81 for pool3 channel 28 at its 20th evaluation. Its start picture is lost."""
    assert heard(state, "pool3", 28, steps=20) == pytest.approx(81, rel=0.15)
