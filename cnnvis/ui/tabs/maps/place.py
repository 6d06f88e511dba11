"""A picture on which a visitor chooses a cell of a map: with the mouse, or with the arrow keys and Enter."""

import json
from collections.abc import Mapping

import gradio as gr

from cnnvis.ui.parts.base import scripted

_TEMPLATE = """<button type="button" class="place" hidden>
<img class="place-map" alt=""><i class="place-cursor"></i></button>
<div class="segments place-views" role="group" aria-label="Show"></div>
<p class="place-at quiet" role="status" aria-live="polite"></p>"""
# The row and the column of the value that the script made.
PICKED = "(value) => { const cell = JSON.parse(value); return [cell.row, cell.column]; }"


def place(elem_id: str) -> gr.HTML:
    """An empty picture; `place_value` makes its value. It sends `input` when a cell is chosen."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, padding=False)


def place_value(views: Mapping[str, str], label: str, size: tuple[int, int] | None, at: tuple[int, int] | None) -> str:
    """The value for a map of `size` (rows, columns); `at` is the chosen cell. Without a size, no cell can be chosen.

    `views` are the addresses of square pictures by their names, of which the visitor sees one at a time.
    """
    rows, columns = size or (0, 0)
    row, column = at or (None, None)
    about = {"views": views, "label": label, "rows": rows, "columns": columns}
    return json.dumps({**about, "row": row, "column": column})
