"""One filter applied step by step, compared with torch's convolution and, to four digits, with the network's maps."""

import numpy as np
import pytest
import torch
from helpers.applied import apply_filter
from helpers.toys import conv
from PIL import Image
from torch.nn.functional import conv2d

from cnnvis.analysis.arithmetic import GAP_PX, PANEL_PX, map_picture, sliding
from cnnvis.analysis.maps import feature_maps
from cnnvis.errors import SettingError
from cnnvis.network.vgg import VGG16

CELLS = [(0, 0), (0, 5), (13, 13), (7, 2), (3, 0)]  # corners, edges and the middle of a 14 × 14 map


@pytest.mark.parametrize(("layer", "channel"), [("conv1_1", 17), ("conv3_2", 100), ("conv5_3", 165)])
def test_the_sum_is_the_networks_to_four_digits(vgg16: VGG16, photo: Image.Image, layer: str, channel: int) -> None:
    applied, network = apply_filter(vgg16, photo, layer, channel), feature_maps(vgg16, photo, layer).values[channel]
    for cell in CELLS:
        summed = applied.at(*cell)
        assert f"{summed.total:.4g}" == f"{float(network[cell]):.4g}" == f"{summed.network:.4g}"
        assert summed.rectified == max(0.0, summed.total)


@pytest.mark.parametrize("layer", ["conv1_1", "conv2_1", "conv4_2"])
def test_the_sum_is_torchs_convolution_of_the_window(tiny: VGG16, photo: Image.Image, layer: str) -> None:
    applied = apply_filter(tiny, photo, layer, 3)
    module = conv(tiny, layer)
    assert torch.equal(applied.kernels, module.weight[3])
    for cell in CELLS:
        summed = applied.at(*cell)
        expected = conv2d(summed.window[None], module.weight[3:4].double(), module.bias[3:4].double())
        assert summed.total == pytest.approx(float(expected), rel=1e-9)
        assert float(summed.by_input.sum()) + summed.bias == pytest.approx(summed.total)
        assert summed.products.shape == module.weight[3].shape


def test_the_window_is_zero_beyond_the_edge(tiny: VGG16, photo: Image.Image) -> None:
    window = apply_filter(tiny, photo, "conv1_1", 0).at(0, 0).window
    assert not window[:, 0].any() and not window[:, :, 0].any()
    assert window[:, 1:, 1:].any()


def test_the_largest_kernel_has_the_largest_norm(vgg16: VGG16, photo: Image.Image) -> None:
    norms = [float(kernel.norm()) for kernel in conv(vgg16, "conv3_1").weight[5]]
    assert apply_filter(vgg16, photo, "conv3_1", 5).largest_kernel == int(np.argmax(norms))


@pytest.mark.parametrize(("layer", "cells"), [("conv1_1", 224), ("conv4_1", 28), ("conv5_3", 14)])
def test_the_sliding_filter_ends_with_the_whole_map(tiny: VGG16, photo: Image.Image, layer: str, cells: int) -> None:
    applied = apply_filter(tiny, photo, layer, 1)
    frames = sliding(applied)
    assert applied.map.shape == (cells, cells)
    assert {frame.size for frame in frames} == {(2 * PANEL_PX + GAP_PX, PANEL_PX)}
    right = [frame.crop((PANEL_PX + GAP_PX, 0, 2 * PANEL_PX + GAP_PX, PANEL_PX)) for frame in frames]
    assert right[-1].tobytes() == right[-2].tobytes() == map_picture(applied).tobytes()
    drawn = [(np.asarray(panel) != np.array((22, 24, 29))).any(-1).sum() for panel in right]
    assert drawn == sorted(drawn)  # the drawn area only grows
    assert 0 < drawn[0] < drawn[-1]


def test_the_filter_slides_over_the_photo_at_conv1_1(tiny: VGG16, photo: Image.Image) -> None:
    applied = apply_filter(tiny, photo, "conv1_1", 0)
    first, *_, last = (frame.crop((0, 0, PANEL_PX, PANEL_PX)) for frame in sliding(applied))
    assert last.tobytes() == applied.photo.tobytes()
    rows, columns = np.nonzero((np.asarray(first) != np.asarray(applied.photo)).any(-1))
    assert 3 <= np.ptp(rows) <= 16 and 3 <= np.ptp(columns) <= 16  # only the window


def test_a_cell_outside_the_map_is_refused(tiny: VGG16, photo: Image.Image) -> None:
    with pytest.raises(SettingError, match="row 224 is out of range: choose a whole number from 0 to 223"):
        apply_filter(tiny, photo, "conv1_1", 0).at(224, 0)
