"""The Filters tab: what the chosen filter reads and what reads it, filters like it, and its figures."""

from typing import Any

import gradio as gr

from cnnvis.analysis.filters import Filter, colour_picture, draw_filter
from cnnvis.network.vgg import conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block, large_picture
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.concept import mixture
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.wiring import relations
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.texts import ABOUT_FILTERS, NO_WEIGHTS, WIRES_BY
from cnnvis.views.figures import signed_bar, written
from cnnvis.views.html import image_tag

WIRE_ORDERS = [("What it usually carries", "usual"), ("L2 norm", "norm")]


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    heading = gr.Markdown(elem_id="filter-heading")
    first = html_block("filter-large")
    related = html_block("relations")
    with gr.Accordion("More: its figures, its largest kernels, how the wall draws them", open=False, elem_id="more"):
        with gr.Row():
            with gr.Column(scale=2, min_width=260):
                large = large_picture("Its largest kernels", "filter-kernels", "sharp", height=300)
            with gr.Column(scale=3, min_width=280):
                facts = gr.HTML(elem_id="filter-facts", elem_classes="facts")
        by = gr.Radio(WIRE_ORDERS, value="usual", label=WIRES_BY, elem_id="wires-by")
        with gr.Row():
            shared.view.render()  # type: ignore[no-untyped-call]
            shared.source.render()  # type: ignore[no-untyped-call]
        gr.Markdown(ABOUT_FILTERS, elem_classes="quiet")

    wired = [shared.layer_picker, by]
    # After the wall has been painted, which a visitor waits for: the heading changes with the choice.
    heading.change(_related, wired, related, js="cnnvis.rested", **PAGE, **LIGHT)
    by.input(_related, wired, related, **PAGE, **LIGHT)
    related.change(None, related, None, js="cnnvis.related", **PAGE)
    return Follower(_draw, [], [heading, first, large, facts])


def _draw(choice: Choice) -> tuple[Any, ...]:
    if concept := cache.chosen_concept(choice.layer, choice.concept):
        found, number = concept
        return f"### {found.layer} · concept {number}", mixture(found, number), gr.Image(None, visible=False), ""
    chosen = draw_filter(load_vgg16(SHEET_DEVICE), choice.target)
    name = chosen.layer
    alt = f"{name} filter {choice.channel}, L2 norm {chosen.norm:.2f}"
    large = gr.Image(picture_file(chosen.picture, f"{name}-filter-{choice.channel}"), alt_text=alt, visible=True)
    first = _in_colour(choice, chosen, alt) if name == "conv1_1" else ""
    return f"### {name} · filter {choice.channel}", first, large, _facts(chosen)


def _in_colour(choice: Choice, chosen: Filter, alt: str) -> str:
    """A filter of the first layer as the colours that it adds and subtracts, and what its weights do."""
    weights = conv_module(load_vgg16(SHEET_DEVICE), choice.layer).weight[choice.channel].float().cpu()
    flat, most = float(weights.sum()), float(weights.abs().sum())
    even = "cancel out almost entirely" if abs(flat) < most / 10 else f"add up to {written(flat, '+.2f')}"
    words = f"""Where a square is bright, its colour adds to the sum; where it is dark, it is subtracted. Mid-grey is
zero. On an evenly grey surface, the weights {even}."""
    picture = image_tag(colour_picture(weights), alt, kind="png", px=192, looks="sharp-kernel")
    return f'<div class="in-colour">{picture}<p>{words}</p></div>'


@readable_errors
def _related(picked: Any, by: str) -> str:
    choice = Choice.read(picked)
    return relations(choice, by) if choice.concept is None else NO_WEIGHTS


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
