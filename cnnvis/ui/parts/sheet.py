"""A contact sheet as a chooser: one picture, and over it a real button for every channel.

Choosing a cell chooses its channel: the layer picker is told (`choice.js`), and every sheet marks it. There is one
sprite, not 512 pictures; each button shows its own piece, so the grid reflows to any width. Tab reaches the chosen
cell, the arrow keys move, and Enter or Space chooses.

Its value is JSON: Gradio would copy and compare a value of 512 parts many times per event. It can be plain values when
Gradio's page no longer keeps a copy of each value to compare.
"""

from typing import Any

import gradio as gr

from cnnvis.ui.parts.base import scripted

_RIM_PX = 1  # cut off each tile on every side: browsers round, and the gap beside it would show as a line

_TEMPLATE = """<div class="sheet" role="group" aria-label="" hidden></div>
<button type="button" class="sheet-zoom">Zoom in</button>"""


def sheet(elem_id: str, **props: Any) -> gr.HTML:
    """An empty chooser, with what its script must know."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, **props)


def sprite(src: str, size: tuple[int, int], cell: int, gap: int, columns: int) -> dict[str, Any]:
    """How CSS shows one tile of a sheet, in percent: tile i lies at `left` + (i % columns) · `right`, and so on.

    `px` and `cell` are a tile's side and the step from one to the next, in px of the sheet, for a canvas; `gap` of the
    step lies between tiles. CSS measures the position of a background in percent of how much larger it is than the
    button.
    """
    (width, height), tile = size, cell - gap - 2 * _RIM_PX
    about = {"src": src, "columns": columns, "px": cell - gap, "cell": cell}
    about |= {"wide": 100 * width / tile, "high": 100 * height / tile}
    about |= {"left": 100 * _RIM_PX / (width - tile), "top": 100 * _RIM_PX / (height - tile)}
    return about | {"right": 100 * cell / (width - tile), "down": 100 * cell / (height - tile)}
