"""What VGG16 sees in the photo: the dictionary of every place, for the browser; groups; one place in other layers."""

import json
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from cnnvis.analysis.groups import MOST_GROUPS
from cnnvis.analysis.places import (
    BRIGHT,
    Places,
    cells_aside,
    check_places,
    direction_target,
    grid,
    least_spread,
    look_up,
)
from cnnvis.errors import AtlasError, CnnvisError, PhotoError, ShelfError
from cnnvis.network.architecture import Layer, Target, convolution
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.tiles import BEST_COLUMNS, BEST_PX
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.sheet import sprite
from cnnvis.ui.parts.subject import subject_of
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.texts import CHOOSE_PHOTO
from cnnvis.views.html import picture_url
from cnnvis.views.known import leading_at
from cnnvis.views.places import group_tiles, through_layers

NAMED = 6  # channels at a place, and groups of a photo

_TEMPLATE = """<span class="segments dictionary-kinds" role="group" aria-label="Named are"
hidden><button type="button" value="channels">Filters</button><button type="button" value="concepts">Concepts</button>
</span><h4>Here <small>what stands out against the shelf's photos<span class="wide">, not all that the layer responds
to; in standard deviations above usual</span></small></h4><div class="dict"></div>
<p class="dictionary-said quiet" role="status"></p>
<p class="next"><button type="button" class="dictionary-why" hidden></button>
<button type="button" data-go="maximize" data-of="place">Grow it large</button></p>"""


def dictionary(elem_id: str) -> gr.HTML:
    """An empty dictionary; its script shows the place that the cursor is on. `seen` makes its value."""
    return scripted(__file__, elem_id, value="", wrong="", html_template=_TEMPLATE, padding=False)


@readable_errors
def seen(picked: Any, digest: str, pipeline: str) -> tuple[gr.HTML, str]:
    """What can be pointed at on the photo, and the photo's groups."""
    layer = convolution(Choice.read(picked).target).layer
    try:
        photo = find_photo(digest)
        if photo is None or pipeline != "network":
            return gr.HTML(value="", wrong=""), ""
        net = load_vgg16(SHEET_DEVICE)
        check_places(net, layer.name)
        value = places_value(cache.places(net, photo, layer), _concepts(net, photo, layer))
        groups, pictures = cache.grouped(net, photo, layer, NAMED)
    except CnnvisError as error:
        return gr.HTML(value="", wrong=error.sentence()), ""
    return gr.HTML(value=value, wrong=""), group_tiles(layer, groups, [*map(picture_url, pictures)], cache.tile)


def places_value(places: Places, concepts: dict[str, Any] | None = None) -> str:
    """The dictionary of every place as JSON: seen.js says what is in it."""
    layer, (leading, _) = places.layer, places.leading
    count, (above, channels) = len(leading), places.above.topk(NAMED, 0)
    most = divmod(int(leading.argmax()), count)
    about = {"layer": layer.name, "places": count, "side": places.side, "named": NAMED, "lead": most}
    about |= {"bright": max(1e-6, float(leading.quantile(BRIGHT))), "concepts": concepts}
    lists = {**_listed(above, channels), "cells": _by_place(places.cells.gather(0, channels))}
    named = {**lists, "pictures": _pictures(layer), "best": _best(layer)}
    return json.dumps({**about, "channels": named}, separators=(",", ":"))


def _listed(above: Tensor, numbers: Tensor) -> dict[str, list[float]]:
    return {"above": [round(value, 1) for value in _by_place(above)], "numbers": _by_place(numbers)}


def _by_place(values: Tensor) -> list[Any]:
    """Values (named, rows, columns) as one list, place by place."""
    return values.movedim(0, 2).flatten().tolist()


