"""Numbers in words, as coloured squares and as bars, and small maps with captions."""

from collections.abc import Collection
from typing import Any

from PIL import Image
from torch import Tensor

from cnnvis.analysis.interventions import ColourSensitivity
from cnnvis.pictures.images import HEAT, PHOTO_SIDE, SIGNED, Pixels, signed
from cnnvis.views.html import image_tag

Cells = tuple[int, int, int]  # the row and the column of the first one, and how many along one side
GRADIENT_COLOURS = 9  # enough for these smooth ramps


def square(caption: str, values: Tensor, marked: Collection[tuple[int, int]] = ()) -> str:
    """Numbers (rows, columns) as a table, coloured by sign and size; some cells may be marked."""
    # Paler than the ramp itself, so dark digits stay legible on it.
    colours = 255 - (255 - signed(values, float(values.abs().max())).astype(int)) * 55 // 100
    rows = ""
    for i, row in enumerate(values):
        rows += f"<tr>{''.join(_cell(value, colours[i, j], (i, j) in marked) for j, value in enumerate(row))}</tr>"
    return f"<table><caption>{caption}</caption>{rows}</table>"


def _cell(value: Tensor, colour: Any, marked: bool) -> str:
    text = written(float(value) + 0.0, ".3f")
    return f'<td style="background: {_rgb(colour)}">{f"<mark>{text}</mark>" if marked else text}</td>'


def _rgb(colour: Any) -> str:
    return "rgb({}, {}, {})".format(*colour)


def map_figure(values: Tensor, alt: str, caption: str, scale: float, at: Cells | None = None) -> str:
    """A map (H, W) from −scale, blue, to +scale, orange, with a mark around some of its cells."""
    picture = Image.fromarray(signed(values, scale)).resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.NEAREST)
    mark = ""
    if at is not None:
        row, column, side = (100 * number / values.shape[0] for number in at)
        style = f"left: {column:.2f}%; top: {row:.2f}%; width: {side:.2f}%; height: {side:.2f}%"
        mark = f'<i class="place-cursor" style="{style}"></i>'
    marked = f"<div>{image_tag(picture, alt)}{mark}</div>"
    return f'<figure class="map-figure">{marked}<figcaption>{caption}</figcaption></figure>'


def signed_bar(scale: float) -> str:
    """The bar of a signed picture, from −scale to +scale, as HTML."""
    return _bar(SIGNED, [written(-scale), "0", written(scale, "+.3g")])


def heat_bar(low: float, high: float) -> str:
    """The bar of a map, from low to high, as HTML."""
    return _bar(HEAT, [written(low), written(high)])


def _bar(ramp: Pixels, labels: list[str]) -> str:
    colours = ", ".join(_rgb(ramp[round(255 * i / (GRADIENT_COLOURS - 1))]) for i in range(GRADIENT_COLOURS))
    named = "".join(f"<span>{text}</span>" for text in labels)
    label = f"Colours from {labels[0]} to {labels[-1]}"
    gradient = f'<div style="background: linear-gradient(to right, {colours})"></div>'
    return f'<div class="bar" role="img" aria-label="{label}">{gradient}<p aria-hidden="true">{named}</p></div>'


def written(value: float, spec: str = ".3g") -> str:
    """Format `value` by `spec`, with a real minus."""
    return format(value, spec).replace("-", "−")


def digits(value: float, sign: str = "") -> str:
    """A number to four digits; a small one gets no more decimals than float32 keeps after a long sum."""
    if not value:
        return format(0, sign)
    return written(value, f"{sign}#.4g" if abs(value) >= 0.1 else f"{sign}.4f").removesuffix(".")


def colour_words(sensitivity: ColourSensitivity) -> str:
    """How much of an activation remains in other colours, in percent of it."""
    if sensitivity.colour <= 0:
        return "nothing to compare: the channel is not active on it"
    remains = (sensitivity.grey, sensitivity.once, sensitivity.twice)
    grey, once, twice = (written(100 * value / sensitivity.colour, ".0f") for value in remains)
    return f"{grey} % in grey; {once} and {twice} % with red, green and blue cycled once and twice"
