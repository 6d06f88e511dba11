"""What the layer sees at a place of the photo, and why the filter responds there: a tree, and whether it matters."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.analysis.interventions import ablate, colour_sensitivity
from cnnvis.analysis.maps import FeatureMap, draw_map
from cnnvis.analysis.places import cells_aside, grid
from cnnvis.maximization.recipes import Settings
from cnnvis.network.architecture import convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Shared
from cnnvis.ui.parts.subject import Subject
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.tabs.maps.place import PICKED, place, place_value
from cnnvis.ui.tabs.maps.seen import aimed, dictionary, seen, through
from cnnvis.ui.tabs.maximize.growing import Growing, grow_targets
from cnnvis.ui.tabs.maximize.visitor import VisitorAscent
from cnnvis.ui.texts import CHOOSE_PHOTO, NO_WHY_IN_CHAIN
from cnnvis.views.figures import colour_words
from cnnvis.views.html import picture_url
from cnnvis.views.why import silenced_words


@dataclass(frozen=True)
class WhyHere:
    """Its components: what the tab draws, and the event by which a visitor keeps a place."""

    outputs: list[Any]
    picked: Any


def why_here(shared: Shared) -> WhyHere:
    """Lay out the photo, beside it what VGG16 sees at a place of it, and below why the filter responds there."""
    with gr.Row(elem_id="see"):
        with gr.Column(scale=3, min_width=220):
            chooser = place("canvas")
        with gr.Column(scale=4, min_width=280):
            named = dictionary("dictionary")
            grown = Growing.laid_out("place-", "Grow what it sees here")
    with gr.Row(elem_id="reasons"):
        with gr.Column(min_width=300, elem_id="why-box"):
            tree = html_block("why")
            with gr.Row(elem_id="why-asks"):
                matters = gr.Button("Does it matter?", size="sm", elem_id="silence", min_width=120)
                recolour = gr.Button("Colour or shape?", size="sm", elem_id="recolour", min_width=120)
            silenced = gr.HTML(elem_id="silenced", elem_classes="quiet")
            recoloured = gr.HTML(elem_id="recoloured", elem_classes="quiet")
        with gr.Column(min_width=300, elem_id="groups-box"):
            groups = html_block("groups")
    depths = html_block("depths")
    key = gr.Textbox("", visible="hidden", elem_id="seen-key")  # what the dictionary is of: in the DOM, for `change`

    cell, where = [shared.row, shared.column], [shared.layer_picker, shared.photo]
    picked = chooser.input(None, chooser, cell, js=PICKED)
    # After the maps have been painted, which a visitor waits for.
    asked: dict[str, Any] = {"inputs": [*where, shared.pipeline], "outputs": [named, groups], **PAGE, **LIGHT}
    key.change(seen, js="cnnvis.restedLayer", **asked)
    named.submit(seen, **asked)
    tree.change(through, [*where, *cell], depths, js="cnnvis.rested", **PAGE, **LIGHT)
    grown.connect(_grow_here, [*where, *cell], js="cnnvis.aimed")
    matters.click(_silenced, [*where, *cell], silenced, **PAGE, **LIGHT)
    recolour.click(_recoloured, where, recoloured, **PAGE, **LIGHT)
    return WhyHere([chooser, tree, silenced, recoloured, key], picked)


@readable_errors
def _grow_here(
    request: gr.Request | None, picked: Any, digest: str, row: float | None, column: float | None
) -> Iterator[tuple[str, VisitorAscent]]:
    """Grow what the layer sees at the chosen place of the photo, or in the group that was touched."""
    target, colour = aimed(Choice.read(picked), digest, row, column)
    yield from grow_targets(request, [target], Settings.recipe, None, {"colour": colour})


NO_REASONS: tuple[Any, ...] = (None, "", "", "", "")


def reasons_here(
    subject: Subject,
    photo: StoredPhoto,
    pipeline: str,
    at: tuple[float | None, float | None],
    drawn: FeatureMap | None = None,
) -> tuple[Any, ...]:
    """The map to choose a cell on, and why the filter or concept responds as it does at the chosen one.

    `drawn` is the convolution's or the concept's map, if it has been drawn already.
    """
    layer = subject.layer
    maps = cache.feature_maps(load_vgg16(SHEET_DEVICE), photo, layer, pipeline)
    overlay = (drawn or draw_map(maps, subject.number)).overlay
    views = {"Photo": picture_url(maps.photo), "Mosaic": "", subject.short.capitalize(): picture_url(overlay)}
    label, key = f"What {layer.name} sees in the photo", f"{layer.name} {photo.digest} {pipeline}"
    if pipeline != "network":
        del views["Mosaic"]
        return place_value(views, label, (0, 1), None), f'<p class="quiet">{NO_WHY_IN_CHAIN}</p>', "", "", key
    rows, columns = maps.values.shape[1:]
    chosen = None
    if None not in at and 0 <= at[0] < rows and 0 <= at[1] < columns:  # type: ignore[operator]
        chosen = int(at[0]), int(at[1])  # type: ignore[arg-type]
    placed = place_value(views, label, (grid(layer), cells_aside(layer)), chosen)
    return placed, subject.why(photo, chosen) if chosen else "", "", "", key


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
