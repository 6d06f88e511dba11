"""The canvases that an ascent draws on, and the random views that the network sees of them."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, pad
from torchvision.transforms.functional import gaussian_blur

from cnnvis.maximization.canvas import (
    COLOUR_CORRELATION,
    PHASE_CONTRAST,
    Canvas,
    FourierCanvas,
    PixelCanvas,
    RandomView,
    _sampled,
    blurred,
    fourier_weight,
    new_canvas,
    turned,
)
from cnnvis.maximization.recipes import RECIPES, settle
from cnnvis.network.architecture import find_layer


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rgb(side: int, count: int = 1, low: float = 0.02, high: float = 0.98) -> Tensor:
    return low + (high - low) * torch.rand(count, 3, side, side, generator=generator())


def made(recipe: str, count: int = 1, photo: Image.Image | None = None, seed: int = 0, **overrides: Any) -> Canvas:
    """Make a canvas with the settings of a recipe."""
    settings = settle(recipe, find_layer("conv1_1"), "cpu", **overrides)
    return new_canvas(settings, count, photo, generator(seed), torch.device("cpu"))


@pytest.mark.parametrize("side", [16, 65, 96])
@pytest.mark.parametrize("decorrelated", [True, False])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_a_fourier_canvas_can_represent_any_picture(side: int, decorrelated: bool, decay: float) -> None:
    picture = rgb(side, count=2)
    canvas = FourierCanvas.of(picture, decay, decorrelated)
    torch.testing.assert_close(canvas.rgb(), picture, rtol=0, atol=1e-4)
    assert canvas.values.is_leaf and canvas.values.requires_grad


@pytest.mark.parametrize("side", [14, 64, 66])
@pytest.mark.parametrize("decay", [0.0, 1.0, 1.3])
def test_a_doubled_canvas_shows_the_picture_four_times(side: int, decay: float) -> None:
    canvas = FourierCanvas.of(rgb(side, count=2), decay, True)
    larger, ratio = canvas.doubled()
    torch.testing.assert_close(larger.rgb(), canvas.rgb().repeat(1, 1, 2, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(larger.values[:, :, ::2, ::2], canvas.values * ratio[..., None])
    assert larger.values.is_leaf and larger.values.requires_grad


def test_a_fourier_canvas_keeps_colours_away_from_pure_black_and_white() -> None:
    shown = FourierCanvas.of(rgb(32, low=-1.0, high=2.0), 1.0, True).rgb().detach()
    assert shown.min() == pytest.approx(0.01, abs=1e-4)
    assert shown.max() == pytest.approx(0.99, abs=1e-4)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("side", [8, 9])
def test_frequencies_are_weighted_by_an_inverse_power(side: int, decay: float) -> None:
    weight = fourier_weight(side, decay)
    assert weight.shape == (side, side // 2 + 1)
    for row in range(side):
        for column in range(side // 2 + 1):
            waves = math.hypot(min(row, side - row), column) or 1  # across the canvas; the mean counts as one wave
            assert weight[row, column] == pytest.approx((waves / side) ** -decay, rel=1e-5)


@pytest.mark.parametrize("side", [12, 13])
@pytest.mark.parametrize("decorrelated", [True, False])
def test_a_fourier_canvas_equals_a_numpy_version(side: int, decorrelated: bool) -> None:
    """Lucid's steps in Lucid's order: inverse transform, division by four, colour correlation, sigmoid."""
    values = torch.randn(1, 3, side, side // 2 + 1, 2, generator=generator())
    shown = FourierCanvas(values.clone(), side, 1.0, decorrelated).rgb().detach().numpy()
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    spectrum = values.double().numpy()[0] @ [1, 1j] / np.maximum(np.hypot(rows, columns), 1 / side)
    planes = np.fft.irfft2(spectrum, s=(side, side), norm="ortho") / 4
    if decorrelated:
        lucid = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
        planes = np.tensordot(lucid / np.linalg.norm(lucid, axis=0).max(), planes, axes=1)
    np.testing.assert_allclose(shown[0], 1 / (1 + np.exp(-planes)), rtol=0, atol=1e-5)


def test_a_pixel_canvas_holds_normalised_pixels_without_clamping_them() -> None:
    picture = rgb(8, low=-1.0, high=2.0)
    canvas = PixelCanvas(picture)
    blue = (float(picture[0, 2, 3, 4]) - 0.406) / 0.225
    assert canvas.values[0, 2, 3, 4].item() == pytest.approx(blue, abs=1e-6)
    torch.testing.assert_close(canvas.rgb(), picture)
    assert canvas.values.is_leaf


def phase_canvas(side: int, decorrelated: bool = False, count: int = 1, decay: float = 1.0) -> Canvas:
    return made("maco", count, seed=5, size=side, decorrelated=decorrelated, decay=decay)


def planes_of(canvas: Canvas, decorrelated: bool = False) -> NDArray[np.float64]:
    """Undo the sigmoid and the colour correlation of a canvas's picture. Returns planes (N, 3, side, side)."""
    planes = canvas.rgb().detach().double().logit()
    if decorrelated:
        planes = torch.einsum("pr,nrhw->nphw", torch.linalg.inv(COLOUR_CORRELATION.double()), planes)
    return planes.numpy()


