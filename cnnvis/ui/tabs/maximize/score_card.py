"""The score of one or several pictures, in words for somebody who has never seen one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.ui.texts import CAVEAT
from cnnvis.views.figures import colour_words, written

Record = dict[str, Any]
# What a picture is called whose robust activation is at least this share of the atlas's: the plain method of 2009
# reaches a quarter, our own recipe 0.7 to 1.3.
STRENGTHS = ((0.6, "A strong picture. "), (0.45, "A fair picture. "), (-1e9, "A weak picture. "))


def score_card(records: Sequence[Record]) -> str:
    """A sentence for each scored record and, behind it, a table with a column for each, as HTML.

    `hues` is its activation in other colours, `atlas` the robust activation of the atlas's picture, `photos` how many
    photos of the shelf excite the channel more, and of how many; the last two are None if they are not known.
    """
    size, note, said = records[0]["size"], "", "".join(map(_sentence, records))
    if size > PHOTO_SIDE:
        note = f"<p>It was measured at {PHOTO_SIDE} px; the ascent used {size} px.</p>"
    heads = "".join(f'<th scope="col">{record["name"].partition(" ")[2]}</th>' for record in records)
    top = f"<thead><tr><td></td>{heads}</tr></thead>" if len(records) > 1 else ""
    rows = "".join(_row(name, [words(record) for record in records]) for name, words in _ROWS.items())
    table = f'<div class="facts"><table>{top}<tbody>{rows}</tbody></table>{note}{CAVEAT}</div>'
    return f"{said}<details><summary>More: its scores</summary>{table}</details>"


def _sentence(record: Record) -> str:
    """What its scores say of a picture."""
    who = record["name"]
    if not record["fires"]:
        return f"<p><b>{who} never fires on its picture:</b> its map is nowhere above zero.</p>"
    kept = 100 * record["robust"] / record["saved_activation"] if record["saved_activation"] > 0 else 0
    if record["settings"]["objective"] == "negative" or not kept:
        return f"<p><b>{who}</b>: mean activation {written(record['saved_activation'], '.1f')}.</p>"
    strength, usual = "", record["atlas"]
    if usual and usual > 0:
        strength = next(words for least, words in STRENGTHS if record["robust"] / usual >= least)
    survives = f"{kept:.0f} % of its activation survives turns, scaling, crops and JPEG"
    return f"<p><b>{strength}</b>{survives}{_beside_photos(record['photos'])}.</p>"


def _beside_photos(photos: tuple[int | None, int] | None) -> str:
    """How the picture compares with the shelf's photos, by the strongest place of each."""
    if not photos:
        return ""
    stronger, of = photos
    if stronger is None:
        return f"; it is among the strongest of the shelf's {of} photos"
    if not stronger:
        return f"; no photo of the {of} on the shelf excites the filter as much anywhere"
    return f"; {stronger} of the shelf's {of} photos excite{'s' if stronger == 1 else ''} the filter more somewhere"


def _row(name: str, cells: list[str]) -> str:
    values = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{values}</tr>' if any(cells) else ""


def _robust(record: Record) -> str:
    saved, robust = record["saved_activation"], record["robust"]
    share = f" ({100 * robust / saved:.0f} %)" if saved > 0 else ""
    return f"{written(robust, '.1f')}{share}"


def _lift(record: Record) -> str:
    chosen = record["selectivity"]
    if isinstance(record["channel"], Mapping):
        return ""
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
