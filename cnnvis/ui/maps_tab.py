"""The Feature maps tab: a photo, the chosen map before and after ReLU and on the photo, and every map as a chooser."""

from functools import lru_cache
from typing import Any

import gradio as gr
from PIL import Image

from cnnvis.features import FeatureMap, Maps, channel_path, draw_map, draw_sheet, feature_maps, top_classes
from cnnvis.patches import Patch, patches
from cnnvis.ui.bars import heat_bar, signed_bar
from cnnvis.ui.choice import Choice
from cnnvis.ui.follow import Follower
from cnnvis.ui.handlers import (
    HEAVY,
    PAGE,
    data_url,
    file_url,
    for_people,
    large_picture,
    photo_input,
    picture_file,
)  # fmt: skip
from cnnvis.ui.photos import PHOTOS, example_buttons
from cnnvis.ui.sheet import sheet, sheet_value
from cnnvis.ui.texts import ABOUT_MAPS, PIPELINES, WHOLE_NETWORK
from cnnvis.ui.zero import light_network
from cnnvis.vgg import CLASS, convolution_name, find_layer

CHOICES = {
    "Pipeline": [("As VGG computes it", "network"), ("Chained, as the original notebook", "conv_chain")],
    "Order": [("Channel number", "index"), ("Strongest first", "strength")],
    "Contrast": [("Each map its own range", "map"), ("One range for the layer", "layer")],
}
PICTURE_PX = 230
KEPT_ANSWERS = 8  # of the network, each at most 13 MB: choosing another channel computes nothing twice
PATCH_PX = 112  # at least, so that the 3 px that conv1_1 sees can be seen


