"""The Atlas tab, the first that a visitor sees: the wall of a layer's pictures, and beside it one filter whole."""

import html
from typing import Any

import gradio as gr

from cnnvis.errors import AtlasError
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.channel import channel_view
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.sheet import sheet, sheet_value
from cnnvis.ui.parts.wall import wall
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.texts import ABOUT_ATLAS

ORDER_LABELS = [("By number", "index"), ("By strength", "robust"), ("By likeness", "alike")]
ORDERED = {
    "index": "by number",
    "robust": "largest robust activation first",
    "alike": "those that the same photos activate lie together",
}


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    gr.Markdown(ABOUT_ATLAS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=11, min_width=320):
            order = gr.Radio(ORDER_LABELS, value="index", label="Order", container=False, elem_id="atlas-order")
            caption = gr.HTML(elem_id="atlas-caption", elem_classes="quiet")
            wall = sheet("atlas-sheet")
        with gr.Column(scale=10, min_width=320):
            view = html_block("atlas-filter")
    return Follower(_draw, [shared.photo, order], [wall, caption, view], [order.input])


def _draw(choice: Choice, photo: str, order: str) -> tuple[Any, ...]:
    drawn = channel_view(choice.target, photo)
    try:
        found = cache.atlas_sheet(choice.layer)
        channels, across = _ordered(found, order)
        tiles = wall(choice, channels, across=across)
    except AtlasError as error:
        return None, f"<p>{html.escape(sentence(error))}</p>", drawn
    return sheet_value(f"The atlas of {found.layer}", tiles), _caption(found, order), drawn


def _ordered(found: AtlasSheet, order: str) -> tuple[list[int], int]:
    """The channels in some order, and how many make a row (0: as many as fit)."""
    if order == "alike" and found.arrangement:
        return found.arrangement["channels"], found.arrangement["columns"]
    channels = list(range(found.channels))
    if order == "robust":
        channels.sort(key=lambda channel: -found.tiles[channel].robust)
    return channels, 0


def _caption(found: AtlasSheet, order: str) -> str:
    words = f"All {found.channels} channels of <b>{found.layer}</b>, {ORDERED[order]}"
    if order == "alike" and not found.arrangement:
        words += ": but this atlas does not know which"
    if silent := sum(not tile.fires for tile in found.tiles):
        words += f"; {silent} never fire"
    return f"<p>{words}.</p>"
