"""Your own filter, compared with SciPy's correlation, torch's convolution and the network's own maps."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.applied import apply_kernel
from PIL import Image
from scipy.ndimage import correlate
from torch.nn.functional import conv2d, cosine_similarity
from torchvision.transforms.functional import normalize, to_tensor

from cnnvis.analysis.maps import feature_maps
from cnnvis.analysis.own_kernel import PRESETS, check_kernel, filter_kernel
from cnnvis.errors import ChannelError, SettingError
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import crop_like_training

CELLS = [(0, 0), (0, 223), (223, 0), (223, 223), (0, 100), (77, 0), (112, 112), (5, 200), (180, 31), (64, 222)]
ONES = [[1, 1, 1]] * 3


def normalised(photo: Image.Image) -> torch.Tensor:
    """The photo as the network sees it, by torchvision, (3, 224, 224)."""
    return normalize(to_tensor(crop_like_training(photo)), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_equals_scipys_correlation(tiny: VGG16, photo: Image.Image, name: str) -> None:
    colours = normalised(photo).double().numpy()
    expected = sum(correlate(colour, np.array(PRESETS[name]), mode="constant") for colour in colours) + 0.25
    own = apply_kernel(tiny, photo, PRESETS[name], 0.25)
    np.testing.assert_allclose(own.values.numpy(), expected, atol=2e-5)
    np.testing.assert_allclose(own.rectified.numpy(), np.maximum(expected, 0), atol=2e-5)


def test_one_kernel_per_colour_equals_torchs_convolution_in_ten_cells(tiny: VGG16, photo: Image.Image) -> None:
    kernels = torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(3))
    values = apply_kernel(tiny, photo, kernels.tolist(), -1).values
    expected = conv2d(normalised(photo)[None].double(), kernels[None].double(), padding=1)[0, 0] - 1
    for cell in CELLS:
        assert float(values[cell]) == pytest.approx(float(expected[cell]), abs=2e-5)


@pytest.mark.parametrize("channel", [0, 17, 63])
def test_a_filter_of_conv1_1_gives_its_own_map(vgg16: VGG16, photo: Image.Image, channel: int) -> None:
    kernel = filter_kernel(vgg16, channel)
    own = apply_kernel(vgg16, photo, kernel.kernels.tolist(), kernel.bias)
    expected = feature_maps(vgg16, photo, "conv1_1").values[channel]
    torch.testing.assert_close(own.values, expected, rtol=0, atol=1e-5)
    assert own.nearest == (channel, pytest.approx(1))


def test_the_most_similar_filter_has_the_largest_cosine_whatever_the_scale(vgg16: VGG16, photo: Image.Image) -> None:
    sobel = torch.tensor(PRESETS["Sobel across"]).expand(3, 3, 3)
    every = [float(cosine_similarity(weights.flatten(), sobel.flatten(), dim=0)) for weights in vgg16.conv1_1.weight]
    for scale in (1e-6, 1.0, 25.0):
        nearest = apply_kernel(vgg16, photo, (scale * sobel).tolist()).nearest
        assert nearest == (int(np.argmax(every)), pytest.approx(max(every), abs=1e-5))


def test_a_kernel_of_zeros_has_no_nearest_filter(tiny: VGG16, photo: Image.Image) -> None:
    own = apply_kernel(tiny, photo, np.zeros((3, 3)), 2)
    assert own.nearest is None
    assert (own.values == 2).all()


def test_text_is_read_as_numbers() -> None:
    kernel = check_kernel([["1", " 2 ", "-.5"]] * 3, "1e-1")
    assert kernel.kernels[2].tolist() == [[1, 2, -0.5]] * 3
    assert kernel.bias == 0.1


@pytest.mark.parametrize(("kernel", "bias", "sentence"), [
    ([[1, 1, 1], [1, "", 1], [1, 1, 1]], 0, "the weight in row 2, column 2 is empty: give a number from −100 to 100"),
    ([["nan", 1, 1], *ONES[1:]], 0, "the weight in row 1, column 1 is 'nan': give"),
    ([[1e9, 1, 1], *ONES[1:]], 0, "the weight in row 1, column 1 is 1000000000.0: give"),
    ([ONES, [*ONES[1:], [1, 1, float("inf")]], ONES], 0, "the weight in row 3, column 3 of green is inf: give"),
    ([[True, 1, 1], *ONES[1:]], 0, "the weight in row 1, column 1 is True"),
    ([[{}, 1, 1], *ONES[1:]], 0, "the weight in row 1, column 1 is {}"),
    (ONES, None, "the bias is empty: give a number"),
    (ONES, "-101", "the bias is '-101': give a number"),
    *((kernel, 0, "the kernel is not 3 × 3: give three rows of three weights, or one such kernel per colour")
      for kernel in ([[1, 1], [1, 1]], [[1, 1, 1], [1, 1], [1, 1, 1]], [ONES, ONES], "blur", None)),
])  # fmt: skip
def test_a_wrong_kernel_is_refused_in_one_sentence(kernel: Any, bias: Any, sentence: str) -> None:
    with pytest.raises(SettingError) as refused:
        check_kernel(kernel, bias)
    assert str(refused.value).startswith(sentence)
    assert str(refused.value).count(".") <= 3 and str(refused.value).endswith(".")


def test_a_filter_that_conv1_1_does_not_have_is_refused(tiny: VGG16) -> None:
    with pytest.raises(ChannelError, match="channel 'x' does not exist in conv1_1: choose a whole number from 0 to 3"):
        filter_kernel(tiny, "x")
