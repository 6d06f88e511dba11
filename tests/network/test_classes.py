"""The whole network: the names of its classes, its classifier compared with torchvision's, ascents for a class."""

from pathlib import Path

import pytest
import torch
import torchvision
from helpers.toys import toy
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import VGG16_Weights

import cnnvis
from cnnvis.analysis.maps import feature_maps, top_classes
from cnnvis.errors import ChannelError, LayerError, WeightsError
from cnnvis.network.architecture import ARCHITECTURE, find_layer
from cnnvis.network.classes import CLASSES, class_number
from cnnvis.network.vgg import VGG16, cut, with_classifier
from cnnvis.network.weights import load_for, load_vgg16, load_whole_vgg16, read_weights

TIMM = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}


@pytest.fixture(scope="module")
def whole() -> VGG16:
    """A toy with a classifier that has random weights."""
    torch.manual_seed(0)
    return with_classifier(toy())


@pytest.fixture(scope="module")
def torchvisions() -> dict[str, Tensor]:
    """The state of a torchvision VGG16 with the real convolutions and a random classifier."""
    torch.manual_seed(1)
    return {**torchvision.models.vgg16(weights=None).state_dict(), **read_weights()[0]}


def timms(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors with timm's names and shapes."""
    renamed = {}
    for name, tensor in state.items():
        stem, _, part = name.rpartition(".")
        shape = {"classifier.0": (4096, 512, 7, 7), "classifier.3": (4096, 4096, 1, 1)}.get(stem, tensor.shape)
        renamed[f"{TIMM.get(stem, stem)}.{part}"] = tensor.reshape(shape) if part == "weight" else tensor
    return renamed


# The names


def test_the_class_names_are_torchvisions() -> None:
    assert list(CLASSES) == VGG16_Weights.IMAGENET1K_V1.meta["categories"]
    assert len(CLASSES) == ARCHITECTURE.logits.channels == 1000


def test_every_class_is_found_by_its_name_in_any_case() -> None:
    assert [class_number(name) for name in CLASSES] == list(range(1000))
    for change in (str.upper, str.lower, str.title, " {} ".format):
        others = [(name, number) for number, name in enumerate(CLASSES) if number not in (264, 474)]
        assert [class_number(change(name)) for name, _ in others] == [number for _, number in others]


def test_only_its_capital_tells_the_dog_from_the_garment() -> None:
    """The Cardigan comes between Pembroke and toy poodle, the cardigan between can opener and car mirror."""
    assert [class_number(name) for name in ("Cardigan", " Cardigan ", "cardigan")] == [264, 264, 474]
    with pytest.raises(ChannelError, match=r"'CARDIGAN' does not exist\. Did you mean Cardigan or cardigan\?"):
        class_number("CARDIGAN")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("goldfsh", "Did you mean goldfish or goldfinch?"),
        ("siberian huskie", "Did you mean Siberian husky?"),
        ("retriever", "golden retriever"),
        ("cardigann", "Did you mean Cardigan or cardigan or ptarmigan?"),
        ("persian ct", "Persian cat"),
        ("saint bernhard", "Saint Bernard"),
        ("Husky", "Did you mean Siberian husky?"),  # similar to no name, but part of one
        ("", "Give a number from 0 to 999 or an English name."),
        ("qqqq", "Give a number from 0 to 999 or an English name."),
    ],
)
def test_an_unknown_class_is_refused_and_similar_names_are_suggested(name: str, hint: str) -> None:
    with pytest.raises(ChannelError, match="does not exist") as refused:
        class_number(name)
    assert hint in str(refused.value)
    suggested = str(refused.value).partition("Did you mean ")[2].removesuffix("?").split(" or ")
    assert suggested == [""] or (len(suggested) <= 3 and set(suggested) <= set(CLASSES))


# The classifier