def _concepts(net: VGG16, photo: StoredPhoto, layer: Layer) -> dict[str, Any] | None:
    """The same lists and pictures of the layer's concepts, if it has any; its places are single cells."""
    try:
        found = cache.concepts(layer)
    except CnnvisError:
        return None  # the wall's lens says why
    if len(found.concepts) < NAMED:
        return None
    mean, spread = (torch.tensor([getattr(concept, name) for concept in found.concepts]) for name in ("mean", "spread"))
    spread = spread.clamp_min(least_spread(spread))[:, None, None]
    above = (cache.concept_maps(net, photo, found).values - mean[:, None, None]) / spread
    size, webp = cache.concepts_best(found)
    picture = bytes_file(cache.concepts_jpeg(found), f"{layer.name}-concepts.jpg")
    best = bytes_file(webp, f"{layer.name}-concepts-best.webp")
    return {
        **_listed(*above.topk(NAMED, 0)),
        "pictures": sprite(file_url(picture), found.picture.size, found.cell, found.gap, found.columns),
        "best": sprite(file_url(best), size, BEST_PX, 0, BEST_COLUMNS),
    }


def _pictures(layer: Layer) -> dict[str, Any] | None:
    """The atlas's sheet, which the wall shows too; None if there is none."""
    try:
        atlas = cache.atlas_sheet(layer)
        src = file_url(bytes_file(cache.atlas_jpeg(layer), f"{layer.name}-atlas.jpg"))
    except AtlasError:
        return None
    return sprite(src, atlas.picture.size, atlas.cell, atlas.gap, atlas.columns)


def _best(layer: Layer) -> dict[str, Any] | None:
    """The best photo of every channel; None if there is no shelf."""
    try:
        size, webp = cache.best_sheet(layer)
    except ShelfError:
        return None
    src = file_url(bytes_file(webp, f"{layer.name}-best.webp"))
    return sprite(src, size, BEST_PX, 0, BEST_COLUMNS)


@readable_errors
def through(picked: Any, digest: str, row: float | None, column: float | None) -> str:
    """The chosen place in the last layer of each block."""
    layer, net = convolution(Choice.read(picked).target).layer, load_vgg16(SHEET_DEVICE)
    try:
        photo = find_photo(digest)
        if photo is None or row is None or column is None or max(row, column) * layer.stride >= PHOTO_SIDE:
            return ""
        check_places(net, layer.name)
        leading, whole = cache.leading(net, photo), cache.seen(photo)
    except CnnvisError:
        return ""  # the dictionary says why
    middle = [round((cell + 0.5) * layer.stride) for cell in (row, column)]
    return through_layers(leading_at(net, leading, whole, middle), cache.tile)


def aimed(choice: Choice, digest: str, row: float | None, column: float | None) -> tuple[Target, str]:
    """What an ascent of the choice maximises: its channel or concept, or the direction of a place or group of a photo.

    And the colour that it begins around, a place's own or "".
    Raises LayerError, ConceptsError, PhotoError, ShelfError, SettingError.
    """
    if not choice.of or choice.concept is not None:
        return subject_of(choice).target, ""
    net, layer, photo = load_vgg16(SHEET_DEVICE), convolution(choice.target).layer, find_photo(digest)
    if photo is None:
        raise PhotoError(CHOOSE_PHOTO)
    check_places(net, layer.name)
    if choice.of.startswith("group"):
        number = int(choice.of.removeprefix("group"))
        groups, _ = cache.grouped(net, photo, layer, NAMED if number <= NAMED else MOST_GROUPS)
        return direction_target(net, layer.name, groups[number - 1].direction, f"group-{number}"), ""
    at = [int(cell) // cells_aside(layer) for cell in (row, column) if cell is not None]
    kept = len(at) == 2 and all(0 <= n < grid(layer) for n in at)  # not on a larger map
    place = look_up(cache.places(net, photo, layer), at[0] if kept else None, at[1] if kept else None, 1)
    return direction_target(net, layer.name, place.direction, f"place-{place.row}-{place.column}"), place.colour
