"""A contact sheet as a chooser: one picture, and over it a real button for every tile.

Choosing a cell chooses its channel: the layer picker is told (`choice.js`), and every sheet marks it. There is one
sprite, not 512 pictures; each button shows its own piece, so the grid reflows to any width. Tab reaches the chosen
cell, the arrow keys move, and Enter or Space chooses.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

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
    width, height = tiles.size
    tile = tiles.cell - tiles.gap - 2 * _RIM_PX
    items = [(item.tile, item.layer, item.channel, item.note) for item in tiles.items]
    value = {"src": tiles.src, "label": label, "columns": tiles.columns, "across": tiles.across, "items": items}
    value |= {"sharp": tiles.sharp, "wide": 100 * width / tile, "high": 100 * height / tile}
    value |= {"left": 100 * _RIM_PX / (width - tile), "top": 100 * _RIM_PX / (height - tile)}
    value |= {"right": 100 * tiles.cell / (width - tile), "down": 100 * tiles.cell / (height - tile)}
    return json.dumps(value, separators=(",", ":"))
