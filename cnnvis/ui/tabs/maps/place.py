"""A map on which a visitor chooses a cell: with the mouse, or with the arrow keys and Enter."""

import json

import gradio as gr

from cnnvis.ui.parts.base import scripted

_TEMPLATE = """<button type="button" class="place" hidden>
<img class="place-map" alt=""><i class="place-cursor"></i></button>
<p class="place-at quiet" role="status" aria-live="polite"></p>"""
# The row and the column of the value that the script made.
PICKED = "(value) => { const cell = JSON.parse(value); return [cell.row, cell.column]; }"


def place(elem_id: str) -> gr.HTML:
    """An empty map; `place_value` makes its value. It sends `input` when a cell is chosen."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, padding=False)


def place_value(src: str, label: str, size: tuple[int, int], at: tuple[int, int] | None) -> str:
    """The value for a map of `size` (rows, columns) whose picture is at `src`; `at` is the chosen cell."""
    row, column = at or (None, None)
    about = {"src": src, "label": label, "rows": size[0], "columns": size[1]}
    return json.dumps({**about, "row": row, "column": column})
