"""How good a picture is: the saved file read back plainly, and the design's disturbances written out plainly."""

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import toy
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine, center_crop, normalize, pil_to_tensor

from cnnvis.ascent import maximize
from cnnvis.errors import ChannelError, LayerError
from cnnvis.score import disturbed_copies, score, scored_record
from cnnvis.vgg import VGG16, convolution, find_layer


@pytest.fixture(scope="module")
def excited(vgg16: VGG16) -> Image.Image:
    """A picture that excites conv3_1 channel 7 in few steps."""
    *_, last = maximize(vgg16, "conv3_1", 7, size=96, steps=24)
    return last.picture.resize((224, 224), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8))


def plain_maps(features: nn.Sequential, batch: Tensor, layer: str) -> Tensor:
    """Torchvision's own answer to RGB in [0, 1]."""
    normal = normalize(batch, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return features[: find_layer(layer).index + 1](normal)


def plain_copies(picture: Image.Image) -> Tensor:
    """Design, section 6."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    with Image.open(file) as read:
        compressed = pil_to_tensor(read) / 255
    draws = random.Random(0)
    copies = []
    for _ in range(16):
        angle = draws.uniform(-10, 10)
        scale = draws.uniform(0.8, 1.2)
        turned = affine(
            compressed, angle=angle, translate=[0, 0], scale=scale, shear=[0, 0],
            interpolation=InterpolationMode.BILINEAR, fill=[0, 0, 0],
        )  # fmt: skip
        copies.append(center_crop(turned, [168, 168]))
    return torch.stack(copies)


@pytest.mark.parametrize("layer", ["conv1_2", "relu2_1", "conv3_1", "pool3"])
@torch.inference_mode()
def test_the_activation_is_that_of_the_saved_file(
    vgg16: VGG16, features: nn.Sequential, excited: Image.Image, tmp_path: Path, layer: str
) -> None:
    excited.save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as read:
        maps = plain_maps(features, pil_to_tensor(read)[None] / 255, layer)
    found = score(vgg16, excited, layer, 7)
    assert found.saved_activation == pytest.approx(float(maps[0, 7].mean()), rel=1e-4)
    assert found.fires == bool((maps[0, 7] > 0).any())


@torch.inference_mode()
def test_the_robust_activation_is_the_mean_over_the_copies(
    vgg16: VGG16, features: nn.Sequential, excited: Image.Image
) -> None:
    maps = plain_maps(features, plain_copies(excited), "conv2_1")
    expected = float(maps[:, 7].mean())
    assert score(vgg16, excited, "conv2_1", 7).robust == pytest.approx(expected, rel=0.02)  # the fast precision


def test_the_copies_are_made_as_the_design_says(photo: Image.Image) -> None:
    picture = photo.resize((224, 224))
    torch.testing.assert_close(disturbed_copies(picture), plain_copies(picture), rtol=0, atol=1e-6)


def test_the_copies_are_always_the_same_and_sixteen_different_ones(photo: Image.Image) -> None:
    copies = disturbed_copies(photo.resize((224, 224)))
    random.seed(5)
    assert torch.equal(disturbed_copies(photo.resize((224, 224))), copies)
    assert copies.shape == (16, 3, 168, 168)
    assert len({copy.numpy().tobytes() for copy in copies}) == 16


def test_noise_is_less_robust_than_a_picture_grown_with_disturbances(
    vgg16: VGG16, excited: Image.Image, noise: Image.Image
) -> None:
    assert score(vgg16, noise, "conv3_1", 7).robust < 0.5 * score(vgg16, excited, "conv3_1", 7).robust


@pytest.mark.parametrize("size", [(64, 64), (300, 451), (1, 9), (224, 223)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures_of_other_sizes_are_resized_first(tiny: VGG16, noise: Image.Image, size: tuple[int, int]) -> None:
    picture = noise.resize(size)
    resized = picture.resize((224, 224), Image.Resampling.LANCZOS)
    assert score(tiny, picture, "conv2_1", 1) == score(tiny, resized, "conv2_1", 1)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_pictures_of_other_modes_have_a_score_too(tiny: VGG16, noise: Image.Image, mode: str) -> None:
    picture = noise.convert(mode)
    assert score(tiny, picture, "pool1", 0) == score(tiny, picture.convert("RGB"), "pool1", 0)


@pytest.mark.parametrize("layer", ["conv2_2", "relu2_2", "pool2"])
def test_a_channel_held_down_never_fires(noise: Image.Image, layer: str) -> None:
    net = toy()
    assert score(net, noise, layer, 1).fires
    bias = convolution(net, layer).bias
    assert bias is not None
    bias[1] = -1e6
    assert not score(net, noise, layer, 1).fires
    assert score(net, noise, layer, 2).fires


@pytest.mark.parametrize(
    ("error", "layer", "channel"),
    [(LayerError, "conv9_1", 0), (ChannelError, "conv1_1", 4), (ChannelError, "pool5", -1)],
)
def test_what_a_score_refuses(
    tiny: VGG16, noise: Image.Image, error: type[Exception], layer: str, channel: int
) -> None:
    with pytest.raises(error):
        score(tiny, noise, layer, channel)


def test_a_scored_record_is_the_record_with_the_score(tiny: VGG16) -> None:
    *_, last = maximize(tiny, "block2_conv1", 3, size=64, steps=2)
    record = scored_record(tiny, last)
    assert json.loads(json.dumps(record)) == record
    added = {name: record.pop(name) for name in ("saved_activation", "robust", "fires")}
    assert record == last.record()
    assert added == score(tiny, last.picture, "conv2_1", 3).record()
