"""The score of one or several pictures, in words for somebody who has never seen one."""

from collections.abc import Callable, Sequence
from typing import Any

from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.ui.parts.figures import colour_words, written
from cnnvis.ui.texts import CAVEAT

Record = dict[str, Any]


def score_card(records: Sequence[Record]) -> str:
    """A table with a column for each scored record, as HTML; `hues` is its activation in other colours."""
    size, never, note = records[0]["size"], "", ""
    for channel in (record["channel"] for record in records if not record["fires"]):
        never += f"<p><strong>Channel {channel} never fires on its picture:</strong> its map is nowhere above zero.</p>"
    if size != PHOTO_SIDE:
        note = f"<p>Every picture is measured at {PHOTO_SIDE} px; the ascent used {size} px.</p>"
    heads = "".join(f'<th scope="col">channel {record["channel"]}</th>' for record in records)
    top = f"<thead><tr><td></td>{heads}</tr></thead>" if len(records) > 1 else ""
    rows = "".join(_row(name, [words(record) for record in records]) for name, words in _ROWS.items())
    return f'<div class="facts">{never}<table>{top}<tbody>{rows}</tbody></table>{note}{CAVEAT}</div>'


def _row(name: str, cells: list[str]) -> str:
    values = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{values}</tr>' if any(cells) else ""


def _robust(record: Record) -> str:
    saved, robust = record["saved_activation"], record["robust"]
    share = f" ({100 * robust / saved:.0f} %)" if saved > 0 else ""
    return f"{written(robust, '.1f')}{share}"


def _lift(record: Record) -> str:
    chosen = record["selectivity"]
    if not chosen:
        return "not known for these weights, this layer or these channels"
    above = f"{written(chosen['deviations'], '.1f')} standard deviations above its average on {chosen['photos']} photos"
    return f"{above}; rank {chosen['rank']} of {chosen['of']}"


def _fading(record: Record) -> str:
    slope = record["naturalness"]
    return "" if slope is None else f"{written(slope, '.1f')} (photographs: about −2 to −3; noise: 0)"


_ROWS: dict[str, Callable[[Record], str]] = {
    "Saved activation": lambda record: written(record["saved_activation"], ".1f"),
    "Robust activation: on compressed, rotated, scaled and cropped copies": _robust,
    "Selectivity: how far the picture lifts the channel": _lift,
    "Naturalness: how quickly fine detail fades": _fading,
    "Colour or shape: share of the activation left in other colours": lambda record: colour_words(record["hues"]),
    "Saturated colours": lambda record: f"{100 * record['saturation']:.1f} %",
}