@pytest.mark.slow
@pytest.mark.parametrize("form", ["torchvision.safetensors", "timm.safetensors", "torchvision.pth"])
def test_the_classifier_agrees_with_torchvisions(
    torchvisions: dict[str, Tensor], photo: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    path = tmp_path / form
    state = timms(torchvisions) if "timm" in form else torchvisions
    torch.save(state, path) if form.endswith("pth") else save_file(state, path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    net = load_whole_vgg16("cpu")
    assert net.conv1_1 is load_vgg16("cpu").conv1_1  # the convolutions were read only once
    theirs = torchvision.models.vgg16(weights=None).eval()
    theirs.load_state_dict(torchvisions)
    with torch.inference_mode():
        expected = theirs(VGG16_Weights.IMAGENET1K_V1.transforms()(photo)[None])[0]
    logits = feature_maps(net, photo, "class").values
    assert logits.shape == (1000, 1, 1)
    torch.testing.assert_close(logits.flatten(), expected, rtol=1e-4, atol=1e-4)
    shares, numbers = expected.softmax(0).topk(5)
    names, probabilities = zip(*top_classes(net, photo), strict=True)
    assert list(names) == [CLASSES[number] for number in numbers]
    assert list(probabilities) == pytest.approx(shares.tolist(), rel=1e-3)


def test_the_classifier_accepts_pictures_of_any_size(whole: VGG16) -> None:
    """As in torchvision, the last map is averaged to 7 × 7 first: here from 10 × 10, with cells that overlap."""
    part = cut(whole, "class")
    assert [part(torch.rand(1, 3, side, side)).shape for side in (64, 168, 300)] == [(1, 1000, 1, 1)] * 3
    maps = torch.rand(1, 8, 10, 10)
    cells = [(10 * i // 7, -(-10 * (i + 1) // 7)) for i in range(7)]  # where each cell begins and ends
    rows = [[maps[..., top:bottom, left:right].mean((2, 3)) for left, right in cells] for top, bottom in cells]
    expected = torch.stack([torch.stack(row, -1) for row in rows], -2)
    torch.testing.assert_close(whole.get_submodule("avgpool")(maps), expected)


def test_the_class_layer_has_three_names_and_is_refused_without_a_classifier(tiny: VGG16, photo: Image.Image) -> None:
    assert {find_layer(name).name for name in ("class", "classifier.6", "predictions")} == {"class"}
    calls = (lambda: cut(tiny, "class"), lambda: top_classes(tiny, photo), lambda: cnnvis.maximize(tiny, "class", 0))
    for call in calls:
        with pytest.raises(LayerError, match="CNNVIS_WEIGHTS=hub"):
            call()
    with pytest.raises(LayerError, match="has no filters of its own: choose a convolution, for example 'conv5_3'"):
        cnnvis.filter_sheet(tiny, "class")


def test_the_bundled_file_explains_how_to_get_a_classifier() -> None:
    with pytest.raises(WeightsError, match="has no classifier, only the convolutions: start with CNNVIS_WEIGHTS=hub"):
        load_for(find_layer("class"))
    assert load_for(find_layer("conv1_1")) is load_vgg16()


def test_another_classifier_is_left_out_and_the_origin_says_so(
    torchvisions: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {name: torch.zeros(3) for name in torchvisions if name.startswith("classifier")}
    path = tmp_path / "wrong.safetensors"
    save_file(torchvisions | wrong, path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    assert "other contents left out" in str(load_vgg16("cpu").origin)
    with pytest.raises(WeightsError, match="has a classifier that is not VGG16's: start with CNNVIS_WEIGHTS=hub"):
        load_whole_vgg16("cpu")


def test_a_class_can_be_maximised_by_name_or_number(whole: VGG16) -> None:
    named, numbered = (
        list(cnnvis.maximize(whole, "class", channel, "erhan", steps=4, size=64, every=0))
        for channel in ("goldfish", 1)
    )
    assert named[-1].picture.tobytes() == numbered[-1].picture.tobytes()
    assert named[-1].record()["channel"] == 1
    assert named[-1].activation > named[1].activation
    rated = cnnvis.scored_record(whole, named[-1])
    assert rated["robust"] is not None and rated["selectivity"] is None
    with pytest.raises(ChannelError, match="Did you mean goldfish"):
        cnnvis.maximize(whole, "class", "goldfsh")
    with pytest.raises(ChannelError, match="channel 1000 does not exist in class"):
        cnnvis.maximize(whole, "class", 1000)
