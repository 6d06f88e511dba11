"""The wall: every channel of the layer as a tile that chooses it, always in sight beside the tabs.

Its lens says what a tile shows: the channel's picture, a kernel or its map on the photo. A channel stands at the same
place under every lens. One more lens shows the concepts of deep layers, which have tiles and an order of their own.
"""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import gradio as gr

from cnnvis.analysis.maps import CONTRASTS, PIPELINES, knows_usual
from cnnvis.errors import AtlasError, CnnvisError, PhotoError, SettingError, UnavailableError
from cnnvis.network.architecture import ARCHITECTURE, Layer
from cnnvis.network.vgg import conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.atlas import AtlasSheet
from cnnvis.prepared.concepts import Concept
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import LANDING, Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.sheet import sheet, sprite
from cnnvis.ui.parts.switch import menu, segments
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url, pin
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.texts import CHOOSE_PHOTO
from cnnvis.views.figures import signed_bar, written

LENSES = {"pictures": "Pictures", "kernels": "Kernels", "maps": "Maps", "concepts": "Concepts"}
LENS_OF_TAB = {"atlas": "pictures", "filters": "kernels", "maps": "maps", "maximize": "pictures"}  # others: no wall
ORDERS = {
    "index": "by number",
    "norm": "largest weights first",
    "robust": "most robust picture first",
    "likeness": "by likeness",
    "unusual": "most unusual on my photo",
    "strength": "strongest on average on my photo",
}
SOON = 4  # so many times narrower is the sheet that a slow line shows first: 100 kB instead of 1.4 MB
OF_PHOTO = ("maps", "unusual", "strength")  # the lenses and orders that depend on the photo


@dataclass(frozen=True)
class Looks:
    """What the wall is asked to show, besides the layer; a visitor's settings in the tabs go with it.

    The defaults are those of the controls.
    """

    lens: str = "pictures"
    order: str = "index"
    view: str = "auto"  # of kernels
    source: int = 0  # the input channel whose kernels are shown
    pipeline: str = PIPELINES[0]  # of maps
    contrast: str = CONTRASTS[0]

    @property
    def of_photo(self) -> bool:
        """Whether the wall depends on the photo."""
        return self.lens in OF_PHOTO or self.order in OF_PHOTO

    def of_maps(self, layer: Layer) -> Layer:
        """The layer whose maps are shown: the chain has nothing but convolutions."""
        return layer if self.pipeline == "network" else ARCHITECTURE.convolution_of(layer)


def wall(shared: Shared) -> Follower:
    """Lay out the wall; return what of it follows the choice."""
    with gr.Row(elem_id="wall-bar"):
        lens = segments("lens", "What a tile shows", LENSES, LENS_OF_TAB)
        order = menu("order", "Order of the tiles", ORDERS, Looks.order)
    # The wall's script fills what is said above it and below it.
    html_block("wall-said", html_template='<p class="said" role="status"></p>')
    chooser = sheet("wall", lens_of_tab=LENS_OF_TAB, of_photo=OF_PHOTO)
    html_block("wall-caption", "quiet", html_template='<div class="caption"></div>')
    inputs = [lens, order, shared.view, shared.source, shared.pipeline, shared.contrast, shared.photo]
    settings = [shared.view.input, shared.source.submit, shared.source.blur]
    settings += [shared.pipeline.input, shared.contrast.input]
    controls = {"lens": lens, "order": order}
    return Follower(_draw, inputs, [chooser], [lens.input, order.input, *settings], (), controls)


def _draw(choice: Choice, lens: str, order: str, view: str, source: float | None, pipeline: str, contrast: str,
          digest: str) -> tuple[Any]:  # fmt: skip
    if choice.tab not in LENS_OF_TAB:
        return (gr.skip(),)
    kernels = conv_module(load_vgg16(SHEET_DEVICE), choice.layer).in_channels
    lens, order = lens if lens in LENSES else LENS_OF_TAB[choice.tab], order if order in ORDERS else Looks.order
    looks = Looks(lens, order, view, min(int(source or 0), kernels - 1), pipeline, contrast)
    return (gr.skip() if _key(choice.layer, digest, looks) == choice.wall else _value(choice.layer, digest, looks),)


def _key(layer: Layer, digest: str, looks: Looks) -> str:
    """By this key the browser keeps what it has been sent; it makes the same one (sheet.js)."""
    return " ".join(map(str, (layer.name, *astuple(looks), digest if looks.of_photo else "")))


