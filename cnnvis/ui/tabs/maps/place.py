"""A map on which a visitor chooses a place: with the mouse, or with the arrow keys and Enter."""

import json
from typing import Any

import gradio as gr

from cnnvis.ui.parts.base import scripted

_TEMPLATE = """<button type="button" class="place" hidden>
<img class="place-map" alt=""><i class="place-cursor"></i></button>
<p class="place-at quiet" role="status" aria-live="polite"></p>"""
# The row and the column of the value that the script made.
PICKED = "(value) => { const place = JSON.parse(value); return [place.row, place.column]; }"


def place(elem_id: str) -> gr.HTML:
    """An empty map; `place_value` makes its value. It sends `input` when a place is chosen."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, padding=False)


def place_value(src: str, label: str, size: tuple[int, int], at: tuple[int, int] | None) -> str:
    """The value for a map of `size` (rows, columns) whose picture is at `src`; `at` is the chosen place."""
    row, column = at or (None, None)
    value: dict[str, Any] = {"src": src, "label": label, "rows": size[0], "columns": size[1]}
    return json.dumps({**value, "row": row, "column": column})
