"""Histograms of colours and edges: what they tell apart, and the values that reports since version 0.1 rest on."""

import numpy as np
import pytest
from helpers import EXAMPLES
from PIL import Image

from cnnvis.analysis.histograms import histograms


def stripes(angle: int, colour: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    drawn = np.zeros((256, 256, 3), np.uint8)
    drawn[:, (np.arange(256) // 16) % 2 == 1] = colour
    return Image.fromarray(drawn).rotate(angle, Image.Resampling.BICUBIC).crop((64, 64, 192, 192))


def test_histograms_tell_orientations_and_colours_apart() -> None:
    upright, tilted, red = histograms([stripes(0), stripes(60), stripes(0, (255, 0, 0))])
    assert upright @ upright == pytest.approx(2, abs=1e-5)
    assert upright[:64] @ tilted[:64] > 0.9  # the same colours
    assert upright[64:] @ tilted[64:] < 0.5  # not the same edges
    assert upright[64:] @ red[64:] > 0.99
    assert upright[:64] @ red[:64] < 0.8


def test_a_picture_of_one_colour_has_no_edges() -> None:
    (flat,) = histograms([Image.new("RGB", (50, 50), (200, 30, 30))])
    assert flat.isfinite().all()
    assert flat[64:].abs().sum() == 0


def test_the_values_are_those_of_earlier_reports() -> None:
    """Computed at commit cec0f6f, when this was one of the benchmarks' judges."""
    found = histograms([Image.open(EXAMPLES / f"{name}.jpg") for name in ("chelsea", "coffee", "rocket")])
    products = (found @ found.T)[[0, 0, 1], [1, 2, 2]]
    assert products.tolist() == pytest.approx([1.5262260, 1.3465176, 1.2891955], abs=1e-6)
    assert found.sum(1).tolist() == pytest.approx([6.3579817, 6.8884993, 6.2519717], abs=1e-5)
