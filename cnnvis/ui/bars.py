"""Colour bars: the values that the colours of a picture stand for."""

from cnnvis.pictures.images import HEAT, SIGNED, Pixels
from cnnvis.ui.numerals import written

GRADIENT_COLOURS = 9  # colours in a gradient: enough for these smooth ramps


def signed_bar(scale: float) -> str:
    """The bar of a signed picture, from −scale to +scale, as HTML."""
    return _bar(SIGNED, [written(-scale), "0", written(scale, "+.3g")])


def heat_bar(low: float, high: float) -> str:
    """The bar of a map, from low to high, as HTML."""
    return _bar(HEAT, [written(low), written(high)])


def _bar(ramp: Pixels, labels: list[str]) -> str:
    colours = ", ".join(
        "rgb({}, {}, {})".format(*ramp[round(255 * i / (GRADIENT_COLOURS - 1))]) for i in range(GRADIENT_COLOURS)
    )
    named = "".join(f"<span>{text}</span>" for text in labels)
    label = f"Colours from {labels[0]} to {labels[-1]}"
    gradient = f'<div style="background: linear-gradient(to right, {colours})"></div>'
    return f'<div class="bar" role="img" aria-label="{label}">{gradient}<p aria-hidden="true">{named}</p></div>'