@pytest.mark.parametrize("decorrelated", [True, False])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("side", [64, 65])
def test_the_planes_of_a_phase_canvas_have_the_contrast_of_a_photo(side: int, decay: float, decorrelated: bool) -> None:
    planes = planes_of(phase_canvas(side, decorrelated, decay=decay), decorrelated)
    np.testing.assert_allclose(planes.std((2, 3)), PHASE_CONTRAST, rtol=1e-3)
    np.testing.assert_allclose(planes.mean((2, 3)), 0, atol=1e-4)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("side", [64, 65])
def test_the_magnitudes_of_a_phase_canvas_fall_with_the_frequency(side: int, decay: float) -> None:
    magnitudes = np.abs(np.fft.fft2(planes_of(phase_canvas(side, decay=decay))))[0]
    waves = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side) * side] * 2))
    waves[0, 0] = 1
    law = magnitudes * waves**decay  # the same everywhere except at the mean, which is mid-grey
    assert law[:, 0, 0].max() < 1e-3 * law.max()
    for part in (law[:, 0, 1:], law[:, 1:]):
        np.testing.assert_allclose(part, law[0, 0, 1], rtol=1e-3)


@pytest.mark.parametrize("decorrelated", [True, False])
@pytest.mark.parametrize("side", [64, 65])
def test_an_ascent_on_a_phase_canvas_never_changes_a_magnitude(side: int, decorrelated: bool) -> None:
    canvas, aim = phase_canvas(side, decorrelated, count=2), rgb(side, count=2)
    start = canvas.rgb().detach()
    before = np.abs(np.fft.rfft2(planes_of(canvas, decorrelated)))
    optimiser = torch.optim.Adam([canvas.values], lr=0.3)
    for _ in range(8):
        (canvas.values.grad,) = torch.autograd.grad(((canvas.rgb() - aim) ** 2).sum(), canvas.values)
        optimiser.step()
    after = np.abs(np.fft.rfft2(planes_of(canvas, decorrelated)))
    assert (canvas.rgb() - start).abs().mean() > 0.05
    assert ((canvas.rgb() - aim) ** 2).mean() < 0.9 * ((start - aim) ** 2).mean()
    np.testing.assert_allclose(after, before, rtol=2e-3, atol=0.1)  # only the mean is close to zero


@pytest.mark.parametrize("size", [64, 65, 97])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_canvas_has_the_size_of_the_picture(recipe: str, size: int) -> None:
    for views in ({}, {"crop": 0.5, "jitter": 0.5, "zoom": 0.5, "rotation": 45}):
        canvas = made(recipe, 2, size=size, **views)
        assert canvas.rgb().shape == (2, 3, size, size)
        assert canvas.values.is_leaf and canvas.values.requires_grad


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_seed_decides_the_noise_and_all_pictures_of_a_batch_start_from_it(recipe: str) -> None:
    first, same, other = (made(recipe, 3, seed=seed, size=64).rgb().detach() for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(first, first[:1].expand_as(first))


def test_erhan_starts_from_the_notebooks_greys() -> None:
    levels = made("erhan", size=64).rgb().detach() * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    assert (levels.min().round(), levels.max().round()) == (125, 189)
    assert levels.mean() == pytest.approx(157, abs=1)


@pytest.mark.parametrize(("recipe", "tolerance"), [("erhan", 1e-5), ("fourier", 0.0101), ("deepdream", 0.0101)])
@pytest.mark.parametrize("size", [64, 97])
def test_a_start_photo_is_fitted_to_the_canvas(photo: Image.Image, recipe: str, tolerance: float, size: int) -> None:
    canvas = made(recipe, 2, photo, size=size).rgb().detach()
    fitted = ImageOps.fit(photo, (size, size), Image.Resampling.BICUBIC)
    expected = torch.from_numpy(np.array(fitted)).permute(2, 0, 1) / 255
    assert (canvas - expected).abs().max() <= tolerance


@pytest.mark.parametrize(("reach", "starts"), [(0, [2]), (2, [0, 1, 2, 3, 4]), (7, list(range(14)))])
def test_a_view_that_only_shifts_is_an_exact_crop_of_an_endless_canvas(reach: int, starts: list[int]) -> None:
    canvas = torch.arange(3.0 * 14 * 14).reshape(1, 3, 14, 14)
    endless, draw, corners = canvas.tile(2, 2), generator(), set()
    for _ in range(2000 if reach == 7 else 300):
        seen = RandomView(10 / 14, jitter=reach / 14, zoom=0, rotation=0).of(canvas, draw)
        top, left = divmod(int(seen[0, 0, 0, 0]), 14)
        assert torch.equal(seen, endless[:, :, top : top + 10, left : left + 10])
        corners.add((top, left))
    assert corners == {(top, left) for top in starts for left in starts}


def test_every_pixel_is_seen_equally_often_if_views_can_be_anywhere() -> None:
    canvas = torch.arange(144.0).reshape(1, 1, 12, 12)
    draw, view = generator(), RandomView(0.75, jitter=0.5, zoom=0, rotation=0)
    counts = sum(torch.bincount(view.of(canvas, draw).flatten().long(), minlength=144) for _ in range(4000))
    np.testing.assert_allclose(counts / 4000, 0.75**2, rtol=0.1)


@pytest.mark.parametrize(("side", "share", "first", "size", "change"), [
    (21, 1.0, 0, 21, 0), (20, 0.5, 5, 10, 0), (21, 0.75, 2, 16, 0), (65, 0.5, 16, 32, 0),
    (30, 20 / 30, 5, 20, 1e-7), (31, 21 / 31, 5, 21, 1e-7), (24, 1.0, 0, 24, 1e-7),
])  # fmt: skip
def test_a_view_that_hardly_moves_is_the_middle(side: int, share: float, first: int, size: int, change: float) -> None:
    canvas = rgb(side)
    seen = RandomView(share, jitter=0, zoom=change, rotation=change).of(canvas, generator())
    expected = canvas[:, :, first : first + size, first : first + size]
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-4 if change else 0)


