"""The photo, on which a visitor points at a place: with the mouse, a finger, or the arrow keys and Enter."""

import json
from collections.abc import Mapping

import gradio as gr

from cnnvis.ui.parts.base import scripted

_TEMPLATE = """<button type="button" class="place" hidden><img class="place-map" alt="">
<canvas class="place-mosaic" width="448" height="448" hidden></canvas><i class="place-cursor"></i></button>
<div class="place-bar"><span class="segments place-views" role="group" aria-label="Show"></span>
<span class="place-at quiet" role="status" aria-live="polite"></span></div>"""
# The row and the column of the value that the script made.
PICKED = "(value) => { const cell = JSON.parse(value); return [cell.row, cell.column]; }"


def place(elem_id: str) -> gr.HTML:
    """An empty picture; `place_value` makes its value. It sends `input` when a cell is chosen."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, padding=False)


def place_value(views: Mapping[str, str], label: str, grid: tuple[int, int], at: tuple[int, int] | None) -> str:
    """The value for a grid of places: how many lie along a side, and how many cells along one of theirs; (0, 1): none.

    `at` is the chosen cell. `views` are the addresses of square pictures by their names, of which the visitor sees one
    at a time; "" stands for the mosaic, which the script draws.
    """
    row, column = at or (None, None)
    return json.dumps(
        {"views": views, "label": label, "places": grid[0], "side": grid[1], "row": row, "column": column}
    )
