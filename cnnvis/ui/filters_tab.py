"""The Filters tab: the chosen filter large, and the whole layer as a chooser."""

from typing import Any

import gradio as gr

from cnnvis.filters import Filter, FilterSheet, filter_sheet, one_filter
from cnnvis.ui.choice import Choice, ChoiceBar, follow_sheet
from cnnvis.ui.handlers import LIGHT, PAGE, file_url, for_people, picture_file
from cnnvis.ui.sheet import sheet, sheet_value
from cnnvis.ui.texts import ABOUT_FILTERS
from cnnvis.vgg import convolution, convolution_name
from cnnvis.weights import load_vgg16

VIEWS = [("Automatic", "auto"), ("Signed", "signed"), ("Grey, each its own range", "gray")]


def filters_tab(bar: ChoiceBar, opened: gr.State) -> None:
    """Lay out the tab and let it follow the choice."""
    gr.Markdown(ABOUT_FILTERS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            heading = gr.Markdown(elem_id="filter-heading")
            large = gr.Image(
                label="The chosen filter",
                show_label=False,
                type="filepath",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="filter-large",
                elem_classes=["picture", "sharp"],
                height=340,
            )
            facts = gr.Markdown(elem_id="filter-facts", elem_classes="facts")
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                view = gr.Radio(VIEWS, value="auto", label="Kernels drawn", elem_id="filter-view", scale=3)
                source = gr.Number(0, label="Input channel", precision=0, minimum=0, elem_id="input-channel", scale=1)
            caption = gr.Markdown(elem_id="filter-caption", elem_classes="quiet")
            chooser = sheet("filter-sheet", sharp=True)
            download = gr.DownloadButton("Download this sheet (PNG)", size="sm", elem_id="filter-download")

    follow_sheet(bar, chooser)
    inputs, outputs = [opened, bar.state, view, source], [chooser, download, caption, heading, large, facts]
    changed = [opened.change, bar.state.change, view.input, source.submit, source.blur]
    gr.on(changed, _draw, inputs, outputs, **PAGE, **LIGHT, trigger_mode="always_last")


@for_people
def _draw(opened: str, choice: Choice, view: str, source: float | None) -> Any:
    if opened != "filters":
        return gr.skip()
    net, (layer, channel) = load_vgg16(), choice
    shown = convolution_name(layer)
    kernels = convolution(net, shown).in_channels
    everything = filter_sheet(net, shown, view, min(int(source or 0), kernels - 1))
    mine = one_filter(net, shown, channel)
    path = picture_file(everything.picture, f"{shown}-filters-{everything.view}")
    value = sheet_value(file_url(path), f"All filters of {shown}", everything)
    alt = f"{shown} filter {channel}, L2 norm {mine.norm:.2f}"
    large = gr.Image(picture_file(mine.picture, f"{shown}-filter-{channel}"), alt_text=alt)
    return (
        gr.HTML(value=value, chosen=channel),
        path,
        _caption(layer, everything),
        f"### {shown} · filter {channel}",
        large,
        _facts(mine),
    )


def _caption(layer: str, drawn: FilterSheet) -> str:
    whose = f"All {drawn.channels} filters of **{drawn.layer}**"
    if layer != drawn.layer:
        whose = f"{layer} has no weights; it works on what these {drawn.channels} filters of **{drawn.layer}** give"
    if drawn.view == "rgb":
        return f"{whose}, in colour: mid-grey is zero, full colour ±{drawn.scale:.2f}."
    if drawn.view == "signed":
        ends = f"−{drawn.scale:.3f} is deep blue, zero near-white, +{drawn.scale:.3f} deep orange"
        return f"{whose}, their kernels for input channel {drawn.input_channel}: {ends}."
    ends = "each from its smallest weight (black) to its largest (white)"
    return f"{whose}, their kernels for input channel {drawn.input_channel}, {ends}."


def _facts(mine: Filter) -> str:
    if mine.layer == "conv1_1":
        shown = "The filter over red, green and blue, as a colour picture: mid-grey is zero."
    else:
        listed = ", ".join(map(str, mine.input_channels))
        strongest = f"Its {len(mine.input_channels)} strongest kernels, for the input channels {listed}"
        shown = f"{strongest}; blue below zero, orange above."
    near = ", ".join(f"{channel} ({cosine:.2f})" for channel, cosine in mine.nearest)
    return f"""{shown}

<table>
<tr><th scope="row">L2 norm</th><td>{mine.norm:.3f}</td></tr>
<tr><th scope="row">Mean weight</th><td>{mine.mean:+.4f}</td></tr>
<tr><th scope="row">Bias</th><td>{mine.bias:+.4f}</td></tr>
<tr><th scope="row">Near zero (below 1 % of the layer's largest)</th><td>{100 * mine.sparsity:.0f} %</td></tr>
<tr><th scope="row">Most similar filters (cosine)</th><td>{near}</td></tr>
</table>"""
