"""A contact sheet as a chooser: one picture, and over it a real button for every tile.

Choosing a cell chooses its channel: the layer picker is told (`choice.js`), and every sheet marks it. There is one
sprite, not 512 pictures; each button shows its own piece, so the grid reflows to any width. Tab reaches the chosen
cell, the arrow keys move, and Enter or Space chooses.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.ui.parts.base import scripted

_RIM_PX = 1  # cut off each tile on every side: browsers round, and the gap beside it would show as a line

_TEMPLATE = """<div class="sheet" role="group" aria-label="" hidden></div>
<button type="button" class="sheet-zoom">Zoom in</button>"""


@dataclass(frozen=True)
class Item:
    """One cell: the tile it shows, the channel it chooses, and a note about it."""

    tile: int  # position on the sprite
    layer: str
    channel: int
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """A sprite of square tiles, and which of them to offer."""

    src: str  # address of the sprite
    size: tuple[int, int]  # of the sprite in px, width and height
    cell: int  # px from one tile to the next, the gap included
    gap: int  # px between tiles, at the right and the bottom of each cell
    columns: int
    items: Sequence[Item]
    across: int = 0  # cells in a row; 0: as many as fit
    sharp: bool = False  # whether each of the tile's few pixels stays visible


def sheet(elem_id: str) -> gr.HTML:
    """An empty chooser; `sheet_value` makes its value."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE)


def sheet_value(label: str, tiles: Tiles) -> str:
    """The value of a chooser, as JSON, because Gradio would copy and compare a value of 512 parts many times per event.

    It can be plain values when Gradio's page no longer keeps a copy of each value to compare.
    CSS measures the position of a background in percent of how much larger it is than the button.
    """
    items = [(item.tile, item.layer, item.channel, item.note) for item in tiles.items]
    value = {"label": label, "across": tiles.across, "items": items, "sharp": tiles.sharp}
    value |= sprite(tiles.src, tiles.size, tiles.cell, tiles.gap, tiles.columns)
    return json.dumps(value, separators=(",", ":"))


def sprite(src: str, size: tuple[int, int], cell: int, gap: int, columns: int) -> dict[str, Any]:
    """How CSS shows one tile of a sheet, in percent: tile i lies at `left` + (i % columns) · `right`, and so on.

    `px` and `cell` are a tile's side and the step from one to the next, in px of the sheet, for a canvas.
    """
    (width, height), tile = size, cell - gap - 2 * _RIM_PX
    about = {"src": src, "columns": columns, "px": cell - gap, "cell": cell}
    about |= {"wide": 100 * width / tile, "high": 100 * height / tile}
    about |= {"left": 100 * _RIM_PX / (width - tile), "top": 100 * _RIM_PX / (height - tile)}
    return about | {"right": 100 * cell / (width - tile), "down": 100 * cell / (height - tile)}
