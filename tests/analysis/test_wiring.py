"""What a filter reads and what reads it: compared with plain loops over the weights, and with gradients."""

import pytest
import torch
from helpers.toys import conv
from safetensors.numpy import load_file

import cnnvis
from cnnvis.analysis.wiring import readers, reads, wiring
from cnnvis.errors import ChannelError, LayerError, SettingError
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.shelf import BUNDLED


@pytest.mark.parametrize(("layer", "channel"), [("conv1_2", 5), ("conv2_1", 17), ("conv3_1", 0), ("conv5_3", 511)])
def test_reads_equal_a_plain_loop_over_the_weights(vgg16: VGG16, layer: str, channel: int) -> None:
    kernels = conv(vgg16, layer).weight[channel].tolist()
    squared_norm = sum(weight**2 for kernel in kernels for row in kernel for weight in row)
    target, names = vgg16.architecture.target(layer, channel), vgg16.architecture.convolutions
    before = names[names.index(layer) - 1]
    usual = load_file(BUNDLED / "index.safetensors")[f"{before}.usual"]
    wires = reads(vgg16, target)
    assert sorted(wire.channel for wire in wires) == list(range(len(kernels)))
    for wire in wires:
        weights = [weight for row in kernels[wire.channel] for weight in row]
        norm = sum(weight**2 for weight in weights) ** 0.5
        assert wire.layer == before
        assert wire.norm == pytest.approx(norm, rel=1e-5)
        assert wire.sum == pytest.approx(sum(weights), rel=1e-3, abs=1e-6)
        assert wire.share == pytest.approx(norm**2 / squared_norm, rel=1e-4)
        assert wire.usual == pytest.approx(norm * usual[wire.channel], rel=1e-5)
    assert sum(wire.share for wire in wires) == pytest.approx(1, rel=1e-4)
    order = [wire.usual for wire in wires]
    assert order == sorted(order, reverse=True)  # type: ignore[type-var]
    norms = [wire.norm for wire in reads(vgg16, target, by="norm")]
    assert norms == sorted(norms, reverse=True)


@pytest.mark.parametrize(("layer", "channel"), [("conv1_2", 63), ("conv4_3", 100), ("conv5_2", 3)])
def test_readers_are_reads_seen_from_the_other_side(vgg16: VGG16, layer: str, channel: int) -> None:
    first, *_, last = readers(vgg16, vgg16.architecture.target(layer, channel))
    for wire in (first, last):
        others = reads(vgg16, vgg16.architecture.target(wire.layer, wire.channel))
        (same,) = [other for other in others if other.channel == channel]
        assert [same.norm, same.sum, same.share, same.usual] == pytest.approx(
            [wire.norm, wire.sum, wire.share, wire.usual], rel=1e-5
        )
        assert same.layer == layer


def test_the_ends_of_the_network(vgg16: VGG16) -> None:
    first = wiring(vgg16, "conv1_1", 3)
    assert {(wire.layer, wire.channel, wire.usual) for wire in first.reads} == {("input", n, None) for n in range(3)}
    assert wiring(vgg16, "conv5_3", 3).readers == []


def test_a_toy_without_a_shelf_is_ordered_by_norm(tiny: VGG16) -> None:
    wires = wiring(tiny, "conv3_2", 2, count=64).reads
    assert {wire.usual for wire in wires} == {None}
    norms = [wire.norm for wire in wires]
    assert norms == sorted(norms, reverse=True) and len(norms) == 6


def test_a_relu_and_a_pool_stand_for_their_convolution(vgg16: VGG16) -> None:
    convolution = reads(vgg16, vgg16.architecture.target("conv2_2", 7))
    for name in ("relu2_2", "pool2"):
        assert reads(vgg16, vgg16.architecture.target(name, 7)) == convolution


def test_a_record_holds_plain_values(vgg16: VGG16) -> None:
    record = cnnvis.wiring(vgg16, "block3_conv1", 2, 3).record()
    assert (record["layer"], record["channel"], len(record["reads"]), len(record["readers"])) == ("conv3_1", 2, 3, 3)
    assert record["reads"][0].keys() == {"layer", "channel", "norm", "sum", "share", "usual"}


def test_wrong_arguments_are_refused(tiny: VGG16) -> None:
    for error, *wrong in (
        (LayerError, "relu1_1", 0), (ChannelError, "conv1_1", 4),
        (SettingError, "conv1_1", 0, 0), (SettingError, "conv1_1", 0, 65), (SettingError, "conv1_1", 0, "x"),
    ):  # fmt: skip
        with pytest.raises(error):
            wiring(tiny, *wrong)


def test_wires_are_what_the_gradient_reads(tiny: VGG16) -> None:
    """By autograd: the sum of a kernel is how much a constant input of that channel changes a value in the middle."""
    maps = torch.zeros(1, 6, 5, 5, requires_grad=True)
    (slope,) = torch.autograd.grad(conv(tiny, "conv3_2")(maps)[0, 2, 2, 2], maps)
    for wire in reads(tiny, tiny.architecture.target("conv3_2", 2)):
        assert wire.sum == pytest.approx(float(slope[0, wire.channel].sum()), rel=1e-4, abs=1e-6)
        assert wire.norm == pytest.approx(float(slope[0, wire.channel].norm()), rel=1e-5)
