"""What an ascent optimises: pixels, Fourier coefficients or phases; and the random views that the network is shown.

A canvas wraps around: what leaves it on one side comes back on the other. So a view may be anywhere, and with enough
jitter (0.5) the edges get as much attention as the middle.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from cnnvis.maximization.recipes import Settings
from cnnvis.network.precision import PLAIN
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from cnnvis.pictures.images import to_tensor

# The colours of ImageNet are correlated. This matrix, the square root of their covariance, turns independent channels
# into such colours; its largest column has norm 1. The figures are Lucid's (lucid/optvis/param/color.py, Apache-2.0).
COLOUR_CORRELATION = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], **PLAIN)
COLOUR_CORRELATION = COLOUR_CORRELATION / COLOUR_CORRELATION.norm(dim=0).max()
START_DEVIATION = 0.01  # standard deviation of the first Fourier coefficients, as in Lucid
PHASE_CONTRAST = 2.0  # standard deviation of a phase canvas's planes, before colour and sigmoid
START_VALUES = (125, 190)  # range of the first pixels, as in the original notebooks: 125 to 189 of 255
FOURIER_GAIN = 0.25  # Lucid's constant: coefficients of about 1 make a picture of normal contrast


class Canvas(Protocol):
    """Has `values` for an optimiser to change, and draws the picture that they encode."""

    values: Tensor  # a leaf with requires_grad
    side: int  # px

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side)."""
        ...


class PixelCanvas:
    """The canvas of the original notebooks (2020): normalised pixels, z = (rgb − mean)/std, never clamped."""

    def __init__(self, rgb: Tensor) -> None:
        self.mean = torch.tensor(IMAGENET_MEAN, **PLAIN).view(3, 1, 1).to(rgb.device)
        self.std = torch.tensor(IMAGENET_STD, **PLAIN).view(3, 1, 1).to(rgb.device)
        self.side = rgb.shape[-1]
        self.values = ((rgb - self.mean) / self.std).requires_grad_()

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side), not limited to [0, 1]."""
        return self.values * self.std + self.mean


class FourierCanvas:
    """Fourier coefficients, weighted so that all frequencies learn equally; Olah et al., "Feature Visualization", 2017.

    Coefficients are divided by the frequency to the power `decay` (1: the spectrum of photographs). With `decorrelated`
    the three planes are the uncorrelated colour axes of photographs instead of red, green and blue.
    """

    def __init__(self, spectrum: Tensor, side: int, decay: float, decorrelated: bool) -> None:
        self.side, self.decay = side, decay
        self.weight = fourier_weight(side, decay).to(spectrum.device)
        self.mix = COLOUR_CORRELATION.to(spectrum.device) if decorrelated else None
        self.values = spectrum.requires_grad_()

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side), within [0, 1]."""
        spectrum = torch.view_as_complex(self.values * self.weight[..., None])
        planes = torch.fft.irfft2(spectrum, s=(self.side, self.side), norm="ortho") * FOURIER_GAIN
        return _mixed(planes, self.mix).sigmoid()

    def doubled(self) -> tuple["FourierCanvas", Tensor]:
        """The same picture repeated 2 × 2 on a canvas of twice the side, and the ratio of its values to these.

        A canvas wraps around, so the repeats fit. Their spectrum is this one with a zero after every coefficient.
        """
        count, colours, side, columns, parts = self.values.shape
        ratio = 2 * self.weight / fourier_weight(2 * side, self.decay).to(self.weight.device)[::2, ::2]
        spectrum = self.values.new_zeros(count, colours, 2 * side, 2 * columns - 1, parts)
        spectrum[:, :, ::2, ::2] = self.values.detach() * ratio[..., None]
        return FourierCanvas(spectrum, 2 * side, self.decay, self.mix is not None), ratio

    @classmethod
    def of(cls, rgb: Tensor, decay: float, decorrelated: bool) -> "FourierCanvas":
        """Encode a given picture (N, 3, side, side)."""
        planes = rgb.clamp(0.01, 0.99).logit()
        if decorrelated:
            planes = _mixed(planes, torch.linalg.inv(COLOUR_CORRELATION).to(rgb.device))
        side = rgb.shape[-1]
        spectrum = torch.fft.rfft2(planes / FOURIER_GAIN, norm="ortho") / fourier_weight(side, decay).to(rgb.device)
        return cls(torch.view_as_real(spectrum).contiguous(), side, decay, decorrelated)


