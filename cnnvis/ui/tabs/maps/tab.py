"""The Feature maps tab: the chosen map on the photo, before and after ReLU, and why a value is what it is."""

import html
from typing import Any

import gradio as gr

from cnnvis.analysis.maps import FeatureMap, Maps, channel_path, draw_map
from cnnvis.analysis.patches import cut_patches
from cnnvis.errors import CnnvisError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.exemplars import best_photo, exemplar_row, weaker_photos
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.photo import photo_buttons
from cnnvis.ui.parts.subject import subject_of
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import file_url, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.tabs.maps.why_here import NO_REASONS, reasons_here, why_here
from cnnvis.ui.texts import ABOUT_MAPS, ABOUT_PATH, ABOUT_PIPELINES, CHOOSE_PHOTO
from cnnvis.views.figures import heat_bar, signed_bar, written
from cnnvis.views.html import gallery, image_tag, opening

LEAST_PATCH_PX = 96  # so that the 3 px that conv1_1 sees are visible


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    chosen = [shared.photo, shared.row, shared.column]
    reasons = why_here(shared)
    with gr.Row():
        with gr.Column(min_width=160, scale=4):
            best = gr.HTML(elem_id="patches")
        with gr.Column(min_width=240, scale=7):
            exemplars, exemplar = photo_buttons("", "exemplars", _exemplar, [shared.layer_picker], chosen)
            show_weaker = gr.Button("Show weaker photos too", size="sm", elem_id="weaker-button")
        with gr.Column(min_width=220, scale=6):
            facts = gr.HTML(elem_id="map-facts", elem_classes="quiet", padding=False)
    weaker = gr.HTML(elem_id="weaker")
    with gr.Accordion("Options: how maps are computed and drawn", open=False, elem_id="map-options"):
        gr.Markdown(ABOUT_MAPS, elem_classes="quiet")
        shared.pipeline.render()  # type: ignore[no-untyped-call]
        gr.Markdown(ABOUT_PIPELINES, elem_classes="quiet")
        shared.contrast.render()  # type: ignore[no-untyped-call]
        _path_box(shared)

    outputs = [facts, best, exemplars, weaker, *reasons.outputs]
    inputs: list[Any] = [shared.photo, shared.pipeline, shared.row, shared.column]
    show_weaker.click(_weaker, shared.layer_picker, weaker, **PAGE, **LIGHT)
    controls = {"pipeline": shared.pipeline, "row": shared.row, "column": shared.column}
    return Follower(_draw, inputs, outputs, (), [exemplar, reasons.picked], controls, _empty)


def _path_box(shared: Shared) -> None:
    gr.Markdown(ABOUT_PATH, elem_classes="quiet")
    with gr.Column(elem_id="path-box"):
        show = gr.Button("Show this channel number in every convolution", size="sm", elem_id="path-button")
        path = html_block("path")
    show.click(_path, [shared.layer_picker, shared.photo, shared.pipeline], path, **PAGE, **LIGHT)


def _draw(choice: Choice, digest: str, pipeline: str, row: float | None = None,
          column: float | None = None) -> tuple[Any, ...]:  # fmt: skip
    photo = find_photo(digest)
    if photo is None:
        return _empty(CHOOSE_PHOTO, exemplar_row(choice))
    net, subject, is_concept = load_vgg16(SHEET_DEVICE), subject_of(choice), choice.concept is not None
    if is_concept:
        maps, name = subject.maps(photo), subject.name
        shown: tuple[Maps | None, Maps | None] = (None, maps)
    else:
        # The chain has nothing but convolutions.
        layer = choice.layer if pipeline == "network" else ARCHITECTURE.convolution_of(choice.layer)
        maps, name = cache.feature_maps(net, photo, layer, pipeline), f"{layer.name} channel {choice.channel}"
        shown = _before_and_after(net, photo, maps)
    drawn = [None if one is None else draw_map(one, subject.number) for one in shown]
    chosen = drawn[0] if drawn[0] and maps.layer.kind == "conv" else drawn[1]
    assert chosen
    before = _picture("map-before", "Before ReLU" if pipeline == "network" else "The map", drawn[0], name)
    after = _picture("map-after", "After ReLU" if drawn[0] else "The map", drawn[1], name)
    words = f"<p>{_facts(maps, chosen, name, is_concept)} {html.escape(_classes(net, photo))}</p>"
    reasons = reasons_here(subject, photo, pipeline, (row, column), chosen if is_concept else drawn[0])
    facts = f'<div class="gallery">{before}{after}</div>{words}'
    return facts, _patches(maps, subject.number), exemplar_row(choice), "", *reasons