@pytest.mark.parametrize("side", [16, 17])
def test_turning_a_canvas_by_a_right_angle_equals_rot90(side: int) -> None:
    canvas = rgb(side, count=2)
    for quarters in (-1, 0, 1, 2):
        seen = turned(canvas, side, 1.0, quarters * math.pi / 2)
        torch.testing.assert_close(seen, torch.rot90(canvas, quarters, (2, 3)), rtol=0, atol=1e-4)


def test_a_canvas_can_be_halved_in_size_or_cropped_to_its_middle() -> None:
    canvas = rgb(24, count=2)
    torch.testing.assert_close(turned(canvas, 12, 1.0, 0.0), avg_pool2d(canvas, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(turned(canvas, 12, 0.5, 0.0), canvas[..., 6:18, 6:18], rtol=0, atol=1e-5)


@pytest.mark.parametrize("deviation", [1.5, 2.5])  # below that, sampling the Gaussian matters
def test_a_blur_equals_torchvisions_on_a_canvas_that_wraps_around(deviation: float) -> None:
    canvas, reach = rgb(40, count=2), 14
    wide = pad(canvas, [reach] * 4, mode="circular")
    expected = gaussian_blur(wide, [2 * reach + 1] * 2, [deviation] * 2)[..., reach:-reach, reach:-reach]
    torch.testing.assert_close(blurred(canvas, deviation), expected, rtol=0, atol=1e-4)


def test_no_blur_changes_nothing_and_uses_no_random_number() -> None:
    canvas, view = rgb(40), RandomView(0.75, 0.2, 0.1, 5)
    torch.testing.assert_close(blurred(canvas, 0.0), canvas)
    first, second = generator(), generator()
    assert torch.equal(view.of(canvas, first), view.of(canvas, second, blur=0.0))
    assert torch.equal(first.get_state(), second.get_state())


def test_views_are_blurred_by_any_deviation_up_to_the_limit() -> None:
    """Some views keep nearly all of a wave, and none keeps less than the strongest blur leaves."""
    wave = (0.5 + 0.4 * torch.cos(2 * math.pi * torch.arange(40) / 10)).expand(1, 3, 40, 40)
    draw, view = generator(), RandomView(1.0, 0, 0, 0)
    kept = [float(view.of(wave, draw, blur=2.0).amax() - 0.5) / 0.4 for _ in range(200)]
    least = math.exp(-2 * (math.pi * 2 / 10) ** 2)
    assert least - 1e-4 < min(kept) < least + 0.05
    assert max(kept) > 0.98


def surveyed(size: int, canvas: Tensor, view: RandomView, seed: int) -> tuple[Tensor, NDArray[np.float64], float]:
    """Return a view, its affine map (2, 3) from view to canvas coordinates, and the largest error of that map.

    Two of the canvas's planes hold its own coordinates, so the view shows where it looked.
    """
    side = canvas.shape[-1]
    centres = torch.arange(side) + 0.5
    chart = torch.stack([centres.expand(side, side), centres[:, None].expand(side, side), canvas[0, 0]])[None]
    seen = view.of(chart, generator(seed))[0].double()
    rows, columns = np.mgrid[:size, :size] + 0.5
    points = np.stack([columns, rows, np.ones_like(rows)], axis=-1).reshape(-1, 3)
    targets = seen[:2].reshape(2, -1).T.numpy()
    solution = np.linalg.lstsq(points, targets, rcond=None)[0]
    return seen[2], solution.T, float(np.abs(points @ solution - targets).max())


def test_views_turn_zoom_and_shift_within_their_bounds_and_match_pillow() -> None:
    size, canvas, view = 24, rgb(60), RandomView(24 / 60, jitter=5 / 60, zoom=0.2, rotation=30)
    turns, zooms, shifts = [], [], []
    for seed in range(60):
        seen, affine, error = surveyed(size, canvas, view, seed)
        assert error < 1e-3
        (a, b, _), (d, e, _) = affine
        assert (a, b) == pytest.approx((e, -d), abs=1e-4)  # only a turn and a zoom: no shear, no mirroring
        turns.append(math.degrees(math.atan2(d, a)))
        zooms.append(math.hypot(a, d))
        shifts.append(affine @ [size / 2, size / 2, 1] - 30)
        how = Image.Transform.AFFINE, affine.flatten().tolist(), Image.Resampling.BILINEAR
        theirs = Image.fromarray(canvas[0, 0].numpy()).transform((size, size), *how)
        np.testing.assert_allclose(seen, np.asarray(theirs), rtol=0, atol=2e-3)
    across, down = zip(*shifts, strict=True)
    for drawn, bound, centre in ((turns, 30, 0), (zooms, 0.2, 1), (across, 5, 0), (down, 5, 0)):
        assert centre - bound - 1e-3 <= min(drawn) < centre - 0.8 * bound
        assert centre + 0.8 * bound < max(drawn) <= centre + bound + 1e-3
    independent = np.corrcoef([turns, zooms, across, down]) - np.eye(4)
    assert np.abs(independent).max() < 0.4


def test_the_whole_batch_gets_the_same_view() -> None:
    canvases = rgb(40, count=3)
    for view in (RandomView(0.6, 0.2, 0, 0), RandomView(0.6, 0.1, 0.2, 20)):
        together = view.of(canvases, generator(7))
        for seen, canvas in zip(together.split(1), canvases.split(1), strict=True):
            torch.testing.assert_close(seen, view.of(canvas, generator(7)))


def test_a_view_beyond_the_edge_still_sees_only_the_canvas() -> None:
    canvas, draw = rgb(20, low=0.25, high=0.75), generator(3)
    for _ in range(20):
        seen = RandomView(1.0, jitter=0.5, zoom=0.5, rotation=45).of(canvas, draw)
        assert seen.min() >= 0.25 - 1e-6 and seen.max() <= 0.75 + 1e-6


def test_views_pass_the_gradient_on() -> None:
    canvas = rgb(30).requires_grad_()
    for view in (RandomView(2 / 3, 0.5, 0, 0), RandomView(2 / 3, 0.1, 0.1, 10)):
        (gradient,) = torch.autograd.grad(view.of(canvas, generator()).sum(), canvas)
        assert gradient.sum() == pytest.approx(3 * 20 * 20, rel=1e-4)


# Sampling on a GPU


def points(side: int, reach: float = 1.0) -> Tensor:
    """Draw random points (9, 13, 2), up to `reach` times as far from the middle as the outermost pixels."""
    last = (side - 1) / side  # the centre of the last pixel; 0 is the middle of the canvas
    return (torch.rand(9, 13, 2, generator=generator(9)) * 2 - 1) * last * reach


@pytest.mark.parametrize("side", [16, 17])
def test_sampling_inside_the_canvas_equals_grid_sample_and_its_gradient(side: int) -> None:
    canvas, grid = rgb(side, count=2).requires_grad_(), points(side)
    mine = _sampled(canvas, grid)
    theirs = grid_sample(canvas, grid.expand(2, -1, -1, -1), align_corners=False)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
    heights = torch.rand(mine.shape, generator=generator(1))
    slopes = [torch.autograd.grad((seen * heights).sum(), canvas)[0] for seen in (mine, theirs)]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-4)


@pytest.mark.parametrize("side", [16, 17])
def test_sampling_outside_the_canvas_wraps_around(side: int) -> None:
    """The reference is torch's grid_sample on nine copies of the canvas, three by three."""
    canvas, grid = rgb(side), points(side, reach=2.5)
    assert (grid.abs() > 1).any()
    theirs = grid_sample(canvas.tile(3, 3), grid[None] / 3, align_corners=False)
    torch.testing.assert_close(_sampled(canvas, grid), theirs, rtol=0, atol=1e-5)
