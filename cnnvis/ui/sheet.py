"""A contact sheet as a chooser: one picture, and over it a real button for every channel.

Choosing a cell is choosing that channel: the bar hears of it (`choice.js`), and every sheet marks it. One sprite
instead of 512 pictures; each button shows its own piece of it, so the grid reflows to any width. Tab goes to the chosen
cell, the arrow keys move, Enter or Space chooses.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from cnnvis.features import MapSheet
from cnnvis.filters import FilterSheet

_RIM_PX = 1  # of each tile left out on every side: browsers round, and the gap beside it would show as a line

_TEMPLATE = '<div class="sheet" role="group" aria-label="" hidden></div>'


def sheet(elem_id: str) -> gr.HTML:
    """An empty chooser; its value is made by `sheet_value`."""
    return gr.HTML(
        value=None,
        html_template=_TEMPLATE,
        js_on_load=Path(__file__).with_suffix(".js").read_text(),
        elem_id=elem_id,
        apply_default_css=False,
    )


def sheet_value(
    src: str,
    label: str,
    drawn: FilterSheet | MapSheet,
    channels: Sequence[int] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """What a chooser shows of the sprite at `src`: `channels` in their order (None: as drawn), with a note to each.

    As JSON, because gradio copies and compares whatever has parts, all 512 of them, many times for every event.
    CSS counts a background's position in percent of what the background is larger than the button.
    """
    order = getattr(drawn, "order", None) or list(range(drawn.channels))
    place = {channel: tile for tile, channel in enumerate(order)}
    shown = list(order if channels is None else channels)
    names = [f"channel {channel}" for channel in shown]
    width, height = drawn.picture.size
    tile = drawn.cell - drawn.gap - 2 * _RIM_PX
    told = {
        "src": src,
        "label": label,
        "columns": drawn.columns,
        "channels": shown,
        "names": [f"{name}, {note}" for name, note in zip(names, notes, strict=True)] if notes else names,
        "tiles": [place[channel] for channel in shown],
        "wide": 100 * width / tile,
        "high": 100 * height / tile,
        "across": 100 * _RIM_PX / (width - tile),
        "top": 100 * _RIM_PX / (height - tile),
        "right": 100 * drawn.cell / (width - tile),
        "down": 100 * drawn.cell / (height - tile),
    }
    return json.dumps(told)
