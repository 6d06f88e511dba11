"""A site as HTML: its page, its credits, and where its pictures lie in its folder."""

import html
import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from cnnvis.analysis.filters import FilterSheet
from cnnvis.analysis.groups import find_groups
from cnnvis.analysis.places import Places, look_up
from cnnvis.analysis.why import Trace, explain
from cnnvis.errors import ConceptsError, LayerError
from cnnvis.network.architecture import Layer, Target
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE, encode
from cnnvis.prepared.atlas import AtlasSheet, load_atlas
from cnnvis.prepared.concepts import Concepts, concept_layer, read_concepts
from cnnvis.prepared.shelf import Exemplar, Shelf, load_shelf
from cnnvis.prepared.tiles import scale_box
from cnnvis.views import known, lesson
from cnnvis.views.card import credited
from cnnvis.views.channel import Best
from cnnvis.views.concept import concept_view, concepts_of
from cnnvis.views.exemplars import BEST_PHOTOS
from cnnvis.views.figures import signed_bar
from cnnvis.views.html import LOOKS, Piece, picture_url
from cnnvis.views.known import Source
from cnnvis.views.places import entries, group_tiles
from cnnvis.views.question import SEEDS
from cnnvis.views.still import Data, still
from cnnvis.views.why import Patch, why_tree

FILES = {
    "sheet": "atlas/{}.webp",  # the atlas's sheet of a layer,
    "half": "half/{}.jpg",  # half as wide, for pictures in a row,
    "small": "small/{}.jpg",  # and a quarter: the first that a visitor sees
    "kernels": "kernels/{}.png",
    "concepts": "concepts/{}.webp",
    "maps": "maps/{}-{}.jpg",  # of a given photo, in a layer
    "mosaic": "seen/{}-{}.jpg",
    "seen": "seen/{}-{}.gz",  # its places, groups and reasons
    "photo": "photos/{}.webp",  # the 224 px of one on the shelf
    "given": "given/{}.webp",  # the same of one that the site was made with
    "views": "views/{}-{}.gz",  # of TOGETHER channels of a layer
    "concept views": "views/{}-concepts.gz",
    "quiz": "quiz/{}.gz",
}
SMALL, HALF = 4, 2  # how much smaller a sheet is that is seen first, and one for pictures in a row
TOGETHER = 32  # channels whose views are one file
RIM_PX = 1  # cut off a tile: browsers round, and the gap beside it would show as a line
NAMED, TREE_COUNT, TREE_DEPTH = 6, 3, 3  # channels at a place, and groups; inputs at each node, and layers back
LEADS_TO = ("maps", "filters")  # the tabs that a site has too
_FRAME = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def source(net: VGG16) -> Source:
    """Where a site's views come from: its pictures are pieces of the sheets and photos in its folder."""
    kept: dict[tuple[str, int, int], list[tuple[Exemplar, Piece]]] = {}

    def exemplars(shelf: Shelf, target: Target, count: int) -> list[tuple[Exemplar, Piece]]:
        key = target.layer.name, target.number, count  # a place names the same channels again and again
        if key not in kept:
            kept[key] = [(one, photo_piece(one, target.layer)) for one in shelf.exemplars(target, count)]
        return kept[key]

    def large(sheet: AtlasSheet, channel: int) -> Piece:
        return _tile(sheet, channel, [file(kind, sheet.layer) for kind in ("sheet", "half", "small")])

    def small(sheet: AtlasSheet, channel: int) -> Piece:
        return _tile(sheet, channel, [file("half", sheet.layer)])

    return Source(net, cache(lambda layer: load_atlas().sheet(layer, net)), exemplars, large, small)


def _tile(sheet: AtlasSheet | Concepts, channel: int, files: Sequence[str]) -> Piece:
    left, top = channel % sheet.columns * sheet.cell, channel // sheet.columns * sheet.cell
    return Piece(files, sheet.picture.size, (left + RIM_PX, top + RIM_PX, sheet.cell - sheet.gap - 2 * RIM_PX))


def photo_piece(exemplar: Exemplar, layer: Layer) -> Piece:
    """As much of an exemplar's photo as a tile of the layer shows."""
    return _cut(file("photo", exemplar.photo), scale_box(exemplar, layer))


def patches_of(number: int) -> Patch:
    """The pieces of a given photo."""
    return lambda box: _cut(file("given", number), box)


def _cut(src: str, box: Sequence[int]) -> Piece:
    return Piece([src], (PHOTO_SIDE, PHOTO_SIDE), (box[0], box[1], box[2] - box[0]))


def file(kind: str, *of: object) -> str:
    """The file of a kind in a site's folder: of a layer, of a photo by its number, or of both."""
    return FILES[kind].format(*of)


def lens(src: str, drawn: Any, words: str, **more: Any) -> dict[str, Any]:
    """A sheet of the wall, for the script; `words` say what its tiles are."""
    about = {"cell": drawn.cell, "gap": drawn.gap, "columns": drawn.columns, "size": drawn.picture.size}
    return {"src": src, "words": words, **about, **more}


