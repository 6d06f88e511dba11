"""Scores: each number is compared with an independent computation, for example on the saved file."""

import json
import random
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import pictures
from helpers.copies import plain_copies
from helpers.toys import conv, toy
from PIL import Image
from torch import Tensor, nn
from torchvision.models import VGG16_Weights
from torchvision.transforms.functional import normalize, pil_to_tensor

from cnnvis.errors import ChannelError, LayerError
from cnnvis.maximization.ascent import maximize
from cnnvis.maximization.score import Selectivity, distorted_copies, saturation, score, scored_record, spectral_slope
from cnnvis.network.architecture import find_layer
from cnnvis.network.vgg import VGG16, PhotoStatistics, cut
from cnnvis.pictures.images import to_tensor
from cnnvis.prepared.shelf import BUNDLED


@pytest.fixture(scope="module")
def excited(vgg16: VGG16) -> Image.Image:
    """A picture grown in a few steps to activate conv3_1 channel 7."""
    *_, last = maximize(vgg16, "conv3_1", 7, size=96, steps=24)
    return last.picture.resize((224, 224), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return pictures.noise(224, 224)


def plain_maps(features: nn.Sequential, batch: Tensor, layer: str) -> Tensor:
    """Return torchvision's maps for RGB in [0, 1]."""
    normal = normalize(batch, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return features[: find_layer(layer).index + 1](normal)


@pytest.mark.parametrize("layer", ["conv1_2", "relu2_1", "conv3_1", "pool3"])
@torch.inference_mode()
def test_the_saved_activation_is_measured_on_the_saved_file(
    vgg16: VGG16, features: nn.Sequential, excited: Image.Image, tmp_path: Path, layer: str
) -> None:
    excited.save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as read:
        maps = plain_maps(features, pil_to_tensor(read)[None] / 255, layer)
    scored = score(vgg16, excited, layer, 7)
    assert scored.saved_activation == pytest.approx(float(maps[0, 7].mean()), rel=1e-4)
    assert scored.fires == bool((maps[0, 7] > 0).any())
    assert scored.strongest == pytest.approx(float(maps[0, 7].max()), rel=1e-4)


@torch.inference_mode()
def test_robust_is_the_mean_over_the_copies(vgg16: VGG16, features: nn.Sequential, excited: Image.Image) -> None:
    expected = float(plain_maps(features, plain_copies(excited), "conv2_1")[:, 7].mean())
    assert score(vgg16, excited, "conv2_1", 7).robust == pytest.approx(expected, rel=0.02)  # the fast precision


def test_the_copies_equal_copies_computed_pixel_by_pixel(photo: Image.Image) -> None:
    picture = photo.resize((224, 224))
    copies = distorted_copies(picture)
    torch.testing.assert_close(copies, plain_copies(picture), rtol=0, atol=1e-4)
    random.seed(5)
    assert torch.equal(distorted_copies(picture), copies)  # always the same sixteen, and all different
    assert copies.shape == (16, 3, 168, 168)
    assert len({copy.numpy().tobytes() for copy in copies}) == 16


def test_noise_is_less_robust_than_a_grown_picture(vgg16: VGG16, excited: Image.Image, noise: Image.Image) -> None:
    assert score(vgg16, noise, "conv3_1", 7).robust < 0.5 * score(vgg16, excited, "conv3_1", 7).robust


@pytest.mark.parametrize(
    "size", [(63, 63), (300, 451), (1, 9), (224, 223), (225, 225)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_a_picture_that_is_not_square_or_not_64_to_224_px_is_resized_first(
    tiny: VGG16, noise: Image.Image, size: tuple[int, int]
) -> None:
    picture = noise.resize(size)
    resized = picture.resize((224, 224), Image.Resampling.LANCZOS)
    mine, its = score(tiny, picture, "conv2_1", 1), score(tiny, resized, "conv2_1", 1)
    assert (mine.saved_activation, mine.robust, mine.fires) == (its.saved_activation, its.robust, its.fires)
    assert mine.saturation == saturation(picture)


@pytest.mark.parametrize("side", [64, 96, 223])
def test_a_small_square_picture_is_measured_as_it_is(tiny: VGG16, noise: Image.Image, side: int) -> None:
    picture = noise.resize((side, side))
    with torch.inference_mode():
        maps = cut(tiny, tiny.architecture.find("conv2_1"))(to_tensor(picture))[0]
    assert score(tiny, picture, "conv2_1", 1).saved_activation == pytest.approx(float(maps[1].mean()), rel=1e-5)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_pictures_of_other_modes_are_converted_to_rgb_first(tiny: VGG16, noise: Image.Image, mode: str) -> None:
    picture = noise.convert(mode)
    assert score(tiny, picture, "pool1", 0) == score(tiny, picture.convert("RGB"), "pool1", 0)


@pytest.mark.parametrize("layer", ["conv2_2", "relu2_2", "pool2"])
def test_a_channel_with_a_very_negative_bias_never_fires(noise: Image.Image, layer: str) -> None:
    net = toy()
    assert score(net, noise, layer, 1).fires
    conv(net, layer).bias[1] = -1e6  # type: ignore[index]
    assert not score(net, noise, layer, 1).fires
    assert score(net, noise, layer, 2).fires


def test_a_wrong_layer_or_channel_is_refused(tiny: VGG16, noise: Image.Image) -> None:
    for error, target in ((LayerError, "conv9_1:0"), (ChannelError, "conv1_1:4"), (ChannelError, "pool5:-1")):
        with pytest.raises(error):
            score(tiny, noise, target)


def test_a_direction_is_scored_as_the_weighted_sum_of_its_channels(tiny: VGG16, noise: Image.Image) -> None:
    first, second = (score(tiny, noise, "conv3_1", channel) for channel in (1, 4))
    both = score(tiny, noise, "conv3_1", {1: 2.0, 4: -0.5})
    saved = 2 * first.saved_activation - 0.5 * second.saved_activation
    assert both.saved_activation == pytest.approx(saved, rel=1e-4)
    assert both.robust == pytest.approx(2 * first.robust - 0.5 * second.robust, rel=1e-3, abs=1e-4)
    assert both.fires == (first.fires or second.fires)
    assert both.selectivity is None


def test_a_scored_record_adds_the_score_to_the_record(tiny: VGG16) -> None:
    *_, last = maximize(tiny, "block2_conv1", 3, size=64, steps=2)
    record = scored_record(tiny, last)
    assert json.loads(json.dumps(record)) == record
    names = ("saved_activation", "robust", "fires", "strongest", "saturation", "naturalness", "selectivity")
    added = {name: record.pop(name) for name in names}
    assert record == last.record()
    assert added == score(tiny, last.picture, "conv2_1", 3).record()


def test_saturation_counts_values_near_black_and_white() -> None:
    pixels = np.full((10, 10, 3), 128, np.uint8)
    pixels[0, :2] = (0, 2, 3), (252, 253, 255)
    assert saturation(Image.fromarray(pixels)) == 4 / 300


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("side", [225, 384])
def test_the_slope_matches_noise_of_a_known_slope(exponent: float, side: int) -> None:
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    frequency[0, 0] = np.inf
    white = np.fft.fft2(np.random.default_rng(0).standard_normal((side, side)))
    field = np.fft.ifft2(white * frequency ** (-exponent / 2)).real
    grey = (128 + 40 * field / field.std()).clip(0, 255).astype(np.uint8)
    slope = spectral_slope(Image.fromarray(grey).convert("RGB"))
    assert slope == pytest.approx(-exponent, abs=0.25)


def test_a_picture_of_one_colour_has_no_slope() -> None:
    assert spectral_slope(Image.new("RGB", (64, 64), "red")) is None


def test_selectivity_ranks_channels_by_deviations_above_their_average(noise: Image.Image) -> None:
    """The four channels lie 1, 2, 3 and 4 deviations above their averages, so channel 2 ranks second."""
    net = toy()
    with torch.inference_mode():
        means = cut(net, "conv1_1")(pil_to_tensor(noise)[None] / 255)[0].mean((1, 2))
    deviation = torch.tensor([0.5, 0.1, 2.0, 0.25])
    net.photo_statistics = {"conv1_1": PhotoStatistics(means - deviation * torch.arange(1, 5), deviation, 3)}
    selectivity = score(net, noise, "conv1_1", 2).selectivity
    assert selectivity == Selectivity(rank=2, of=4, deviations=pytest.approx(3, rel=1e-4), photos=3)


def test_a_channel_that_is_silent_on_every_photo_is_not_ranked(noise: Image.Image) -> None:
    net = toy()
    still = torch.tensor([1.0, 0.0, 1.0, 1.0])
    net.photo_statistics = {"relu1_1": PhotoStatistics(torch.zeros(4), still, 3)}
    selectivity = score(net, noise, "relu1_1", 0).selectivity
    assert selectivity and selectivity.of == 3
    assert score(net, noise, "relu1_1", 1).selectivity is None


@pytest.mark.slow
def test_the_photo_statistics_equal_those_from_torchvision(vgg16: VGG16, features: nn.Sequential) -> None:
    prepare = VGG16_Weights.IMAGENET1K_V1.transforms()
    means: dict[str, list[list[float]]] = {"conv1_2": [], "pool1": []}
    for path in sorted((BUNDLED / "photos").iterdir()):
        with Image.open(path) as opened, torch.inference_mode():
            first = features[:3](prepare(opened.convert("RGB"))[None])
            pooled = features[3 : find_layer("pool1").index + 1](first.clone())
            for layer, maps in (("conv1_2", first), ("pool1", pooled)):
                means[layer].append(maps[0].double().mean((1, 2)).tolist())
    assert vgg16.photo_statistics is not None
    for layer, of_photos in means.items():
        known = vgg16.photo_statistics[layer]
        assert known.photos == len(of_photos) == 352
        for channel, values in enumerate(zip(*of_photos, strict=True)):
            assert known.mean[channel].item() == pytest.approx(statistics.fmean(values), rel=1e-3, abs=1e-3)
            assert known.deviation[channel].item() == pytest.approx(statistics.stdev(values), rel=5e-3, abs=1e-3)


def test_a_network_without_statistics_has_no_selectivity(tiny: VGG16) -> None:
    assert score(tiny, Image.new("RGB", (224, 224)), "conv1_1", 0).selectivity is None