def maps_tab(bar: gr.HTML) -> tuple[Follower, gr.Image, gr.Radio]:
    """Lay out the tab; returns what of it follows the choice, the photo, which other tabs use too, and the pipeline."""
    gr.Markdown(ABOUT_MAPS, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                with gr.Column(min_width=140):
                    photo = photo_input(
                        str(next(iter(PHOTOS.values()))),
                        label="Your photo",
                        sources=["upload", "clipboard"],
                        height=PICTURE_PX,
                        elem_id="photo",
                        alt_text="the photo the maps are of",
                    )
                overlay = _picture("The map on the photo", "map-overlay", "smooth")
            with gr.Row():
                before = _picture("The map before ReLU", "map-before", "sharp")
                after = _picture("The map after ReLU", "map-after", "sharp")
            facts = gr.Markdown(elem_id="map-facts")
            example = example_buttons(photo)
            best = gr.HTML(elem_id="patches")
        with gr.Column(scale=3, min_width=300):
            pipeline, order, contrast = (gr.Radio(value=words[0][1], choices=words, label=label, elem_id=label.lower())
                                         for label, words in CHOICES.items())  # fmt: skip
            gr.Markdown(PIPELINES, elem_classes="quiet")
            caption = gr.Markdown(elem_id="map-caption", elem_classes="quiet")
            chooser = sheet("map-sheet")
            download = gr.DownloadButton("Download this sheet (JPEG)", size="sm", elem_id="map-download")
    with gr.Accordion("This channel number through all the convolutions", open=False, elem_id="path-box"):
        follow = gr.Button("Show it", size="sm", elem_id="path-button")
        path = gr.Gallery(
            columns=7, object_fit="contain", height="auto", elem_id="path", label="One channel, 13 layers"
        )

    outputs = [chooser, download, caption, facts, best, *before, *after, *overlay]
    inputs: list[Any] = [photo, pipeline, order, contrast]
    follow.click(_path, [bar, photo, pipeline], path, **PAGE, **HEAVY)
    shown = Follower("maps", _draw, inputs, outputs, [part.input for part in inputs], [example])
    return shown, photo, pipeline


def _picture(title: str, elem_id: str, look: str) -> tuple[gr.Image, gr.HTML]:
    """A place for a picture and, below it, for what its colours mean."""
    with gr.Column(min_width=140):
        picture = large_picture(title, elem_id, look, height=PICTURE_PX)
        return picture, gr.HTML(elem_id=f"{elem_id}-scale")


@lru_cache(maxsize=KEPT_ANSWERS)
def _answer(photo: str, layer: str, pipeline: str) -> Maps:
    """The maps of a layer; gradio names the file of a photo after its content, so that the name stands for it."""
    if find_layer(layer).kind == "relu":
        return _answer(photo, convolution_name(layer), pipeline).rectified()
    return feature_maps(light_network(), photo, layer, pipeline)


def _draw(choice: Choice, photo: str | None, pipeline: str, order: str, contrast: str) -> tuple[Any, ...]:
    if photo is None:
        return None, None, "", "Choose a photo.", "", *[None, ""] * 3
    layer, channel = choice.layer, choice.channel
    shown = layer if pipeline == "network" else convolution_name(layer)  # the chain has nothing but convolutions
    maps = _answer(photo, shown, pipeline)
    drawn = draw_sheet(maps, order, contrast)
    path = picture_file(drawn.picture, f"{shown}-maps", "jpeg")
    label = f"All feature maps of {shown}, {'strongest first' if order == 'strength' else 'by channel number'}"
    value = sheet_value(file_url(path), label, drawn, notes=[f"mean {strength:.2f}" for strength in drawn.strength])
    before, after = _before_and_after(photo, maps)
    mine = draw_map(maps, channel)
    return (
        value,
        path,
        _caption(maps),
        f"{_facts(maps, mine)}\n\n{_classes(photo)}",
        _patches(maps, patches(maps, channel)),
        *_shown("Before ReLU", before, channel),
        *_shown("After ReLU" if before else "The map", after, channel),
        gr.Image(_file(mine, mine.overlay, "overlay", "jpeg"), alt_text=f"{_words(mine)}, laid over the photo"),
        '<p class="quiet">What is above zero, on the photo.</p>',
    )


def _before_and_after(photo: str, maps: Maps) -> tuple[Maps | None, Maps | None]:
    """The maps on both sides of the ReLU, as far as there is one."""
    if maps.pipeline == "conv_chain":
        return maps, None
    if maps.layer.kind == "pool":
        return None, maps
    before = _answer(photo, convolution_name(maps.layer.name), maps.pipeline)
    return before, before.rectified()


def _shown(title: str, maps: Maps | None, channel: int) -> tuple[Any, str]:
    if maps is None:
        return gr.Image(None, visible=False), ""
    one = draw_map(maps, channel)
    bar = signed_bar(one.span[1]) if one.layer.startswith("conv") else heat_bar(*one.span)
    picture = gr.Image(_file(one, one.picture, "map"), alt_text=_words(one), visible=True)
    return picture, f"{bar}<p class='quiet'>{title}: {one.min:.2f} to {one.max:.2f}, {one.mean:.2f} on average.</p>"


def _file(one: FeatureMap, picture: Image.Image, what: str, kind: str = "png") -> str:
    return picture_file(picture, f"{one.layer}-{what}-{one.channel}", kind)


def _words(one: FeatureMap) -> str:
    return f"{one.layer} channel {one.channel}, values {one.min:.2f} to {one.max:.2f}"


def _caption(maps: Maps) -> str:
    layer, (height, width) = maps.layer, maps.values.shape[1:]
    text = f"**{layer.name}**: {len(maps.values)} maps of {height} × {width}"
    if maps.pipeline == "network":
        return f"{text}. Choose one."
    return f"{text}, the convolutions alone on the photo squashed to {maps.photo.width} × {maps.photo.height} px."


def _facts(maps: Maps, mine: FeatureMap) -> str:
    rank = int((maps.strength > maps.strength[mine.channel]).sum()) + 1
    text = f"**{mine.layer} channel {mine.channel}** is number {rank} of {len(maps.values)} in strength on this photo."
    if mine.max <= 0:
        return f"{text} It does not fire anywhere on it."
    if maps.layer.kind == "conv" and maps.pipeline == "network":
        above = 100 * float((maps.values[mine.channel] > 0).float().mean())
        return f"{text} ReLU lets {above:.0f} % of the map through."
    return text


@lru_cache(maxsize=KEPT_ANSWERS)
def _classes(photo: str) -> str:
    """What the whole network takes the photo for, or how it could be asked."""
    if not light_network().origin.full:
        return f"What VGG16 takes the photo for {WHOLE_NETWORK}."
    likely = top_classes(light_network(CLASS.name), photo)
    return "VGG16 takes it for: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in likely) + "."


def _patches(maps: Maps, found: list[Patch]) -> str:
    """The patches side by side, each with its value."""
    if not found:
        return '<p class="quiet">No place of this photo excites the channel.</p>'
    side = found[0].picture.width
    figures = []
    for patch in found:
        times = -(-PATCH_PX // side)
        picture = patch.picture.resize((side * times, side * times), 0)  # nearest: its pixels stay visible
        place = f"around x {(patch.box[0] + patch.box[2]) // 2}, y {(patch.box[1] + patch.box[3]) // 2}"
        alt = f"{side} × {side} px of the photo {place}, value {patch.value:.2f}"
        image = f'<img src="{data_url(picture)}" alt="{alt}" title="{place}">'
        figures.append(f"<figure>{image}<figcaption>{patch.value:.2f}</figcaption></figure>")
    sees = f"each is the {side} × {side} px that one value sees"
    heading = (
        f"<p><strong>What in this photo excites it most</strong>: {sees}, black where that is beyond the photo.</p>"
    )
    return f'{heading}<div class="patches">{"".join(figures)}</div>'


@for_people
def _path(bar: Any, photo: str | None, pipeline: str) -> list[tuple[str, str]]:
    if photo is None:
        return []
    steps = channel_path(light_network(), photo, Choice.read(bar).channel, pipeline)
    return [(_file(step, step.picture, "map"), step.layer) for step in steps]