def _empty(reason: str, exemplars: Any = None) -> tuple[Any, ...]:
    """The tab without a photo, and why; the exemplars stay, or are those given."""
    said, photos = html.escape(reason), gr.skip() if exemplars is None else exemplars
    return said, "", photos, "", *NO_REASONS


def _before_and_after(net: VGG16, photo: StoredPhoto, maps: Maps) -> tuple[Maps | None, Maps | None]:
    """The maps before and after the ReLU, as far as there is one."""
    if maps.pipeline == "conv_chain":
        return maps, None
    if maps.layer.kind == "pool":
        return None, maps
    before = cache.feature_maps(net, photo, ARCHITECTURE.convolution_of(maps.layer), maps.pipeline)
    return before, before.rectified()


def _picture(elem_id: str, title: str, drawn: FeatureMap | None, name: str) -> str:
    """A map as a picture, which opens by itself, with what its colours mean; nothing for none."""
    if drawn is None:
        return ""
    bar = signed_bar(drawn.span[1]) if drawn.layer.startswith("conv") else heat_bar(*drawn.span)
    low, high, mean = (written(value, ".2f") for value in (drawn.min, drawn.max, drawn.mean))
    picture, words = opening(_url(drawn), f"{name}, values {low} to {high}"), f"{title}: {low} to {high}, mean {mean}."
    return f'<figure id="{elem_id}">{picture}{bar}<figcaption>{words}</figcaption></figure>'


def _url(drawn: FeatureMap) -> str:
    return file_url(picture_file(drawn.picture, f"{drawn.layer}-map-{drawn.channel}"))


def _facts(maps: Maps, drawn: FeatureMap, name: str, is_concept: bool) -> str:
    rank = int((maps.strength > maps.strength[drawn.channel]).sum()) + 1
    text = f"<strong>{name}</strong> is rank {rank} of {len(maps.values)} by its mean on this photo."
    if drawn.max <= 0:
        return f"{text} It never fires on this photo."
    if maps.layer.kind == "conv" and maps.pipeline == "network" and not is_concept:
        above = 100 * float((maps.values[drawn.channel] > 0).float().mean())
        return f"{text} {above:.0f} % of the map passes the ReLU."
    return text


def _classes(net: VGG16, photo: StoredPhoto) -> str:
    """How the whole network classifies the photo, if it is loaded."""
    if not net.origin.classes:
        return ""
    try:
        likely = ", ".join(f"{name} {100 * share:.0f} %" for name, share in cache.likely_classes(net, photo))
    except CnnvisError as error:  # an optional extra must not cost the maps
        return f"VGG16 cannot classify the photo: {error}"
    return f"VGG16 classifies the photo as: {likely}."


def _patches(maps: Maps, channel: int) -> str:
    """The patches side by side, each with its value; one of a convolution or its ReLU chooses its cell."""
    patches = cut_patches(maps, channel)
    if not patches:
        return '<p class="quiet">No part of this photo activates the channel.</p>'
    side, is_cell = patches[0].picture.width, maps.layer.kind != "pool" and maps.pipeline == "network"
    enlarged = side * -(-LEAST_PATCH_PX // side)  # by a whole factor
    figures = ""
    for patch in patches:
        picture = patch.picture.resize((enlarged, enlarged), 0)  # nearest, so its pixels stay visible
        where = f"around x {(patch.box[0] + patch.box[2]) // 2}, y {(patch.box[1] + patch.box[3]) // 2}"
        value = written(patch.value, ".2f")
        alt = f"{side} × {side} px of the photo {where}, value {value}"
        image = image_tag(picture, alt, kind="png", title=where)
        if is_cell:
            image = f'<button type="button" data-row="{patch.row}" data-column="{patch.column}">{image}</button>'
        figures += f"<figure>{image}<figcaption>{value}</figcaption></figure>"
    choose = " Choose one to see why." if is_cell else ""
    return f"""<p><strong>What activates it most in this photo</strong>: patches of {side} × {side} px, all that one
value sees.{choose}</p><div class="patches">{figures}</div>"""


@readable_errors
def _weaker(picked: Any) -> str:
    return weaker_photos(Choice.read(picked).target)


def _exemplar(picked: Any, event: gr.SelectData) -> tuple[str, int, int]:
    """The photo of the shelf that a visitor chooses, and the cell that excites the channel most."""
    return best_photo(picked, event.index)


@readable_errors
def _path(picked: Any, digest: str, pipeline: str) -> str:
    photo = find_photo(digest)
    if photo is None:
        return CHOOSE_PHOTO
    maps = channel_path(load_vgg16(SHEET_DEVICE), photo.path, Choice.read(picked).channel, pipeline)
    return gallery((_url(drawn), drawn.layer) for drawn in maps)