def kernels_lens(src: str, drawn: FilterSheet) -> dict[str, Any]:
    """The lens that shows the filters' weights."""
    words = f"The {drawn.channels} filters of {drawn.layer}"
    if drawn.view == "rgb":
        return lens(src, drawn, f"{words}, in colour: mid-grey is zero", sharp=True)
    scale = signed_bar(drawn.scale or 0)
    return lens(src, drawn, f"{words}: their kernels for input channel 0", sharp=True, scale=scale)


def concepts_lens(src: str, found: Concepts) -> dict[str, Any]:
    """The lens that shows the concepts."""
    count = len(found.concepts)
    words = f"The {count} concepts of {found.layer}: what several filters say together in many photos"
    return lens(src, found, words, concepts=count)


def channel_view(source: Source, layer: Layer, number: int, live: str, found: Concepts | None) -> str:
    """Everything about a channel; `found` are the layer's concepts, if it has any."""
    part_of = concepts_of(found, number, partial(_concept, found)) if found else ""
    view = known.channel(source, Target(layer, {number: 1.0})).view("", part_of)
    return still(view, live, {"layer": layer.name, "channel": number}, _stays)


def concept_views(source: Source, found: Concepts, live: str) -> dict[int, str]:
    """Everything about each of a layer's concepts."""
    layer, views = source.net.architecture.find(found.layer), {}
    for number, concept in enumerate(found.concepts):
        best = [(one, photo_piece(one, layer)) for one in concept.exemplars[:BEST_PHOTOS]]
        photos, picture = Best(best, len(found.shelf.photos)), _concept(found, number)
        view = concept_view(found, number, picture, photos, "", partial(source.tile, layer))
        views[number] = still(view, live, {"layer": layer.name, "of": f"concept{number}"}, _stays)
    return views


def _concept(found: Concepts, number: int) -> Piece:
    return _tile(found, number, [file("concepts", found.layer)])


def _stays(data: Data) -> bool:
    """Whether the site itself answers a button."""
    if "data-go" in data:
        return data["data-go"] in LEADS_TO
    return "data-channel" in data or "data-of" in data


def concepts_in(net: VGG16, layer: Layer) -> Concepts | None:
    """The concepts of a layer that were found in the shelf in use; None if there are none."""
    try:
        found = read_concepts(net, concept_layer(net.architecture, layer.name))
    except (LayerError, ConceptsError):
        return None
    return found if found.shelf.folder == load_shelf().folder else None


def seen(source: Source, places: Places, traced: Trace, number: int) -> dict[str, Any]:
    """What a layer sees at every place of given photo `number`, its groups, and why at the most unusual place."""
    layer, size, lead = places.layer, places.above.shape[1], look_up(places, None, None, NAMED)
    every = (look_up(places, place // size, place % size, NAMED) for place in range(size * size))
    here = [entries(layer.name, known.named_at(source, layer, place)) for place in every]
    why = []
    for entry in lead.channels:
        target = Target(layer, {entry.channel: 1.0})
        down, right = divmod(int(places.cells[entry.channel, lead.row, lead.column]), places.side)
        cell = lead.row * places.side + down, lead.column * places.side + right
        explained = explain(source.net, traced, target, cell, TREE_COUNT, TREE_DEPTH)
        tree = why_tree(source.net, explained, places.photo, source.tile, patches_of(number))
        why.append([entry.channel, tree])
    groups = find_groups(places, NAMED)
    lit = [picture_url(encode(groups.tile(n), "jpeg", quality=75)) for n in range(len(groups.groups))]
    about = {"size": size, "side": places.side, "lead": [lead.row, lead.column], "here": here, "why": why}
    return {**about, "groups": group_tiles(layer, groups.groups, lit, source.tile, grows=False)}


def index_page(walls: Sequence[Mapping[str, Any]], photos: Sequence[str], live: str) -> str:
    """The page of a site; `walls` are its layers' lenses."""
    shown = [{"name": name, "src": file("given", number)} for number, name in enumerate(photos)]
    layers = {wall["name"]: wall for wall in walls}
    pages = lesson.still_pages(layers, photos)
    about = {"layers": layers, "photos": shown, "live": html.escape(live), "seeds": SEEDS}
    data = json.dumps({**about, "together": TOGETHER, "lesson": pages}, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"STYLE": LOOKS + lesson.STYLE + _STYLE, "LESSON": lesson.TEMPLATE, "PAGES": lesson.SCRIPT}
    parts |= {"SCRIPT": _SCRIPT, "DATA": data}  # last what has names of files in it
    page = _FRAME
    for name, content in parts.items():
        page = page.replace(f"{{{name}}}", content)
    return page


def credits_page(photos: Sequence[Mapping[str, Any]]) -> str:
    """Every photo of the shelf with its author, licence and source."""
    listed = "".join(f"<li>{credited(about)}</li>" for about in photos)
    return f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Credits: inside VGG16</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><body><main><h1>Credits</h1><p><a href="./">Back</a></p><p>Pictures grown with cnnvis:
CC0. Weights of VGG16: torchvision, BSD-3-Clause. Photos:</p><ul>{listed}</ul></main></body></html>
"""
