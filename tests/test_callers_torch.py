"""The caller's torch: whatever modes and defaults are set, the results stay the same, and so do the settings.

Another number of threads rounds sums in another order: `test_threads_change_no_more_than_rounding`.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from helpers import EXAMPLES
from helpers.applied import apply_filter, apply_kernel, expanded, surroundings
from PIL import Image
from torch import Tensor

import cnnvis
from cnnvis.network import weights
from cnnvis.network.vgg import VGG16

CAT = EXAMPLES / "chelsea.jpg"


@contextlib.contextmanager
def switched(switch: Callable[[Any], Any], on: Any, off: Any) -> Iterator[None]:
    switch(on)
    yield
    switch(off)


def randoms_drawn() -> contextlib.AbstractContextManager[None]:
    kept = torch.get_rng_state()
    torch.manual_seed(987)
    torch.rand(5)
    return switched(torch.set_rng_state, torch.get_rng_state(), kept)


SETTINGS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "float64 by default": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no gradients": lambda: switched(torch.set_grad_enabled, False, True),
    "random numbers drawn": randoms_drawn,
    "deterministic": lambda: switched(torch.use_deterministic_algorithms, True, False),
    "another device by default": lambda: torch.device("meta"),
}


def _state() -> tuple[Any, ...]:
    """Everything about torch that belongs to the caller."""
    return (
        torch.get_default_dtype(), torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"),
        torch.is_inference_mode_enabled(), torch.is_grad_enabled(), torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(), torch.get_default_device(), bytes(torch.get_rng_state().numpy()),
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """A result as something that can be compared: pictures and tensors with every bit."""
    if isinstance(value, Image.Image):
        return value.size, value.tobytes()
    if isinstance(value, Tensor):
        return value.dtype, tuple(value.shape), value.detach().contiguous().cpu().numpy().tobytes()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    fields = getattr(value, "__dict__", None)
    if fields is None or isinstance(value, type):
        return value
    return {name: _plain(field) for name, field in fields.items() if name not in ("seconds", "build", "target")}


def _grown(net: VGG16, recipe: str, **asked: Any) -> list[Any]:
    """Every snapshot of an ascent; between any two of them the caller's settings must be unchanged."""
    before, snapshots = _state(), []
    for snapshot in cnnvis.maximize(net, "conv3_1", 3, recipe, steps=4, size=64, every=0, **asked):
        assert _state() == before
        snapshots.append(snapshot)
    return snapshots


CASES: dict[str, Callable[[VGG16], Any]] = {
    "maximize fourier": lambda net: _grown(net, "fourier", coarse_share=0.5, blur=1.0),
    "maximize maco": lambda net: _grown(net, "maco"),
    "maximize erhan": lambda net: _grown(net, "erhan"),
    "maximize deepdream": lambda net: _grown(net, "deepdream", start=CAT),
    "maximize in bfloat16": lambda net: _grown(net, "fourier", precision="bfloat16"),
    "score": lambda net: cnnvis.score(net, cnnvis.open_photo(CAT), "conv3_1", {1: 1.0, 2: -0.5}),
    "feature_maps": lambda net: cnnvis.feature_maps(net, CAT, "conv5_3"),
    "feature_map": lambda net: cnnvis.feature_map(net, CAT, "relu3_1", 2),
    "conv_chain": lambda net: cnnvis.map_sheet(net, CAT, "conv2_1", pipeline="conv_chain"),
    "filter_sheet": lambda net: cnnvis.filter_sheet(net, "conv1_1"),
    "one_filter": lambda net: cnnvis.one_filter(net, "conv3_1", 2),
    "expanded": lambda net: expanded(net, "conv2_1", 2),
    "applied": lambda net: apply_filter(net, CAT, "conv3_1", 2).at(3, 4),
    "own kernel": lambda net: apply_kernel(net, CAT, [[-1, 0, 1], [-2, 0.1, 2], [-1, 0, 1]], 0.2),
    "surroundings": lambda net: surroundings(net, CAT, "conv3_1", 2, 3, 4),
    "wiring": lambda net: cnnvis.wiring(net, "conv3_1", 2),
    "why": lambda net: cnnvis.why(net, CAT, "conv3_1", 2),
    "dictionary": lambda net: cnnvis.dictionary(cnnvis.load_vgg16("cpu"), CAT, "conv2_1"),
    "groups": lambda net: cnnvis.groups(cnnvis.load_vgg16("cpu"), CAT, "conv2_1", 3),
    "mosaic": lambda net: cnnvis.mosaic(cnnvis.load_vgg16("cpu"), CAT, "conv2_1"),
    "exemplars": lambda net: cnnvis.exemplars("conv5_3", 17),
    "atlas_sheet": lambda net: cnnvis.atlas_sheet("conv1_1"),
}


@pytest.fixture(scope="module")
def usual(tiny: VGG16) -> dict[str, Any]:
    return {name: _plain(case(tiny)) for name, case in CASES.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_callers_settings_change_nothing_and_stay(tiny: VGG16, usual: Any, setting: str, case: str) -> None:
    with SETTINGS[setting]():
        before = _state()
        result = CASES[case](tiny)
        assert _state() == before
    assert _plain(result) == usual[case]


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_network_loaded_under_the_callers_settings_is_the_same(vgg16: VGG16, setting: str) -> None:
    with SETTINGS[setting]():
        before = _state()
        net = weights._load("", torch.device("cpu"))
        assert _state() == before
    assert _plain(list(net.state_dict().values())) == _plain(list(vgg16.state_dict().values()))
    assert _plain(list(net[0].buffers())) == _plain(list(vgg16[0].buffers()))
    assert not any(tensor.is_inference() for tensor in net.state_dict().values())


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """A function that sets the number of threads, until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_threads_change_no_more_than_rounding(tiny: VGG16, threads: Callable[[int], None]) -> None:
    results = []
    for number in (1, 3):
        threads(number)
        maps = cnnvis.feature_maps(tiny, CAT, "conv5_3").values
        results.append((maps, cnnvis.score(tiny, cnnvis.open_photo(CAT), "conv3_1", 2).saved_activation))
        assert torch.get_num_threads() == number
    (maps_of_one, scored), (maps_of_three, again) = results
    torch.testing.assert_close(maps_of_three, maps_of_one)
    assert again == pytest.approx(scored)
