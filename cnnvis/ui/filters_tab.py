"""The Filters tab: the chosen filter large, its nearest relatives, and the whole layer as a chooser."""

from functools import lru_cache
from typing import Any

import gradio as gr

from cnnvis.filters import Filter, FilterSheet, filter_sheet, one_filter
from cnnvis.images import encode
from cnnvis.ui.bars import signed_bar
from cnnvis.ui.choice import Choice
from cnnvis.ui.follow import Follower
from cnnvis.ui.handlers import bytes_file, file_url, large_picture, picture_file
from cnnvis.ui.sheet import sheet, sheet_value
from cnnvis.ui.texts import ABOUT_FILTERS
from cnnvis.ui.zero import light_network
from cnnvis.vgg import convolution, convolution_name

KEPT_SHEETS = 32  # at most 4 MB each: choosing another channel draws no sheet twice
VIEWS = [("Automatic", "auto"), ("Signed", "signed"), ("Grey, each its own range", "gray")]
ORDERS = [("Channel number", "index"), ("Largest weights first", "strength")]


def filters_tab() -> Follower:
    """Lay out the tab; returns what of it follows the choice."""
    gr.Markdown(ABOUT_FILTERS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            heading = gr.Markdown(elem_id="filter-heading")
            large = large_picture("The chosen filter", "filter-large", "sharp", height=320)
            facts = gr.HTML(elem_id="filter-facts", elem_classes="facts")
            gr.Markdown(
                "**Most similar filters of the layer**, by the cosine of their weights; choose one to go there."
            )
            nearest = sheet("nearest-sheet")
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                view = gr.Radio(VIEWS, value="auto", label="Kernels drawn", elem_id="filter-view", scale=3)
                source = gr.Number(0, label="Input channel", precision=0, minimum=0, elem_id="input-channel", scale=1)
            order = gr.Radio(ORDERS, value="index", label="Order", elem_id="filter-order")
            caption = gr.HTML(elem_id="filter-caption", elem_classes="quiet")
            chooser = sheet("filter-sheet")
            download = gr.DownloadButton("Download this sheet (PNG)", size="sm", elem_id="filter-download")

    outputs = [chooser, download, caption, heading, large, facts, nearest]
    triggers = [view.input, source.submit, source.blur, order.input]
    return Follower("filters", _draw, [view, source, order], outputs, triggers)


def _draw(choice: Choice, view: str, source: float | None, order: str) -> tuple[Any, ...]:
    net, layer, channel = light_network(), choice.layer, choice.channel
    shown = convolution_name(layer)
    kernels = convolution(net, shown).in_channels
    everything, png = _all_filters(shown, view, min(int(source or 0), kernels - 1))
    mine = one_filter(net, shown, channel)
    path = bytes_file(png, f"{shown}-filters-{everything.view}.png")
    alt = f"{shown} filter {channel}, L2 norm {mine.norm:.2f}"
    large = gr.Image(picture_file(mine.picture, f"{shown}-filter-{channel}"), alt_text=alt)
    return (
        _sheet(path, everything, order),
        path,
        _caption(layer, everything),
        f"### {shown} · filter {channel}",
        large,
        _facts(mine),
        _relatives(path, everything, mine),
    )


@lru_cache(maxsize=KEPT_SHEETS)
def _all_filters(layer: str, view: str, source: int) -> tuple[FilterSheet, bytes]:
    """The sheet, and the same as a PNG."""
    drawn = filter_sheet(light_network(), layer, view, source)
    return drawn, encode(drawn.picture)


def _sheet(path: str, drawn: FilterSheet, order: str) -> str:
    """All filters; the picture stays in the order of their numbers, the buttons need not."""
    channels = list(range(drawn.channels))
    if order == "strength":
        channels.sort(key=lambda channel: -drawn.norm[channel])
    notes = [f"L2 norm {drawn.norm[channel]:.2f}" for channel in channels]
    return sheet_value(file_url(path), f"All filters of {drawn.layer}", drawn, channels, notes)


def _relatives(path: str, drawn: FilterSheet, mine: Filter) -> str:
    channels = [channel for channel, _ in mine.nearest]
    notes = [f"cosine {cosine:.2f}" for _, cosine in mine.nearest]
    return sheet_value(file_url(path), "Most similar filters", drawn, channels, notes)


def _caption(layer: str, drawn: FilterSheet) -> str:
    whose = f"All {drawn.channels} filters of <b>{drawn.layer}</b>"
    if layer != drawn.layer:
        whose = f"{layer} has no weights; it works on what these {drawn.channels} filters of <b>{drawn.layer}</b> give"
    if drawn.view == "rgb":
        return f"<p>{whose}, in colour: mid-grey is zero, full colour ±{drawn.scale:.2f}.</p>"
    if drawn.view == "signed":
        bar = signed_bar(drawn.scale or 0)
        return f"<p>{whose}, their kernels for input channel {drawn.input_channel}.</p>{bar}"
    ends = "each from its smallest weight (black) to its largest (white)"
    return f"<p>{whose}, their kernels for input channel {drawn.input_channel}, {ends}.</p>"


def _facts(mine: Filter) -> str:
    if mine.layer == "conv1_1":
        shown = "The filter over red, green and blue, as a colour picture: mid-grey is zero."
        scale = ""
    else:
        listed = ", ".join(map(str, mine.input_channels))
        shown = f"Its {len(mine.input_channels)} strongest kernels, for the input channels {listed}."
        scale = signed_bar(mine.scale)
    return f"""{scale}<p class="quiet">{shown}</p>
<table>
<tr><th scope="row">L2 norm</th><td>{mine.norm:.3f}</td></tr>
<tr><th scope="row">Mean weight</th><td>{mine.mean:+.4f}</td></tr>
<tr><th scope="row">Bias</th><td>{mine.bias:+.4f}</td></tr>
<tr><th scope="row">Near zero (below 1 % of the layer's largest)</th><td>{100 * mine.sparsity:.0f} %</td></tr>
</table>"""
