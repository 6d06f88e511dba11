"""The Atlas tab, the first that a visitor sees: the wall of a layer's pictures, and beside it everything about one."""

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

WALL_ORDERS = [("By number", "index"), ("By strength", "robust"), ("By likeness", "alike")]


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    gr.Markdown(ABOUT_ATLAS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=11, min_width=320):
            order = gr.Radio(WALL_ORDERS, value="index", label="Order", container=False, elem_id="atlas-order")
            caption = gr.HTML(elem_id="atlas-caption", elem_classes="quiet")
            chooser = sheet("atlas-sheet")
        with gr.Column(scale=10, min_width=320):
            view = html_block("atlas-filter")
    return Follower(_draw, [shared.photo, order], [chooser, caption, view], [order.input])


def _draw(choice: Choice, photo: str, order: str) -> tuple[Any, ...]:
    view = channel_view(choice.target, photo)
    try:
        atlas = cache.atlas_sheet(choice.layer)
        channels, across, words = _ordered(atlas, order)
        tiles = wall(choice, channels, across=across)
    except AtlasError as error:
        return None, f"<p>{html.escape(sentence(error))}</p>", view
    silent = sum(not tile.fires for tile in atlas.tiles)
    never = f"; {silent} never fire" if silent else ""
    caption = f"<p>All {atlas.channels} channels of <b>{atlas.layer}</b>{words}{never}.</p>"
    return sheet_value(f"The atlas of {atlas.layer}", tiles), caption, view


def _ordered(atlas: AtlasSheet, order: str) -> tuple[list[int], int, str]:
    """The channels in some order, how many make a row (0: as many as fit), and the order in words."""
    channels = list(range(atlas.channels))
    if order == "robust":
        channels.sort(key=lambda channel: -atlas.tiles[channel].robust)
        return channels, 0, ", largest robust activation first"
    if order != "alike":
        return channels, 0, ", by number"
    if not atlas.arrangement:
        return channels, 0, ", by number; this atlas has no similarity layout"
    arranged = atlas.arrangement
    return arranged["channels"], arranged["columns"], ": channels that respond to the same photos sit together"
