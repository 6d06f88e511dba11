"""Why here? A cell of the chosen map, the tree of what makes up its value, whether that matters, colour or shape."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.analysis.interventions import ablate, colour_sensitivity
from cnnvis.analysis.maps import draw_map
from cnnvis.network.architecture import convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Shared
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.tabs.maps.place import PICKED, place, place_value
from cnnvis.ui.texts import ABOUT_WHY, CHOOSE_PHOTO, NO_WHY_IN_CHAIN
from cnnvis.views.figures import colour_words
from cnnvis.views.html import picture_url
from cnnvis.views.why import silenced_words, why_tree


@dataclass(frozen=True)
class WhyHere:
    """Its components: what the tab draws, and the event by which a visitor chooses a cell."""

    outputs: list[Any]
    picked: Any


def why_here(shared: Shared) -> WhyHere:
    """Lay out the section: the photo, lit by the map, and beside it why the chosen place is as it is."""
    with gr.Row(elem_id="why-box"):
        with gr.Column(scale=3, min_width=240):
            chooser = place("why-place")
        with gr.Column(scale=4, min_width=280):
            tree = html_block("why")
            with gr.Row():
                matters = gr.Button("Does it matter? Silence these channels", size="sm", elem_id="silence")
                recolour = gr.Button("Colour or shape?", size="sm", elem_id="recolour")
            silenced = gr.HTML(elem_id="silenced", elem_classes="quiet")
            recoloured = gr.HTML(elem_id="recoloured", elem_classes="quiet")
    cell = [shared.row, shared.column]
    picked = chooser.input(None, chooser, cell, js=PICKED)
    matters.click(_silenced, [shared.layer_picker, shared.photo, *cell], silenced, **PAGE, **LIGHT)
    recolour.click(_recoloured, [shared.layer_picker, shared.photo], recoloured, **PAGE, **LIGHT)
    return WhyHere([chooser, tree, silenced, recoloured], picked)


NO_REASONS: tuple[Any, ...] = (None, "", "", "")


def reasons_here(
    choice: Choice, photo: StoredPhoto, pipeline: str, at: tuple[float | None, float | None]
) -> tuple[Any, ...]:
    """The map to choose a cell on, and why the filter responds as it does at the chosen one."""
    net, target = load_vgg16(SHEET_DEVICE), convolution(choice.target)
    maps = cache.feature_maps(net, photo, target.layer, pipeline)
    drawn = draw_map(maps, target.number)
    views = {
        "Lit by the filter": picture_url(drawn.overlay, "jpeg"),
        "Photo": picture_url(maps.photo, "jpeg"),
        "Map": picture_url(drawn.picture, "png"),
    }
    if pipeline != "network":
        said = f'<p class="quiet">{NO_WHY_IN_CHAIN}</p>'
        return place_value(views, f"Where {target} responds on the photo", None, None), said, "", ""
    rows, columns = maps.values.shape[1:]
    chosen = None
    if None not in at and 0 <= at[0] < rows and 0 <= at[1] < columns:  # type: ignore[operator]
        chosen = int(at[0]), int(at[1])  # type: ignore[arg-type]
    shown = place_value(views, f"Where {target} responds on the photo", (rows, columns), chosen)
    if not chosen:
        return shown, f'<div class="quiet">{ABOUT_WHY}</div>', "", ""
    return shown, why_tree(net, cache.explained(net, photo, target, chosen), maps.photo, cache.tile_url), "", ""


@readable_errors
def _silenced(picked: Any, digest: str, row: float | None, column: float | None) -> str:
    photo, target = find_photo(digest), convolution(Choice.read(picked).target)
    if photo is None or row is None or column is None:
        return "Choose a cell of the map first."
    net = load_vgg16(SHEET_DEVICE)
    return silenced_words(ablate(net, photo.path, cache.explained(net, photo, target, (int(row), int(column)))))


@readable_errors
def _recoloured(picked: Any, digest: str) -> str:
    photo, target = find_photo(digest), convolution(Choice.read(picked).target)
    if photo is None:
        return CHOOSE_PHOTO
    net = load_vgg16(SHEET_DEVICE)
    seen = cache.feature_maps(net, photo, target.layer, "network").photo
    return f"Share of the map's maximum that remains: {colour_words(colour_sensitivity(net, seen, target))}."
