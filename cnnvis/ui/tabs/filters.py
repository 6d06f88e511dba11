"""The Filters tab: the chosen filter large, the most similar filters, and all filters of the layer as a chooser."""

from typing import Any

import gradio as gr

from cnnvis.analysis.filters import Filter, draw_filter
from cnnvis.network.vgg import conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block, large_picture
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import signed_bar, written
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.sheet import Item, Tiles, sheet, sheet_value
from cnnvis.ui.parts.wiring import relations
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.texts import ABOUT_FILTERS, MOST_SIMILAR, WIRES_BY

WIRE_ORDERS = [("What it usually carries", "usual"), ("L2 norm", "norm")]


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    gr.Markdown(ABOUT_FILTERS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=260):
            heading = gr.Markdown(elem_id="filter-heading")
            large = large_picture("The chosen filter", "filter-large", "sharp", height=300)
        with gr.Column(scale=3, min_width=280):
            facts = gr.HTML(elem_id="filter-facts", elem_classes="facts")
    by = gr.Radio(WIRE_ORDERS, value="usual", label=WIRES_BY, elem_id="wires-by")
    related = html_block("relations")
    gr.Markdown(MOST_SIMILAR)
    nearest = sheet("nearest-sheet")
    with gr.Accordion("Options: how the wall draws kernels", open=False, elem_id="kernel-options"), gr.Row():
        shared.view.render()  # type: ignore[no-untyped-call]
        shared.source.render()  # type: ignore[no-untyped-call]

    wired = [shared.layer_picker, by]
    # After the wall has been painted, which a visitor waits for: the heading changes with the choice.
    heading.change(_related, wired, related, js="cnnvis.rested", **PAGE, **LIGHT)
    by.input(_related, wired, related, **PAGE, **LIGHT)
    return Follower(_draw, [shared.view, shared.source], [heading, large, facts, nearest])


def _draw(choice: Choice, view: str, source: float | None) -> tuple[Any, ...]:
    net = load_vgg16(SHEET_DEVICE)
    kernels = conv_module(net, choice.layer).in_channels
    drawn, png = cache.filter_sheet(net, choice.layer, view, min(int(source or 0), kernels - 1))
    chosen, name = draw_filter(net, choice.target), drawn.layer
    alt = f"{name} filter {choice.channel}, L2 norm {chosen.norm:.2f}"
    large = gr.Image(picture_file(chosen.picture, f"{name}-filter-{choice.channel}"), alt_text=alt)
    src = file_url(bytes_file(png, f"{name}-filters-{drawn.view}.png"))
    items = [
        Item(channel, choice.layer.name, channel, f"cosine {written(cosine, '.2f')}")
        for channel, cosine in chosen.nearest
    ]
    tiles = Tiles(src, drawn.picture.size, drawn.cell, drawn.gap, drawn.columns, items)
    return f"### {name} · filter {choice.channel}", large, _facts(chosen), sheet_value("Most similar filters", tiles)


@readable_errors
def _related(picked: Any, by: str) -> str:
    return relations(Choice.read(picked), by)


def _facts(chosen: Filter) -> str:
    shown, scale = "The filter over red, green and blue, as a colour picture: mid-grey is zero.", ""
    if chosen.layer != "conv1_1":
        listed = ", ".join(map(str, chosen.input_channels))
        shown = f"Its {len(chosen.input_channels)} largest kernels, for input channels {listed}."
        scale = signed_bar(chosen.scale)
    return f"""{scale}<p class="quiet">{shown}</p>
<table>
<tr><th scope="row">L2 norm</th><td>{chosen.norm:.3f}</td></tr>
<tr><th scope="row">Mean weight</th><td>{written(chosen.mean, "+.4f")}</td></tr>
<tr><th scope="row">Bias</th><td>{written(chosen.bias, "+.4f")}</td></tr>
<tr><th scope="row">Near zero (below 1 % of the layer's largest)</th><td>{100 * chosen.sparsity:.0f} %</td></tr>
</table>"""
