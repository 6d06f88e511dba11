"""The Filters tab: what the chosen filter reads and what reads it, filters like it, and its figures."""

from typing import Any

import gradio as gr

from cnnvis.analysis.filters import Filter, colour_picture, one_filter
from cnnvis.network.architecture import Layer
from cnnvis.network.vgg import conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.subject import subject_of
from cnnvis.ui.parts.wiring import relations
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.texts import ABOUT_FILTERS, NO_WEIGHTS, WIRES_BY
from cnnvis.views.figures import written
from cnnvis.views.html import image_tag

WIRE_ORDERS = [("What it usually carries", "usual"), ("L2 norm", "norm")]


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    first = html_block("filter-large")
    related = html_block("relations")
    with gr.Accordion("More: its figures, and how the wall draws its kernels", open=False, elem_id="more"):
        facts = gr.HTML(elem_id="filter-facts", elem_classes="facts")
        by = gr.Radio(WIRE_ORDERS, value="usual", label=WIRES_BY, elem_id="wires-by")
        with gr.Row():
            shared.view.render()  # type: ignore[no-untyped-call]
            shared.source.render()  # type: ignore[no-untyped-call]
        gr.Markdown(ABOUT_FILTERS, elem_classes="quiet")

    wired = [shared.layer_picker, by]
    # After the wall has been painted, which a visitor waits for: its heading changes with the choice.
    first.change(_related, wired, related, js="cnnvis.rested", **PAGE, **LIGHT)
    by.input(_related, wired, related, **PAGE, **LIGHT)
    related.change(None, related, None, js="cnnvis.related", **PAGE)
    return Follower(_draw, [], [first, facts])


def _draw(choice: Choice) -> tuple[Any, ...]:
    subject = subject_of(choice)
    first, facts, layer = subject.mixed(), "", subject.layer
    if choice.concept is None:
        facts = _facts(one_filter(load_vgg16(SHEET_DEVICE), layer.name, choice.channel), layer)
        first = _in_colour(choice) if layer.name == "conv1_1" else ""
    heading = f"{layer.name} · {subject.kind} {subject.number}"
    return f'<h3 id="filter-heading" class="visually-hidden">{heading}</h3>{first}', facts


def _in_colour(choice: Choice) -> str:
    """A filter of the first layer as the colours that it adds and subtracts, and what its weights do."""
    weights = conv_module(load_vgg16(SHEET_DEVICE), choice.layer).weight[choice.channel].float().cpu()
    alt = f"conv1_1 filter {choice.channel} in colour"
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


def _facts(chosen: Filter, layer: Layer) -> str:
    _, torchvision, _, keras = layer.dialects()
    return f"""<table>
<tr><th scope="row">L2 norm</th><td>{chosen.norm:.3f}</td></tr>
<tr><th scope="row">Mean weight</th><td>{written(chosen.mean, "+.4f")}</td></tr>
<tr><th scope="row">Bias</th><td>{written(chosen.bias, "+.4f")}</td></tr>
<tr><th scope="row">Near zero (below 1 % of the layer's largest)</th><td>{100 * chosen.sparsity:.0f} %</td></tr>
<tr><th scope="row">It has a value every</th><td>{layer.stride} px</td></tr>
<tr><th scope="row">Its layer in torchvision, in Keras</th><td>{torchvision}, {keras}</td></tr>
</table>"""