def _value(layer: Layer, digest: str, looks: Looks, **more: Any) -> str:
    """The value of the wall, for its script."""
    value = {"key": _key(layer, digest, looks), **draw_wall(layer, digest, looks), **more}
    return json.dumps(value, separators=(",", ":"))


def first_wall() -> str | None:
    """The value of the wall that a visitor without an address sees first: it travels with the page itself.

    None if the disk is full: then the wall comes as everything else does, when there is room.
    """
    try:
        value = _value(LANDING.layer, "", Looks(), first=True)
    except UnavailableError:
        return None
    pin(value)
    return value


@dataclass(frozen=True)
class _Wall:
    """What a lens shows: the tiles, what they are in words, and what their colours mean, as HTML."""

    tiles: dict[str, Any]
    words: str
    scale: str = ""
    file: str = ""  # the address of the sheet to download, if not the tiles' own
    order: str = ""  # of the tiles, if not the visitor's


def draw_wall(layer: Layer, digest: str, looks: Looks) -> dict[str, Any]:
    """The tiles of the wall, their label, its caption and what cannot be shown, as HTML; `digest` is the photo's.

    Without an atlas, a shelf, a photo or concepts, the wall shows what it can. Raises UnavailableError if the disk is
    full.
    """
    problems: list[str] = []
    photo = channels = drawn = None
    try:
        photo = find_photo(digest) if looks.of_photo else None
        if looks.of_photo and photo is None:
            raise PhotoError(CHOOSE_PHOTO)
        channels = _ordered(layer, photo, looks)
    except CnnvisError as error:
        problems.append(error.sentence())
    lenses = {"pictures": _pictures, "kernels": _kernels, "maps": _maps, "concepts": _concepts}
    for lens in dict.fromkeys([looks.lens, "pictures", "kernels"]):
        try:
            drawn = lenses[lens](layer, channels or (list(range(layer.channels)), 0), photo, looks)
            break
        except CnnvisError as error:
            if lens == "kernels":  # every layer has them: then nothing can be shown
                raise
            problems.append(error.sentence())
    assert drawn
    download = f'<a href="{drawn.file or drawn.tiles["src"]}" download>Download this sheet</a>'
    order = drawn.order or ORDERS[looks.order if channels else Looks.order]
    caption = f"<p>{drawn.words}, {order}. {download}</p>{drawn.scale}"
    said = html.escape(" ".join(dict.fromkeys(problems)))
    return {"label": drawn.words, "caption": caption, "said": said, **drawn.tiles}


Ordered = tuple[Sequence[int], int]  # the channels, and how many make a row; 0: as many as fit


def _ordered(layer: Layer, photo: StoredPhoto | None, looks: Looks) -> Ordered:
    """The channels in the visitor's order. Raises AtlasError, PhotoError, SettingError."""
    net, channels = load_vgg16(SHEET_DEVICE), list(range(layer.channels))
    if looks.order == "index":
        return channels, 0
    if looks.order == "likeness":
        arranged = cache.atlas_sheet(layer).arrangement
        if not arranged:
            raise AtlasError("this atlas has no similarity layout.")
        return arranged["channels"], arranged["columns"]
    if looks.order == "norm":
        values: Sequence[float] = cache.filter_sheet(net, layer, "auto", 0)[0].norm
    elif looks.order == "robust":
        values = [tile.robust for tile in cache.atlas_sheet(layer).tiles]
    else:
        assert photo
        if looks.order == "unusual" and not knows_usual(net, looks.pipeline):
            raise SettingError("this order needs VGG's own pipeline and a photo shelf made with these weights.")
        maps = cache.feature_maps(net, photo, looks.of_maps(layer), looks.pipeline)
        values = (maps.deviations if looks.order == "unusual" else maps.strength).tolist()
    return sorted(channels, key=lambda channel: -values[channel]), 0


def _tiles(
    layer: Layer, ordered: Ordered, file: str, drawn: Any, note: Callable[[int], str], **looks: Any
) -> dict[str, Any]:
    """A sheet with the channels in the order of their numbers, and which of them to offer in which order.

    `note` describes each one under the mouse; `sharp` sheets keep each of a tile's few pixels visible. Choosing one
    keeps the chosen layer, even if the sheet is of the convolution before it. `kind` says what the tiles are; `soon` is
    the address of a small sheet that is seen until the other has come.
    """
    channels, across = ordered
    offered = {"layer": layer.name, "channels": list(channels), "notes": [*map(note, channels)], "across": across}
    look = sprite(file_url(file), drawn.picture.size, drawn.cell, drawn.gap, drawn.columns)
    return {"kind": "channel", "sharp": False, "soon": "", **offered, **look, **looks}


