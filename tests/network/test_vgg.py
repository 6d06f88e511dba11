"""The network: it equals torchvision's at every layer, and can be cut at any layer or narrowed to some channels."""

from collections.abc import Callable
from inspect import isfunction, signature
from typing import Any

import pytest
import torch
import torchvision
from helpers.toys import TOY_WIDTHS, toy
from PIL import Image

import cnnvis
from cnnvis.errors import LayerError, WeightsError
from cnnvis.network.architecture import LAYERS, Layer
from cnnvis.network.vgg import VGG16, Normalize, cut, forward, narrowed, with_classifier

PHOTO = Image.new("RGB", (64, 64))
SNAPSHOT = next(cnnvis.maximize(toy(), "conv1_1", 0, steps=1, size=64))
CALLS: dict[str, Callable[[Any], Any]] = {
    "maximize": lambda net: cnnvis.maximize(net, "conv1_1", 0),
    "ladder": lambda net: cnnvis.ladder(net, "conv1_1", 0),
    "score": lambda net: cnnvis.score(net, PHOTO, "conv1_1", 0),
    "maximize_many": lambda net: cnnvis.maximize_many(net, "conv1_1", [0]),
    "watch": lambda net: cnnvis.watch(net, "conv1_1", 0),
    "scored_record": lambda net: cnnvis.scored_record(net, SNAPSHOT),
    "feature_map": lambda net: cnnvis.feature_map(net, PHOTO, "conv1_1", 0),
    "top_classes": lambda net: cnnvis.top_classes(net, PHOTO),
    "feature_maps": lambda net: cnnvis.feature_maps(net, PHOTO, "conv1_1"),
    "map_sheet": lambda net: cnnvis.map_sheet(net, PHOTO, "conv1_1"),
    "channel_path": lambda net: cnnvis.channel_path(net, PHOTO, 0),
    "filter_sheet": lambda net: cnnvis.filter_sheet(net, "conv1_1"),
    "one_filter": lambda net: cnnvis.one_filter(net, "conv1_1", 0),
    "wiring": lambda net: cnnvis.wiring(net, "conv1_1", 0),
    "why": lambda net: cnnvis.why(net, PHOTO, "conv1_1", 0),
    "dictionary": lambda net: cnnvis.dictionary(net, PHOTO, "conv1_1"),
    "groups": lambda net: cnnvis.groups(net, PHOTO, "conv1_1"),
    "mosaic": lambda net: cnnvis.mosaic(net, PHOTO, "conv1_1"),
    "cut": lambda net: cnnvis.cut(net, "conv1_1"),
    "make_shelf": lambda net: cnnvis.make_shelf(net, "nowhere", "nowhere"),
    "make_atlas": lambda net: cnnvis.make_atlas(net, ["conv1_1"], "nowhere"),
    "make_concepts": lambda net: cnnvis.make_concepts(net, ["conv5_3"], "nowhere"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_network_from_elsewhere_is_refused_in_one_sentence(call: str) -> None:
    with torch.device("meta"):
        given = torchvision.models.vgg16()
    for net, kind in ((given, "VGG"), (given.features, "Sequential"), ("conv1_1", "str")):
        with pytest.raises(WeightsError) as refused:
            CALLS[call](net)
        assert str(refused.value) == (
            f"the network is a {kind}, not a network from cnnvis: load one with load_vgg16(); "
            "for your own weights, save a state_dict() and set CNNVIS_WEIGHTS to its file."
        )


def test_no_public_function_that_takes_a_network_is_missing_above() -> None:
    functions = {name: getattr(cnnvis, name) for name in cnnvis.__all__ if isfunction(getattr(cnnvis, name))}
    assert set(CALLS) == {name for name, function in functions.items() if "net" in signature(function).parameters}


def torchvision_twin(net: VGG16) -> torch.nn.Sequential:
    """Rebuild the toy with torchvision's `make_layers`, and copy its weights."""
    plan: list[int | str] = []
    for width, size in zip(TOY_WIDTHS, (2, 2, 3, 3, 3), strict=True):
        plan += [width] * size + ["M"]
    twin = torchvision.models.vgg.make_layers(plan)
    index = {layer.name: layer.index for layer in LAYERS}
    parts = [(*key.split("."), tensor) for key, tensor in net.state_dict().items()]
    twin.load_state_dict({f"{index[name]}.{part}": tensor for name, part, tensor in parts})
    return twin.eval()


def random_picture(count: int = 2, side: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_every_layer_equals_torchvision_bit_for_bit(tiny: VGG16) -> None:
    twin, rgb = torchvision_twin(tiny), random_picture()
    normal = torchvision.transforms.functional.normalize(rgb, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert torch.equal(Normalize()(rgb), normal)
    for layer in LAYERS:
        theirs = twin[: layer.index + 1](normal.clone())  # torchvision's ReLU overwrites its input
        assert torch.equal(cut(tiny, layer.name)(rgb), theirs), layer.name


def test_no_module_overwrites_its_input(tiny: VGG16) -> None:
    values = torch.rand(1, 3, 64, 64)
    for name, module in tiny.named_children():
        before = values.clone()
        after = module(values)
        assert torch.equal(values, before), name
        values = after


@pytest.mark.parametrize("layer", LAYERS[::6], ids=lambda layer: layer.name)
def test_a_cut_network_shares_its_modules_with_the_whole_one(tiny: VGG16, layer: Layer) -> None:
    part = cut(tiny, layer.name)
    names = ["input", *(other.name for other in LAYERS[: layer.index + 1])]
    assert [name for name, _ in part.named_children()] == names
    assert all(mine is theirs for mine, theirs in zip(part, tiny, strict=False))


def test_the_layer_to_cut_at_can_be_named_in_any_dialect(tiny: VGG16) -> None:
    for dialect in ("features.10", "features[10]", "10", 10, "block3_conv1", " CONV3_1 "):
        assert list(cut(tiny, dialect)) == list(cut(tiny, "conv3_1"))
    for name in ("conv9_1", "input", ""):
        with pytest.raises(LayerError, match="does not exist"):
            cut(tiny, name)


def test_the_network_is_frozen_and_in_eval_mode(tiny: VGG16) -> None:
    assert not any(module.training for module in tiny.modules())
    assert not any(parameter.requires_grad for parameter in tiny.parameters())
    assert repr(tiny) == "VGG16(input … pool5: 32 modules, random weights)"


# Some channels of a layer


@pytest.fixture(scope="module")
def whole(tiny: VGG16) -> VGG16:
    """The toy with a classifier that has random weights."""
    torch.manual_seed(0)
    return with_classifier(tiny)


def values_and_gradient(part: Any, channels: list[int] | slice) -> tuple[torch.Tensor, torch.Tensor]:
    """The values of some channels, and the gradient of a sum in which every value has another weight."""
    rgb = random_picture().requires_grad_()
    values = part(rgb)[:, channels]
    weights = torch.linspace(-1, 1, values.numel()).view(values.shape)
    (gradient,) = torch.autograd.grad((values * weights).sum(), rgb)
    return values.detach(), gradient


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_2", "pool2", "conv3_3", "relu4_1", "conv5_3", "pool5", "class"])
@pytest.mark.parametrize("channels", [[3], [0, 2], [2, 0, 3]])
def test_some_channels_equal_those_of_the_full_layer(whole: VGG16, layer: str, channels: list[int]) -> None:
    narrow = torch.nn.Sequential(*narrowed(whole, whole.architecture.find(layer), channels))
    expected = values_and_gradient(cut(whole, layer), channels)
    for ours, truth in zip(values_and_gradient(narrow, slice(None)), expected, strict=True):
        torch.testing.assert_close(ours, truth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_3", "conv5_3"])
def test_a_direction_is_one_filter(whole: VGG16, layer: str) -> None:
    body, _ = narrowed(whole, whole.architecture.find(layer), [{3: 0.5, 0: -1.25}, 2])
    maps, full = body(random_picture()), cut(whole, layer)(random_picture())
    expected = torch.stack([0.5 * full[:, 3] - 1.25 * full[:, 0], full[:, 2]], 1)
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-5)


def test_taking_some_channels_leaves_the_network_and_the_random_numbers_alone(tiny: VGG16) -> None:
    before, state = tiny.conv3_1, torch.get_rng_state()
    body, _ = narrowed(tiny, tiny.architecture.find("conv3_1"), [1])
    assert tiny.conv3_1 is before
    assert before.weight.shape[0] == 6
    assert body.conv3_1.weight.shape[0] == 1
    assert body.conv2_1 is tiny.conv2_1
    assert not any(parameter.requires_grad for parameter in body.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@torch.no_grad()
def test_forward_returns_float32_in_either_precision() -> None:
    part, rgb = cut(toy(1), "conv3_1"), random_picture(side=32, seed=1)
    plain = part(rgb)
    full, quick = forward(part, rgb), forward(part, rgb, torch.bfloat16)
    torch.testing.assert_close(full, plain, rtol=1e-5, atol=1e-5)  # another memory layout sums in another order
    assert (quick - plain).abs().max() < 0.05 * plain.abs().max()
    assert quick.dtype == torch.float32
    assert not torch.equal(quick, full)
