"""ReLU, pooling and receptive fields at ten places each, compared with torch's own."""

import pytest
import torch
from helpers.applied import surroundings
from PIL import Image
from torch.nn.functional import max_pool2d, relu

from cnnvis.analysis.around import seen
from cnnvis.analysis.maps import feature_maps
from cnnvis.network.architecture import ARCHITECTURE, CONVOLUTIONS, Architecture
from cnnvis.network.vgg import VGG16, build, cut

# Of a 14 × 14 map, and as corners of larger ones.
PLACES = [(0, 0), (0, 13), (13, 0), (13, 13), (7, 7), (6, 9), (3, 12), (12, 1), (5, 5), (10, 4)]


@pytest.mark.parametrize(("layer", "pool"), [("conv2_1", "pool2"), ("conv3_3", "pool3"), ("conv5_2", "pool5")])
def test_relu_and_pool_equal_torchs_at_ten_places(tiny: VGG16, photo: Image.Image, layer: str, pool: str) -> None:
    mine = feature_maps(tiny, photo, layer).values[3]
    last = tiny.architecture.find(pool).convolution
    pooled, winners = max_pool2d(relu(feature_maps(tiny, photo, last).values[3])[None, None], 2, return_indices=True)
    of_network = feature_maps(tiny, photo, pool).values[3]
    for place in PLACES:
        found = surroundings(tiny, photo, layer, 3, *place)
        assert found.rectified.before == float(mine[place])
        assert found.rectified.after == float(relu(mine)[place])
        assert found.rectified.cut == pytest.approx(float((mine < 0).sum()) / mine.numel())
        one = found.pooled
        assert (one.layer, one.convolution) == (pool, last)
        assert (one.row, one.column) == (place[0] // 2, place[1] // 2)
        assert one.value == float(of_network[one.row, one.column]) == float(one.values.max())
        assert torch.equal(one.map, pooled[0, 0])
        won = divmod(int(winners[0, 0, one.row, one.column]), mine.shape[1])
        assert one.winner == won
        assert float(one.read[won]) == one.value


@pytest.fixture(scope="module")
def transparent() -> VGG16:
    """A network of one channel a layer that lets everything through: every gradient is positive."""

    net = build(Architecture(widths=(1, 1, 1, 1, 1)))
    for name, module in list(net.named_children()):
        if isinstance(module, torch.nn.MaxPool2d):
            setattr(net, name, torch.nn.AvgPool2d(2))  # the gradient of the largest alone would miss three of four
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / 9)
    return net


@pytest.mark.parametrize("place", PLACES)
def test_the_boxes_are_where_torchs_gradient_is_and_each_lies_in_the_next(
    transparent: VGG16, place: tuple[int, int]
) -> None:
    boxes = seen(transparent.architecture, transparent.architecture.find("conv5_3"), place)
    assert [one.layer.name for one in boxes] == list(CONVOLUTIONS)
    picture = torch.ones(1, 3, 224, 224, requires_grad=True)
    inner = boxes[0].box
    for one in boxes:
        value = cut(transparent, one.layer)(picture)[0, 0, one.row, one.column]
        (gradient,) = torch.autograd.grad(value, picture)
        rows, columns = gradient[0, 0].nonzero(as_tuple=True)
        left, top, right, bottom = one.box
        assert (max(left, 0), max(top, 0)) == (int(columns.min()), int(rows.min()))
        assert (min(right, 224), min(bottom, 224)) == (int(columns.max()) + 1, int(rows.max()) + 1)
        assert right - left == bottom - top == one.layer.receptive_field
        assert one.beyond == pytest.approx(1 - len(rows) / one.layer.receptive_field**2)
        assert left <= inner[0] and top <= inner[1] and right >= inner[2] and bottom >= inner[3]
        inner = one.box
    assert (boxes[-1].row, boxes[-1].column) == place


def test_a_field_in_the_middle_of_the_photo_has_nothing_beyond_it() -> None:
    boxes = seen(ARCHITECTURE, ARCHITECTURE.find("conv2_2"), (56, 56))
    assert [one.beyond for one in boxes] == [0, 0, 0, 0]
    assert [(one.row, one.column) for one in boxes] == [(112, 112), (112, 112), (56, 56), (56, 56)]
