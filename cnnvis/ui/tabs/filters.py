"""The Filters tab: the chosen filter large, the most similar filters, and all filters of the layer as a chooser."""

import html
from typing import Any

import gradio as gr

from cnnvis.analysis.filters import Filter, FilterSheet, draw_filter
from cnnvis.errors import AtlasError
from cnnvis.network.vgg import conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block, large_picture
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import signed_bar, written
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.sheet import Item, Tiles, sheet, sheet_value
from cnnvis.ui.parts.wall import atlas_file, wall
from cnnvis.ui.parts.wiring import relations
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors, sentence
from cnnvis.ui.texts import ABOUT_FILTERS, MOST_SIMILAR, WIRES_BY

PICTURES = "pictures"
VIEWS = [("Automatic", "auto"), ("Signed", "signed"), ("Grey, each over its own range", "gray")]
VIEWS += [("Grown pictures", PICTURES)]
WIRE_ORDERS = [("What it usually carries", "usual"), ("L2 norm", "norm")]
FILTER_ORDERS = [("Channel number", "index"), ("Largest L2 norm first", "norm")]


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    gr.Markdown(ABOUT_FILTERS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            heading = gr.Markdown(elem_id="filter-heading")
            large = large_picture("The chosen filter", "filter-large", "sharp", height=320)
            facts = gr.HTML(elem_id="filter-facts", elem_classes="facts")
            by = gr.Radio(WIRE_ORDERS, value="usual", label=WIRES_BY, elem_id="wires-by")
            related = html_block("relations")
            gr.Markdown(MOST_SIMILAR)
            nearest = sheet("nearest-sheet")
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                view = gr.Radio(VIEWS, value="auto", label="Colours", elem_id="filter-view", scale=3)
                source = gr.Number(0, label="Input channel", precision=0, minimum=0, elem_id="input-channel", scale=1)
            order = gr.Radio(FILTER_ORDERS, value="index", label="Order", elem_id="filter-order")
            caption = gr.HTML(elem_id="filter-caption", elem_classes="quiet")
            chooser = sheet("filter-sheet")
            download = gr.DownloadButton("Download this sheet", size="sm", elem_id="filter-download")

    outputs = [chooser, download, caption, heading, large, facts, nearest]
    wired = [shared.layer_picker, by]
    # After the sheet has been painted, which a visitor waits for: the heading changes with the choice.
    heading.change(_related, wired, related, js="cnnvis.rested", **PAGE, **LIGHT)
    by.input(_related, wired, related, **PAGE, **LIGHT)
    triggers = [view.input, source.submit, source.blur, order.input]
    return Follower(_draw, [view, source, order], outputs, triggers, failed=_empty)


def _draw(choice: Choice, view: str, source: float | None, order: str) -> tuple[Any, ...]:
    net = load_vgg16(SHEET_DEVICE)
    kernels = conv_module(net, choice.layer).in_channels
    colours = "auto" if view == PICTURES else view
    drawn, png = cache.filter_sheet(net, choice.layer, colours, min(int(source or 0), kernels - 1))
    chosen, name = draw_filter(net, choice.target), drawn.layer
    path = bytes_file(png, f"{name}-filters-{drawn.view}.png")
    items = _all(choice, drawn, order)
    if view == PICTURES:
        tiles, file, caption = _pictures(choice, items)
    else:
        tiles, file, caption = _tiles(path, drawn, items), path, _caption(choice, drawn)
    everything = sheet_value(f"All filters of {name}", tiles) if tiles else None
    alt = f"{name} filter {choice.channel}, L2 norm {chosen.norm:.2f}"
    large = gr.Image(picture_file(chosen.picture, f"{name}-filter-{choice.channel}"), alt_text=alt)
    similar = [(channel, f"cosine {written(cosine, '.2f')}") for channel, cosine in chosen.nearest]
    nearest = sheet_value("Most similar filters", _tiles(path, drawn, _items(choice, similar)))
    return everything, file, caption, f"### {name} · filter {choice.channel}", large, _facts(chosen), nearest


@readable_errors
def _related(picked: Any, by: str) -> str:
    return relations(Choice.read(picked), by)


def _empty(reason: str) -> tuple[Any, ...]:
    """The tab without its pictures, and why."""
    return None, None, f"<p>{html.escape(reason)}</p>", "", None, "", None


def _tiles(path: str, sprite: FilterSheet, items: list[Item]) -> Tiles:
    """The items on the sprite, which stays in the order of the channels."""
    return Tiles(file_url(path), sprite.picture.size, sprite.cell, sprite.gap, sprite.columns, items)


def _pictures(choice: Choice, items: list[Item]) -> tuple[Tiles | None, str | None, str]:
    """The layer as the atlas's pictures: the tiles, the file to download, the caption."""
    norms = {item.channel: item.note for item in items}
    try:
        tiles = wall(choice, list(norms), norms.__getitem__)
        return tiles, atlas_file(choice), "<p>The picture grown to activate each filter, from the atlas.</p>"
    except AtlasError as error:
        return None, None, f"<p>{html.escape(sentence(error))}</p>"


def _all(choice: Choice, sprite: FilterSheet, order: str) -> list[Item]:
    """All filters in order."""
    channels = list(range(sprite.channels))
    if order == "norm":
        channels.sort(key=lambda channel: -sprite.norm[channel])
    return _items(choice, [(channel, f"L2 norm {sprite.norm[channel]:.2f}") for channel in channels])


def _items(choice: Choice, notes: list[tuple[int, str]]) -> list[Item]:
    """Filters with their notes. Choosing one keeps the chosen layer, even if that is the ReLU or pool after them."""
    return [Item(channel, choice.layer.name, channel, note) for channel, note in notes]


def _caption(choice: Choice, sprite: FilterSheet) -> str:
    whose = f"All {sprite.channels} filters of <b>{sprite.layer}</b>"
    if choice.layer.name != sprite.layer:
        these = f"these {sprite.channels} filters of <b>{sprite.layer}</b>"
        whose = f"{choice.layer.name} has no weights; its input comes from {these}"
    if sprite.view == "rgb":
        return f"<p>{whose}, in colour: mid-grey is zero, full colour ±{sprite.scale:.2f}.</p>"
    kernels = f"{whose}: their kernels for input channel {sprite.input_channel}"
    if sprite.view == "signed":
        return f"<p>{kernels}.</p>{signed_bar(sprite.scale or 0)}"
    return f"<p>{kernels}, each from its smallest weight (black) to its largest (white).</p>"


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