def _mixed(planes: Tensor, matrix: Tensor | None) -> Tensor:
    return planes if matrix is None else torch.einsum("rc,nchw->nrhw", matrix, planes)


class PhaseCanvas:
    """Phases alone, while every frequency keeps a fixed magnitude; Fel et al., "MACO", NeurIPS 2023.

    The paper's magnitudes are the mean over ImageNet. Ours fall as 1/f^`decay`, as those of photographs do, and have
    the contrast of a photograph.
    """

    def __init__(self, phases: Tensor, side: int, decay: float, decorrelated: bool) -> None:
        self.side = side
        columns = torch.arange(side // 2 + 1, device="cpu")
        own_mirror = (columns == 0) | (2 * columns == side)  # half a spectrum lacks the mirror images of the others
        magnitude = fourier_weight(side, decay)
        magnitude[0, 0] = 0  # so the mean is mid-grey
        copies = torch.where(own_mirror, torch.tensor(1.0, **PLAIN), torch.tensor(2.0, **PLAIN))
        deviation = ((magnitude**2 * copies).sum() / side**2).sqrt()  # of the plane with these magnitudes
        self.magnitude = (magnitude * PHASE_CONTRAST / deviation).to(phases.device)
        self.mix = COLOUR_CORRELATION.to(phases.device) if decorrelated else None
        self.own_mirror = own_mirror.to(phases.device)
        self.values = phases.requires_grad_()

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side), within [0, 1]."""
        # In a column that mirrors itself, a real-valued picture has opposite phases at opposite frequencies.
        opposite = torch.roll(self.values.flip(-2), 1, -2)
        phases = torch.where(self.own_mirror, self.values - opposite, self.values)
        spectrum = torch.polar(self.magnitude.expand_as(phases), phases)
        return _mixed(torch.fft.irfft2(spectrum, s=(self.side, self.side), norm="ortho"), self.mix).sigmoid()


def fourier_weight(side: int, decay: float) -> Tensor:
    """The weight of each coefficient (side, side // 2 + 1): frequency^−decay; the mean counts as the lowest."""
    weight: Tensor = _squared_frequency(side).sqrt().clamp_min(1 / side).pow(-decay)
    return weight


def _squared_frequency(side: int) -> Tensor:
    """The square of each coefficient's frequency, in cycles per px, (side, side // 2 + 1)."""
    rows, columns = torch.fft.fftfreq(side, **PLAIN)[:, None], torch.fft.rfftfreq(side, **PLAIN)[None]
    squared: Tensor = rows**2 + columns**2
    return squared


@dataclass(frozen=True)
class RandomView:
    """What the network sees of a canvas: a different piece at each step, slightly rotated and scaled."""

    share: float  # of the canvas's side that a view spans
    jitter: float  # moved off the middle by up to this share of the side, down and across
    zoom: float  # scaled by 1 − zoom to 1 + zoom
    rotation: float  # rotated by up to this many degrees, either way

    def of(self, canvas: Tensor, generator: torch.Generator, blur: float = 0.0) -> Tensor:
        """Draw a random view (N, 3, size, size) of a canvas (N, 3, side, side), the same for the whole batch.

        It is blurred by a Gaussian with a random deviation, from 0 to `blur` px.
        """
        side = canvas.shape[-1]
        if blur:
            canvas = blurred(canvas, blur * float(torch.rand((), generator=generator, **PLAIN)))
        down, right, zoom, rotation = (torch.rand(4, generator=generator, **PLAIN) * 2 - 1).tolist()
        shift = round(down * self.jitter * side), round(right * self.jitter * side)
        if any(shift):
            canvas = torch.roll(canvas, shift, (2, 3))
        size = max(1, round(self.share * side))
        if not (self.zoom or self.rotation):
            edge = (side - size) // 2
            return canvas[..., edge : edge + size, edge : edge + size]
        return turned(canvas, size, (1 + zoom * self.zoom) * size / side, math.radians(rotation * self.rotation))


def blurred(canvas: Tensor, deviation: float) -> Tensor:
    """Blur a canvas (N, 3, side, side) by a Gaussian of that deviation in px; like the canvas, it wraps around."""
    side = canvas.shape[-1]
    passed = torch.exp(-2 * (math.pi * deviation) ** 2 * _squared_frequency(side)).to(canvas.device)
    result: Tensor = torch.fft.irfft2(torch.fft.rfft2(canvas) * passed, s=(side, side))
    return result


def turned(canvas: Tensor, size: int, share: float, angle: float) -> Tensor:
    """Draw the middle of a canvas, `share` of its side across, rotated by `angle` radians, at `size` px."""
    cos, sin = share * math.cos(angle), share * math.sin(angle)
    matrix = torch.tensor([[[cos, -sin, 0.0], [sin, cos, 0.0]]], **PLAIN)
    grid = affine_grid(matrix, [1, 3, size, size], align_corners=False).to(canvas.device)
    if canvas.device.type != "cpu":
        return _sampled(canvas, grid[0])
    if abs(cos) + abs(sin) > 1:  # beyond its edge the canvas continues from its other side
        side, rim = canvas.shape[-1], canvas.shape[-1] // 2
        canvas, grid = pad(canvas, [rim] * 4, mode="circular"), grid * side / (side + 2 * rim)
    return grid_sample(canvas, grid.expand(len(canvas), -1, -1, -1), align_corners=False)


def _sampled(canvas: Tensor, grid: Tensor) -> Tensor:
    """Bilinear `grid_sample` by indexing: on a GPU the gradient of grid_sample itself varies from run to run."""
    side = canvas.shape[-1]
    across, down = ((grid + 1) * side / 2 - 0.5).unbind(-1)
    left, top = across.floor(), down.floor()
    result = canvas.new_zeros(())
    for column in (0, 1):
        for row in (0, 1):
            weight = (1 - (across - left - column).abs()) * (1 - (down - top - row).abs())
            result = result + weight * canvas[..., (top + row).long() % side, (left + column).long() % side]
    return result


def new_canvas(
    settings: Settings, count: int, photo: Image.Image | None, generator: torch.Generator, device: torch.device
) -> Canvas:
    """Make a canvas of `count` equal pictures from noise, around a colour if there is one, or from a cropped photo.

    Its side is `settings.size` px, or half of that where the settings start small.
    """
    side = settings.size // 2 if settings.coarse_share else settings.size
    fourier = settings.parameterisation == "fourier"
    if photo is None and fourier:
        noise = START_DEVIATION * torch.randn(3, side, side // 2 + 1, 2, generator=generator, **PLAIN)
        if settings.colour:
            flat = to_tensor(Image.new("RGB", (side, side), settings.colour))
            noise = noise + FourierCanvas.of(flat, settings.decay, settings.decorrelated).values.detach()[0]
        return FourierCanvas(noise.to(device).repeat(count, 1, 1, 1, 1), side, settings.decay, settings.decorrelated)
    if settings.parameterisation == "phase":
        phases = (torch.rand(3, side, side // 2 + 1, generator=generator, **PLAIN) * 2 - 1) * math.pi
        return PhaseCanvas(phases.to(device).repeat(count, 1, 1, 1), side, settings.decay, settings.decorrelated)
    if photo is None:
        start = torch.randint(*START_VALUES, (1, 3, side, side), generator=generator, **PLAIN) / 255
    else:
        start = to_tensor(ImageOps.fit(photo, (side, side), Image.Resampling.BICUBIC))
    rgb = start.to(device).repeat(count, 1, 1, 1)
    return FourierCanvas.of(rgb, settings.decay, settings.decorrelated) if fourier else PixelCanvas(rgb)
