"""What the ascent draws on, and where the network looks."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from cnnvis.canvas import FourierCanvas, PixelCanvas, View, fourier_weight, middle, new_canvas
from cnnvis.recipes import RECIPES, Ascent, settle
from cnnvis.vgg import find_layer

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rgb(side: int, count: int = 1, low: float = 0.02, high: float = 0.98) -> Tensor:
    return low + (high - low) * torch.rand(count, 3, side, side, generator=generator())


def settings(recipe: str = "fourier", **overrides: Any) -> Ascent:
    return settle(recipe, find_layer("conv1_1"), "cpu", **overrides)


# Canvases


@pytest.mark.parametrize("side", [16, 65, 96])
@pytest.mark.parametrize("decorrelated", [True, False])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_a_fourier_canvas_can_stand_for_any_picture(side: int, decorrelated: bool, decay: float) -> None:
    picture = rgb(side, count=2)
    canvas = FourierCanvas.of(picture, decay, decorrelated)
    torch.testing.assert_close(canvas.rgb(), picture, rtol=0, atol=1e-4)
    assert canvas.values.is_leaf
    assert canvas.values.requires_grad


def test_a_fourier_canvas_keeps_colours_off_the_very_ends() -> None:
    shown = FourierCanvas.of(rgb(32, low=-1.0, high=2.0), 1.0, True).rgb().detach()
    assert shown.min() == pytest.approx(0.01, abs=1e-4)
    assert shown.max() == pytest.approx(0.99, abs=1e-4)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("side", [8, 9])
def test_frequencies_are_weighted_by_their_inverse(side: int, decay: float) -> None:
    weight = fourier_weight(side, decay)
    assert weight.shape == (side, side // 2 + 1)
    for row in range(side):
        for column in range(side // 2 + 1):
            waves = math.hypot(min(row, side - row), column) or 1  # over the whole canvas; the mean like one wave
            assert weight[row, column] == pytest.approx((waves / side) ** -decay, rel=1e-5)


@pytest.mark.parametrize("side", [12, 13])
@pytest.mark.parametrize("decorrelated", [True, False])
def test_a_fourier_canvas_shows_what_numpy_computes(side: int, decorrelated: bool) -> None:
    """Lucid's numbers and order: inverse transform, a quarter of it, colours correlated, sigmoid."""
    values = torch.randn(1, 3, side, side // 2 + 1, 2, generator=generator())
    shown = FourierCanvas(values.clone(), side, 1.0, decorrelated).rgb().detach().numpy()
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    weights = 1 / np.maximum(np.hypot(rows, columns), 1 / side)
    spectrum = values.double().numpy()[0] @ [1, 1j]
    planes = np.fft.irfft2(spectrum * weights, s=(side, side), norm="ortho") / 4
    if decorrelated:
        lucid = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
        planes = np.tensordot(lucid / np.linalg.norm(lucid, axis=0).max(), planes, axes=1)
    np.testing.assert_allclose(shown[0], 1 / (1 + np.exp(-planes)), rtol=0, atol=1e-5)


def test_a_pixel_canvas_holds_the_normalised_pixels_unclamped() -> None:
    picture = rgb(8, low=-1.0, high=2.0)
    canvas = PixelCanvas(picture)
    expected = (picture[0, 2, 3, 4] - 0.406) / 0.225
    assert canvas.values[0, 2, 3, 4].item() == pytest.approx(expected.item(), abs=1e-6)
    torch.testing.assert_close(canvas.rgb(), picture)
    assert canvas.values.is_leaf


# The picture is the middle


@pytest.mark.parametrize(("side", "size", "first"), [(10, 10, 0), (10, 4, 3), (11, 5, 3), (10, 5, 2), (11, 4, 3)])
def test_the_picture_is_the_middle_of_the_canvas(side: int, size: int, first: int) -> None:
    canvas = torch.arange(side * side).reshape(1, 1, side, side)
    expected = canvas[:, :, first : first + size, first : first + size]
    assert torch.equal(middle(canvas, size), expected)


@pytest.mark.parametrize(
    ("overrides", "side"),
    [
        ({"jitter": 0, "zoom": 0}, 64),
        ({"jitter": 8, "zoom": 0}, 80),
        ({"jitter": 8, "zoom": 0.1}, 88),
        ({"jitter": 0, "zoom": 0.5}, 96),
        ({"jitter": 1, "zoom": 0.1, "size": 65}, 75),
    ],
)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_canvas_is_as_wide_as_its_views_wander(recipe: str, overrides: dict[str, Any], side: int) -> None:
    canvas = new_canvas(settings(recipe, **{"size": 64, **overrides}), 2, None, generator(), CPU)
    assert canvas.rgb().shape == (2, 3, side, side)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_seed_makes_the_noise_and_every_picture_of_a_batch_starts_alike(recipe: str) -> None:
    first, same, other = (
        new_canvas(settings(recipe, size=64), 3, None, generator(seed), CPU).rgb().detach() for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(first, first[:1].expand_as(first))


def test_erhan_starts_from_the_greys_of_the_notebook() -> None:
    levels = new_canvas(settings("erhan", size=64), 1, None, generator(), CPU).rgb().detach() * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    assert (levels.min().round(), levels.max().round()) == (125, 189)
    assert levels.mean() == pytest.approx(157, abs=1)


@pytest.mark.parametrize(("recipe", "tolerance"), [("erhan", 1e-5), ("fourier", 0.0101)])
@pytest.mark.parametrize("size", [64, 97])
def test_a_start_photo_is_fitted_to_the_canvas(photo: Image.Image, recipe: str, tolerance: float, size: int) -> None:
    canvas = new_canvas(settings(recipe, size=size), 2, photo, generator(), CPU).rgb().detach()
    fitted = ImageOps.fit(photo, (canvas.shape[-1],) * 2, Image.Resampling.BICUBIC)
    expected = torch.from_numpy(np.array(fitted)).permute(2, 0, 1) / 255
    assert (canvas - expected).abs().max() <= tolerance


# Views


def test_a_view_that_only_shifts_is_an_exact_slice_of_the_canvas() -> None:
    canvas = torch.arange(3.0 * 14 * 14).reshape(1, 3, 14, 14)
    draw = generator()
    corners = set()
    for _ in range(300):
        seen = View(10, jitter=2, zoom=0, turn=0).of(canvas, draw)
        top, left = divmod(int(seen[0, 0, 0, 0]), 14)
        assert torch.equal(seen, canvas[:, :, top : top + 10, left : left + 10])
        assert seen.shape == (1, 3, 10, 10)
        corners.add((top, left))
    assert corners == {(top, left) for top in range(5) for left in range(5)}


def test_without_jitter_a_view_is_the_middle() -> None:
    canvas = rgb(21)
    assert torch.equal(View(21, 0, 0, 0).of(canvas, generator()), canvas)
    assert torch.equal(View(9, 0, 0, 0).of(canvas, generator()), middle(canvas, 9))


@pytest.mark.parametrize(("side", "size"), [(30, 20), (31, 21), (24, 24)])
def test_a_view_that_hardly_moves_is_the_middle_too(side: int, size: int) -> None:
    canvas = rgb(side)
    seen = View(size, jitter=0, zoom=1e-7, turn=1e-7).of(canvas, generator())
    torch.testing.assert_close(seen, middle(canvas, size), rtol=0, atol=1e-4)


def surveyed(size: int, canvas: Tensor, view: View, seed: int) -> tuple[Tensor, NDArray[np.float64], float]:
    """A view, the affine map (2, 3) that turns its coordinates into the canvas's, and how far from affine it is.

    The canvas is replaced by its own coordinates, so the view itself says where it looked.
    """
    side = canvas.shape[-1]
    centres = torch.arange(side) + 0.5
    chart = torch.stack([centres.expand(side, side), centres[:, None].expand(side, side), canvas[0, 0]])[None]
    seen = view.of(chart, generator(seed))[0].double()
    rows, columns = np.mgrid[:size, :size] + 0.5
    places = np.stack([columns, rows, np.ones_like(rows)], axis=-1).reshape(-1, 3)
    answers = seen[:2].reshape(2, -1).T.numpy()
    solution = np.linalg.lstsq(places, answers, rcond=None)[0]
    return seen[2], solution.T, float(np.abs(places @ solution - answers).max())


def test_views_turn_zoom_and_shift_within_their_bounds_as_pillow_does() -> None:
    size, canvas, view = 24, rgb(60), View(24, jitter=5, zoom=0.2, turn=30)
    turns, zooms, shifts = [], [], []
    for seed in range(60):
        seen, affine, error = surveyed(size, canvas, view, seed)
        assert error < 1e-3
        (a, b, _), (d, e, _) = affine
        assert (a, b) == pytest.approx((e, -d), abs=1e-4)  # a turn and a zoom, nothing sheared or mirrored
        turns.append(math.degrees(math.atan2(d, a)))
        zooms.append(math.hypot(a, d))
        shifts.append(affine @ [size / 2, size / 2, 1] - 30)
        plane = Image.fromarray(canvas[0, 0].numpy())
        theirs = plane.transform(
            (size, size), Image.Transform.AFFINE, affine.flatten().tolist(), Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(seen, np.asarray(theirs), rtol=0, atol=2e-3)
    across, down = zip(*shifts, strict=True)
    for found, bound, centre in ((turns, 30, 0), (zooms, 0.2, 1), (across, 5, 0), (down, 5, 0)):
        assert np.abs(np.array(found) - centre).max() <= bound + 1e-3
        assert min(found) < centre - 0.8 * bound
        assert max(found) > centre + 0.8 * bound
    independent = np.corrcoef([turns, zooms, across, down]) - np.eye(4)
    assert np.abs(independent).max() < 0.4


def test_the_whole_batch_gets_the_same_view() -> None:
    canvases = rgb(40, count=3)
    for view in (View(24, 8, 0, 0), View(24, 4, 0.2, 20)):
        together = view.of(canvases, generator(7))
        for i in range(3):
            torch.testing.assert_close(together[i : i + 1], view.of(canvases[i : i + 1], generator(7)))


def test_a_view_beyond_the_rim_mirrors_the_canvas() -> None:
    canvas = rgb(20, low=0.25, high=0.75)
    seen = View(20, jitter=6, zoom=0.5, turn=45).of(canvas, generator(3))
    assert seen.min() >= 0.25
    assert seen.max() <= 0.75


def test_views_let_the_gradient_through() -> None:
    canvas = rgb(30).requires_grad_()
    for view in (View(20, 5, 0, 0), View(20, 2, 0.1, 10)):
        (gradient,) = torch.autograd.grad(view.of(canvas, generator()).sum(), canvas)
        assert gradient.sum() == pytest.approx(3 * 20 * 20, rel=1e-4)
