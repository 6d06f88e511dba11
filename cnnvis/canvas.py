"""What the ascent draws on, pixels or Fourier coefficients, and the random views of it that the network is shown.

A canvas is a little larger than the picture: views shift, turn and zoom over its rim, and the picture is its middle.
So no edge of the picture is ever an edge of the canvas, where gradients are poor and a glow would gather.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from cnnvis.images import to_tensor
from cnnvis.recipes import Ascent
from cnnvis.vgg import IMAGENET_MEAN, IMAGENET_STD

# The colours of ImageNet are correlated: this turns independent channels into such colours (square root of their
# covariance, scaled to a largest column norm of 1). Figures of Lucid, lucid/optvis/param/color.py, Apache-2.0.
COLOUR_CORRELATION = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR_CORRELATION = COLOUR_CORRELATION / COLOUR_CORRELATION.norm(dim=0).max()
START_DEVIATION = 0.01  # of the Fourier coefficients, as in Lucid
START_GREYS = (125, 190)  # the range of the pixels, as in the original notebook: 125 to 189 of 255
FOURIER_GAIN = 0.25  # Lucid's constant: coefficients of order 1 make a picture of normal contrast


class Canvas(Protocol):
    """Something with `values` that an optimiser may change and a picture that they stand for."""

    values: Tensor  # a leaf with requires_grad

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side)."""
        ...


class PixelCanvas:
    """The original notebook's canvas: the normalised pixels themselves, z = (rgb − mean)/std, never clamped."""

    def __init__(self, rgb: Tensor) -> None:
        self.mean = torch.tensor(IMAGENET_MEAN, device=rgb.device).view(3, 1, 1)
        self.std = torch.tensor(IMAGENET_STD, device=rgb.device).view(3, 1, 1)
        self.values = ((rgb - self.mean) / self.std).requires_grad_()

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side), not confined to [0, 1]."""
        return self.values * self.std + self.mean


class FourierCanvas:
    """Fourier coefficients, weighted so that all frequencies learn alike; Olah et al., "Feature Visualization", 2017.

    `decay` is the power of the frequency that coefficients are divided by (1: the spectrum of photographs);
    with `decorrelated` the three planes are not red, green and blue but the uncorrelated colour axes of photographs.
    """

    def __init__(self, spectrum: Tensor, side: int, decay: float, decorrelated: bool) -> None:
        self.side = side
        self.weight = fourier_weight(side, decay).to(spectrum.device)
        self.mix = COLOUR_CORRELATION.to(spectrum.device) if decorrelated else None
        self.values = spectrum.requires_grad_()

    def rgb(self) -> Tensor:
        """The whole canvas, (N, 3, side, side), within [0, 1]."""
        spectrum = torch.view_as_complex(self.values * self.weight[..., None])
        planes = torch.fft.irfft2(spectrum, s=(self.side, self.side), norm="ortho") * FOURIER_GAIN
        return _mixed(planes, self.mix).sigmoid()

    @classmethod
    def of(cls, rgb: Tensor, decay: float, decorrelated: bool) -> "FourierCanvas":
        """The canvas that stands for a given picture (N, 3, side, side)."""
        planes = rgb.clamp(0.01, 0.99).logit()
        if decorrelated:
            planes = _mixed(planes, torch.linalg.inv(COLOUR_CORRELATION).to(rgb.device))
        side = rgb.shape[-1]
        spectrum = torch.fft.rfft2(planes / FOURIER_GAIN, norm="ortho") / fourier_weight(side, decay).to(rgb.device)
        return cls(torch.view_as_real(spectrum).contiguous(), side, decay, decorrelated)


def _mixed(planes: Tensor, matrix: Tensor | None) -> Tensor:
    return planes if matrix is None else torch.einsum("rc,nchw->nrhw", matrix, planes)


def fourier_weight(side: int, decay: float) -> Tensor:
    """What each coefficient (side, side // 2 + 1) is multiplied by: frequency^−decay, the mean taken as the lowest."""
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]
    frequency = (rows**2 + columns**2).sqrt().clamp_min(1 / side)
    weight: Tensor = frequency.pow(-decay)
    return weight


@dataclass(frozen=True)
class View:
    """Where on the canvas the network looks: shifted up to `jitter` px, zoomed up to `zoom`, turned up to `turn`°."""

    size: int  # px; what the network gets
    jitter: int
    zoom: float
    turn: float

    def of(self, canvas: Tensor, generator: torch.Generator) -> Tensor:
        """A random view (N, 3, size, size) of a canvas (N, 3, side, side), the same for the whole batch."""
        shift, zoom, turn = self._draw(generator)
        if not (self.zoom or self.turn):
            top, left = ((canvas.shape[-1] - self.size) // 2 + round(offset) for offset in shift)
            return canvas[..., top : top + self.size, left : left + self.size]
        half = canvas.shape[-1] / 2
        cos, sin = (self.size / 2 / half * zoom * part for part in (math.cos(turn), math.sin(turn)))
        matrix = torch.tensor([[cos, -sin, shift[1] / half], [sin, cos, shift[0] / half]])
        matrix = matrix.to(canvas.device).expand(len(canvas), 2, 3)
        grid = affine_grid(matrix, [len(canvas), 3, self.size, self.size], align_corners=False)
        return grid_sample(canvas, grid, padding_mode="reflection", align_corners=False)

    def _draw(self, generator: torch.Generator) -> tuple[tuple[float, float], float, float]:
        down, right, zoom, turn = (torch.rand(4, generator=generator) * 2 - 1).tolist()
        return (down * self.jitter, right * self.jitter), 1 + zoom * self.zoom, math.radians(turn * self.turn)


def middle(canvas: Tensor, size: int) -> Tensor:
    """The picture: the central `size` × `size` px of a canvas (N, 3, side, side)."""
    edge = (canvas.shape[-1] - size) // 2
    return canvas[..., edge : edge + size, edge : edge + size]


def new_canvas(
    settings: Ascent, count: int, photo: Image.Image | None, generator: torch.Generator, device: torch.device
) -> Canvas:
    """`count` equal canvases with noise, or with a photo fitted to them, and a rim as wide as the views wander."""
    side = settings.size + 2 * (settings.jitter + math.ceil(settings.zoom * settings.size / 2))
    fourier = settings.parameterisation == "fourier"
    if photo is None and fourier:
        noise = START_DEVIATION * torch.randn(3, side, side // 2 + 1, 2, generator=generator)
        spectrum = noise.to(device).repeat(count, 1, 1, 1, 1)
        return FourierCanvas(spectrum, side, settings.decay, settings.decorrelated)
    if photo is None:
        start = torch.randint(*START_GREYS, (1, 3, side, side), generator=generator) / 255
    else:
        start = to_tensor(ImageOps.fit(photo, (side, side), Image.Resampling.BICUBIC))
    rgb = start.to(device).repeat(count, 1, 1, 1)
    return FourierCanvas.of(rgb, settings.decay, settings.decorrelated) if fourier else PixelCanvas(rgb)
