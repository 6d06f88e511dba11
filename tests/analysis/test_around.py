"""ReLU, pooling and receptive fields in ten cells each, compared with torch's own."""

import pytest
import torch
from helpers.applied import surroundings
from PIL import Image
from torch.nn.functional import max_pool2d, relu

from cnnvis.analysis.around import seen
from cnnvis.analysis.maps import feature_maps
from cnnvis.network.architecture import ARCHITECTURE, CONVOLUTIONS, Architecture
from cnnvis.network.vgg import VGG16, build, cut

# Of a 14 × 14 map, and near the corner of larger ones.
CELLS = [(0, 0), (0, 13), (13, 0), (13, 13), (7, 7), (6, 9), (3, 12), (12, 1), (5, 5), (10, 4)]


@pytest.mark.parametrize(("layer", "pool"), [("conv2_1", "pool2"), ("conv3_3", "pool3"), ("conv5_2", "pool5")])
def test_relu_and_pool_are_torchs_own_in_ten_cells(tiny: VGG16, photo: Image.Image, layer: str, pool: str) -> None:
    mine = feature_maps(tiny, photo, layer).values[3]
    last = tiny.architecture.find(pool).convolution
    expected, winners = max_pool2d(relu(feature_maps(tiny, photo, last).values[3])[None, None], 2, return_indices=True)
    of_network = feature_maps(tiny, photo, pool).values[3]
    for cell in CELLS:
        around = surroundings(tiny, photo, layer, 3, *cell)
        assert around.rectified.before == float(mine[cell])
        assert around.rectified.after == float(relu(mine)[cell])
        assert around.rectified.cut == pytest.approx(float((mine < 0).sum()) / mine.numel())
        pooled = around.pooled
        assert (pooled.layer, pooled.convolution) == (pool, last)
        assert (pooled.row, pooled.column) == (cell[0] // 2, cell[1] // 2)
        assert pooled.value == float(of_network[pooled.row, pooled.column]) == float(pooled.values.max())
        assert torch.equal(pooled.map, expected[0, 0])
        assert pooled.winner == divmod(int(winners[0, 0, pooled.row, pooled.column]), mine.shape[1])
        assert float(pooled.read[pooled.winner]) == pooled.value


@pytest.fixture(scope="module")
def transparent() -> VGG16:
    """A network with one channel per layer that lets everything through: every gradient is positive."""
    net = build(Architecture(widths=(1, 1, 1, 1, 1)))
    for name, module in list(net.named_children()):
        if isinstance(module, torch.nn.MaxPool2d):
            setattr(net, name, torch.nn.AvgPool2d(2))  # the gradient of the largest alone would miss three of four
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / 9)
    return net


@pytest.mark.parametrize("cell", CELLS)
def test_each_box_is_where_torchs_gradient_is_and_inside_the_next(transparent: VGG16, cell: tuple[int, int]) -> None:
    boxes = seen(transparent.architecture, transparent.architecture.find("conv5_3"), cell)
    assert [box.layer.name for box in boxes] == list(CONVOLUTIONS)
    picture = torch.ones(1, 3, 224, 224, requires_grad=True)
    inner = boxes[0].box
    for each in boxes:
        value = cut(transparent, each.layer)(picture)[0, 0, each.row, each.column]
        (gradient,) = torch.autograd.grad(value, picture)
        rows, columns = gradient[0, 0].nonzero(as_tuple=True)
        left, top, right, bottom = each.box
        assert (max(left, 0), max(top, 0)) == (int(columns.min()), int(rows.min()))
        assert (min(right, 224), min(bottom, 224)) == (int(columns.max()) + 1, int(rows.max()) + 1)
        assert right - left == bottom - top == each.layer.receptive_field
        assert each.beyond == pytest.approx(1 - len(rows) / each.layer.receptive_field**2)
        assert left <= inner[0] and top <= inner[1] and right >= inner[2] and bottom >= inner[3]
        inner = each.box
    assert (boxes[-1].row, boxes[-1].column) == cell


def test_a_field_in_the_middle_of_the_photo_has_nothing_beyond_it() -> None:
    boxes = seen(ARCHITECTURE, ARCHITECTURE.find("conv2_2"), (56, 56))
    assert [box.beyond for box in boxes] == [0, 0, 0, 0]
    assert [(box.row, box.column) for box in boxes] == [(112, 112), (112, 112), (56, 56), (56, 56)]