def _pictures(layer: Layer, ordered: Ordered, photo: StoredPhoto | None, looks: Looks) -> _Wall:
    """The atlas's pictures. Raises AtlasError, UnavailableError."""
    atlas = cache.atlas_sheet(layer)
    path = bytes_file(cache.atlas_jpeg(layer), f"{layer.convolution}-atlas.jpg")
    stored = bytes_file(cache.atlas_webp(layer), f"{layer.convolution}-atlas.webp")
    silent = sum(not tile.fires for tile in atlas.tiles)
    never = f" ({silent} never fire)" if silent else ""
    words = f"The {atlas.channels} filters of {atlas.layer}: what each looks for{never}"
    soon = file_url(bytes_file(cache.atlas_jpeg(layer, SOON), f"{layer.convolution}-small.jpg"))
    tiles = _tiles(layer, ordered, path, atlas, lambda channel: atlas_note(atlas, channel), soon=soon)
    return _Wall(tiles, words, file=file_url(stored))


def _kernels(layer: Layer, ordered: Ordered, photo: StoredPhoto | None, looks: Looks) -> _Wall:
    """The filters' weights, of one input channel or, at conv1_1, in colour."""
    drawn, png = cache.filter_sheet(load_vgg16(SHEET_DEVICE), layer, looks.view, looks.source)
    path = bytes_file(png, f"{drawn.layer}-filters-{drawn.view}.png")
    tiles = _tiles(layer, ordered, path, drawn, lambda channel: f"L2 norm {drawn.norm[channel]:.2f}", sharp=True)
    whose = f"The {drawn.channels} filters of {drawn.layer}"
    if layer.name != drawn.layer:
        whose = f"{layer.name} has no weights; these are the {drawn.channels} filters of {drawn.layer}"
    if drawn.view == "rgb":
        return _Wall(tiles, f"{whose}, in colour: mid-grey is zero, full colour ±{drawn.scale:.2f}")
    kernels = f"{whose}: their kernels for input channel {drawn.input_channel}"
    if drawn.view == "signed":
        return _Wall(tiles, kernels, signed_bar(drawn.scale or 0))
    return _Wall(tiles, f"{kernels}, each from its smallest weight (black) to its largest (white)")


def _maps(layer: Layer, ordered: Ordered, photo: StoredPhoto | None, looks: Looks) -> _Wall:
    """The maps of a photo. Raises PhotoError."""
    if photo is None:
        raise PhotoError(CHOOSE_PHOTO)
    net, of_maps = load_vgg16(SHEET_DEVICE), looks.of_maps(layer)
    drawn, jpeg = cache.map_sheet(net, photo, of_maps, looks.pipeline, "index", looks.contrast)
    path = bytes_file(jpeg, f"{of_maps.name}-maps.jpg")
    tiles = _tiles(layer, ordered, path, drawn, lambda channel: f"mean {written(drawn.strength[channel], '.2f')}")
    words = f"The {drawn.channels} maps of {drawn.layer} on the photo, {drawn.size[0]} × {drawn.size[1]} values each"
    if looks.pipeline == "conv_chain":
        words += f", from the convolutions alone, on the photo squashed to {drawn.input_side} px"
    return _Wall(tiles, words)


def _concepts(layer: Layer, ordered: Ordered, photo: StoredPhoto | None, looks: Looks) -> _Wall:
    """The pictures of the layer's concepts. Raises LayerError, ConceptsError."""
    found = cache.concepts(layer)
    path = bytes_file(cache.concepts_jpeg(found), f"{found.layer}-concepts.jpg")
    every = list(range(len(found.concepts))), 0
    tiles = _tiles(layer, every, path, found, lambda number: concept_note(found.concepts[number]), kind="concept")
    vague = sum(concept.vague for concept in found.concepts)
    words = f"The {len(found.concepts)} concepts of {found.layer}: what several filters say together in many photos"
    last = f"; the last {vague} are vague" if vague else ""
    return _Wall(tiles, words, order=f"largest share first{last}")


def concept_note(concept: Concept) -> str:
    """How much of the layer a concept is."""
    return f"{100 * concept.share:.1f} % of the layer{', vague' if concept.vague else ''}"


def atlas_note(sheet: AtlasSheet, channel: int) -> str:
    """How strong a channel's picture is."""
    tile = sheet.tiles[channel]
    return f"robust activation {written(tile.robust, '.1f')}" if tile.fires else "never fires"
