"""The Feature maps tab: a photo, every map of the layer as a chooser, the chosen map large and on the photo."""

from pathlib import Path
from typing import Any

import gradio as gr

from cnnvis.features import FeatureMap, Maps, channel_path, draw_map, draw_sheet, feature_maps
from cnnvis.ui.choice import Choice, ChoiceBar, follow_sheet
from cnnvis.ui.handlers import HEAVY, LIGHT, PAGE, file_url, for_people, photo_input, picture_file
from cnnvis.ui.sheet import sheet, sheet_value
from cnnvis.ui.texts import ABOUT_MAPS, PIPELINES
from cnnvis.vgg import channels_of, convolution_name
from cnnvis.weights import load_vgg16

EXAMPLES = Path(__file__).parents[2] / "examples"
PHOTOS = [EXAMPLES / f"{name}.jpg" for name in ("chelsea", "astronaut", "coffee", "rocket", "hubble")]


def maps_tab(bar: ChoiceBar, opened: gr.State) -> gr.Image:
    """Lay out the tab and let it follow the choice; returns the photo, which the ascent may start from."""
    gr.Markdown(ABOUT_MAPS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            photo = photo_input(
                str(PHOTOS[0]),
                label="Your photo",
                sources=["upload", "clipboard"],
                height=260,
                elem_id="photo",
                alt_text="the photo the maps are of",
            )
            gr.Examples([[str(path)] for path in PHOTOS], photo, label="Example photos", elem_id="examples")
            pipeline = gr.Radio(
                [("As VGG computes it", "network"), ("Chained, as the original notebook", "conv_chain")],
                value="network",
                label="Pipeline",
                elem_id="pipeline",
            )
            order = gr.Radio(
                [("Channel number", "index"), ("Strongest first", "strength")],
                value="index",
                label="Order",
                elem_id="order",
            )
            contrast = gr.Radio(
                [("Each map its own range", "map"), ("One range for the layer", "layer")],
                value="map",
                label="Contrast",
                elem_id="contrast",
            )
            with gr.Accordion("What is the difference between the pipelines?", open=False):
                gr.Markdown(PIPELINES, elem_classes="quiet")
        with gr.Column(scale=3, min_width=300):
            caption = gr.Markdown(elem_id="map-caption", elem_classes="quiet")
            chooser = sheet("map-sheet")
            download = gr.DownloadButton("Download this sheet (JPEG)", size="sm", elem_id="map-download")
    facts = gr.Markdown(elem_id="map-facts")
    with gr.Row():
        large = _picture("The chosen map", "map-large", "sharp")
        overlay = _picture("The chosen map on the photo", "map-overlay")
    with gr.Accordion("This channel number through all the convolutions", open=False):
        follow = gr.Button("Show it", size="sm", elem_id="path-button")
        path = gr.Gallery(
            columns=7, object_fit="contain", height="auto", elem_id="path", label="One channel, 13 layers"
        )

    follow_sheet(bar, chooser)
    inputs = [opened, bar.state, photo, pipeline, order, contrast]
    outputs = [chooser, download, caption, large, overlay, facts]
    changed = [opened.change, bar.state.change, photo.change, pipeline.input, order.input, contrast.input]
    gr.on(changed, _draw, inputs, outputs, **PAGE, **LIGHT, trigger_mode="always_last")
    follow.click(_path, [bar.state, photo, pipeline], path, **PAGE, **HEAVY)
    return photo


def _picture(label: str, elem_id: str, *classes: str) -> gr.Image:
    return gr.Image(
        label=label,
        show_label=False,
        type="filepath",
        interactive=False,
        buttons=["download", "fullscreen"],
        height=380,
        min_width=280,
        elem_id=elem_id,
        elem_classes=["picture", *classes],
    )


@for_people
def _draw(opened: str, choice: Choice, photo: str | None, pipeline: str, order: str, contrast: str) -> Any:
    if opened != "maps":
        return gr.skip()
    if photo is None:
        return None, None, "Choose a photo.", None, None, ""
    layer, channel = choice
    net = load_vgg16()
    shown = layer if pipeline == "network" else convolution_name(layer)  # the chain has nothing but convolutions
    maps = feature_maps(net, photo, shown, pipeline)
    drawn = draw_sheet(maps, order, contrast)
    path = picture_file(drawn.picture, f"{shown}-maps", "jpeg")
    label = f"All feature maps of {shown}, {'strongest first' if order == 'strength' else 'by channel number'}"
    value = sheet_value(file_url(path), label, drawn)
    mine = draw_map(maps, channel)
    alt = f"{shown} channel {channel}, values {mine.min:.2f} to {mine.max:.2f}"
    return (
        gr.HTML(value=value, chosen=channel),
        path,
        _caption(maps),
        gr.Image(picture_file(mine.picture, f"{shown}-map-{channel}"), alt_text=alt),
        gr.Image(picture_file(mine.overlay, f"{shown}-overlay-{channel}"), alt_text=f"{alt}, laid over the photo"),
        _facts(maps, mine),
    )


def _caption(maps: Maps) -> str:
    layer, (height, width) = maps.layer, maps.values.shape[1:]
    text = f"**{layer.name}**: {len(maps.values)} maps of {height} × {width}, "
    if maps.pipeline == "network":
        return f"{text}one cell for every {layer.stride} px, each seeing {layer.receptive_field} px across."
    return f"{text}the convolutions alone on the photo squashed to {maps.photo.width} × {maps.photo.height} px."


def _facts(maps: Maps, mine: FeatureMap) -> str:
    rank = int((maps.strength > maps.strength[mine.channel]).sum()) + 1
    text = f"**{mine.layer} channel {mine.channel}** answers {mine.min:.2f} to {mine.max:.2f}, "
    text += f"{mine.mean:.2f} on average, number {rank} of {len(maps.values)} in strength on this photo."
    if maps.layer.kind == "conv" and maps.pipeline == "network":
        above = 100 * float((maps.values[mine.channel] > 0).float().mean())
        text += f" ReLU lets {above:.0f} % of it through; only that part is laid over the photo."
    elif mine.max <= 0:
        text += " It does not fire anywhere on this photo."
    return text


@for_people
def _path(choice: Choice, photo: str | None, pipeline: str) -> list[tuple[str, str]]:
    if photo is None:
        return []
    net, (layer, channel) = load_vgg16(), choice
    channel = min(channel, channels_of(net, layer) - 1)
    steps = channel_path(net, photo, channel, pipeline)
    return [(picture_file(step.picture, f"{step.layer}-map-{channel}"), step.layer) for step in steps]
