"""Patches, the pieces of a photo that activate a channel most: gradients show which pixels a value sees."""

import numpy as np
import pytest
import torch
from PIL import Image

from cnnvis.analysis.maps import Maps, feature_maps
from cnnvis.analysis.patches import Box, Patch, moved_inside, patches
from cnnvis.errors import ChannelError
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import to_tensor


def by_hand(values: list[list[float]], layer: str = "conv1_1", side: int = 8) -> Maps:
    white = Image.new("RGB", (side, side), "white")
    return Maps(find_layer(layer), "network", torch.tensor([values]), torch.empty(0), white)


def seen_by(part: torch.nn.Sequential, maps: Maps, patch: Patch) -> Box:
    """Return the box of all pixels that affect a patch's value: those with a non-zero gradient."""
    rgb = to_tensor(maps.photo).requires_grad_()
    (slope,) = torch.autograd.grad(part(rgb)[0, patch.channel, patch.row, patch.column], rgb)
    rows, columns = (slope[0].abs().sum(0) > 0).nonzero().unbind(1)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_2", "pool1", "conv2_2", "conv3_2", "pool3", "conv4_1"])
def test_a_patch_is_exactly_what_its_value_sees(tiny: VGG16, photo: Image.Image, layer: str) -> None:
    """Without ReLU, and with means instead of maxima, every pixel in the box affects the value."""
    maps = feature_maps(tiny, photo, layer)
    smooth = torch.nn.Sequential(
        *(torch.nn.AvgPool2d(2) if name.startswith("pool") else module
          for name, module in cut(tiny, layer).named_children() if not name.startswith("relu"))
    )  # fmt: skip
    for patch in patches(maps, 1, 2):
        left, top, right, bottom = patch.box
        seen = seen_by(smooth, maps, patch)
        assert moved_inside(maps.layer.field(patch.row, patch.column), 224) == patch.box
        assert left <= seen[0] and top <= seen[1] and seen[2] <= right and seen[3] <= bottom
        if seen[2] - seen[0] == right - left:
            assert (seen[0], seen[2]) == (left, right)
        assert (right - left, bottom - top) == (maps.layer.receptive_field,) * 2 == patch.picture.size


def test_a_patch_of_the_chain_is_exactly_what_its_value_sees(tiny: VGG16, photo: Image.Image) -> None:
    maps = feature_maps(tiny, photo, "conv2_2", "conv_chain")
    chain = torch.nn.Sequential(*(getattr(tiny, name) for name in CONVOLUTIONS[:4]))
    for patch in patches(maps, 0, 2):
        left, top, right, bottom = patch.box
        seen = seen_by(chain, maps, patch)
        assert left <= seen[0] and top <= seen[1] and seen[2] <= right and seen[3] <= bottom
        assert left >= 0 and right <= maps.photo.width and right - left == bottom - top == 9


def test_the_strongest_cell_comes_first_and_its_neighbours_are_skipped() -> None:
    values = np.full((8, 8), -1.0)
    values[2, 3], values[2, 4], values[6, 6], values[0, 0] = 9.0, 8.0, 7.0, 0.5
    cells = [(patch.row, patch.column, patch.value) for patch in patches(by_hand(values.tolist()), 0)]
    assert cells == [(2, 3, 9.0), (6, 6, 7.0), (0, 0, 0.5)]


def test_as_many_patches_are_cut_as_asked_but_none_below_zero(tiny: VGG16, photo: Image.Image) -> None:
    maps = feature_maps(tiny, photo, "relu2_1")
    assert [len(patches(maps, 2, count)) for count in (0, 1, 3)] == [0, 1, 3]
    assert patches(by_hand([[-1.0, -2.0], [-0.5, 0.0]]), 0) == []
    assert patches(maps, 2)[0].value == float(maps.values[2].max())


def test_a_patch_at_the_edge_is_moved_inside_and_shows_the_pixels_of_its_box() -> None:
    maps = by_hand([[1.0] + [0.0] * 7] + [[0.0] * 8] * 7)
    maps.photo.putpixel((2, 1), (1, 2, 3))
    (patch,) = patches(maps, 0)
    assert patch.box == (0, 0, 3, 3)
    expected = np.full((3, 3, 3), 255)
    expected[1, 2] = (1, 2, 3)
    np.testing.assert_array_equal(np.asarray(patch.picture), expected)


def test_a_box_that_sticks_out_is_moved_inside() -> None:
    assert moved_inside((-10, 5, 30, 45), 224) == (0, 5, 40, 45)
    assert moved_inside((200, 190, 240, 230), 224) == (184, 184, 224, 224)
    for layer in map(find_layer, CONVOLUTIONS):
        for cell in (0, 224 // layer.stride - 1):
            left, top, right, bottom = moved_inside(layer.field(cell, cell), 224)
            assert 0 <= left == top and right == bottom <= 224 and right - left == layer.receptive_field


def test_a_patch_activates_its_channel_as_much_without_its_surroundings(vgg16: VGG16, photo: Image.Image) -> None:
    """The value does not change when everything outside the box is painted over."""
    maps = feature_maps(vgg16, photo, "conv3_1")
    patch = patches(maps, 60)[0]
    covered = Image.new("RGB", (224, 224), "red")
    covered.paste(maps.photo.crop(patch.box), patch.box[:2])
    with torch.inference_mode():
        value = cut(vgg16, "conv3_1")(to_tensor(covered))[0, 60, patch.row, patch.column]
    assert float(value) == pytest.approx(patch.value, rel=1e-4)


def test_a_channel_outside_the_layer_is_refused() -> None:
    with pytest.raises(ChannelError, match="channel 64 does not exist in conv1_1"):
        patches(by_hand([[1.0]]), 64)
