"""How a filter relates to others: expanded, what it reads, what reads it, and which are similar.

It is one piece of HTML, because every component that an event changes costs the browser some 10 ms.
"""

from collections.abc import Mapping

from cnnvis.analysis.filters import EXPANDED, colour_picture, draw_expanded, most_similar
from cnnvis.analysis.wiring import neighbour, readers, reads
from cnnvis.errors import AtlasError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.wall import atlas_note
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.texts import ABOUT_EXPANDED, LIKE
from cnnvis.views.figures import written
from cnnvis.views.html import TILE_PX, channel_button, image_at, image_tag
from cnnvis.views.wiring import readers_row, reads_row

WIRES_IN_ROW = 8


def relations(choice: Choice, by: str) -> str:
    """Everything as HTML, as far as it is known; the wiring is ordered by "usual" or "norm"."""
    target = convolution(choice.target)
    net = load_vgg16(SHEET_DEVICE)
    before, after = _neighbours(net, target)
    heads = f"<h4>It reads <small>{before}</small></h4>", f"<h4>Read by <small>{after}</small></h4>"
    parts = (
        ("expanded", _expanded(choice)),
        ("reads", heads[0] + reads_row(net, target, reads(net, target, by)[:WIRES_IN_ROW], cache.tile)),
        ("readers", heads[1] + readers_row(net, target, readers(net, target, by)[:WIRES_IN_ROW], cache.tile)),
        ("like", _like(choice)),
    )
    shown = (f'<div id="{elem_id}">{part}</div>' for elem_id, part in parts if part)
    return f'<div data-of="{choice.target}">{"".join(shown)}</div>'


def _neighbours(net: VGG16, target: Target) -> tuple[str, str]:
    """What the rows of the wiring show, in words."""
    previous, following = (neighbour(net, target.layer, offset) for offset in (-1, 1))
    before = "the three colours of the photo; orange adds, blue subtracts"
    if previous:
        behind = f"the kernel, and the {previous.name} filter behind it"
        before = f"its strongest inputs: {behind}; orange excites, blue inhibits"
    if following:
        return before, f"the {following.name} filters that give it the largest weights"
    return before, "after the last convolution come layers that name what is in the photo"


def _expanded(choice: Choice) -> str:
    """At conv1_2 and conv2_1, the filter expanded onto the picture itself, with a warning."""
    target = convolution(choice.target)
    if target.layer.name not in EXPANDED:
        return ""
    expanded = draw_expanded(load_vgg16(SHEET_DEVICE), target)
    side = expanded.weights.shape[-1]
    alt = f"the expanded weights of {target}, {side} × {side} px in colour"
    return f"{image_tag(expanded.picture, alt, kind='png', looks='expanded')}{ABOUT_EXPANDED}"


def _like(choice: Choice) -> str:
    """Three rows of the layer's channels that resemble the chosen one, of which filters.js shows one at a time."""
    rows = {row: html for row, html in zip(LIKE, (_like_weights(choice), *_like_pictures(choice)), strict=True) if html}
    shown = "photos" if "photos" in rows else next(iter(rows))
    buttons, about = "", ""
    for row, html in rows.items():
        buttons += f'<button type="button" data-like="{row}" aria-pressed="{str(row == shown).lower()}">{row}</button>'
        about += f'<div id="like-{row}" {"" if row == shown else "hidden"}><p class="quiet">{LIKE[row]}</p>{html}</div>'
    switch = f'<span class="segments" role="group" aria-label="Like it by">{buttons}</span>'
    return f"<h4>Filters like it {switch}</h4>{about}"


def _like_weights(choice: Choice) -> str:
    """Those with the most similar weights; in the first layer they are shown as colours, which says more."""
    net, target = load_vgg16(SHEET_DEVICE), convolution(choice.target)
    weights = conv_module(net, target.layer).weight.float().cpu()
    notes = {other: f"cosine {written(cosine, '.2f')}" for other, cosine in most_similar(weights, target.number)}
    first = target.layer.name == "conv1_1"
    colours = {other: image_tag(colour_picture(weights[other]), px=TILE_PX) for other in notes if first}
    return _others_row(choice, notes, colours)


def _like_pictures(choice: Choice) -> tuple[str, str]:
    """Two rows, as far as atlas and shelf have them.

    The maxima of the first vary most like the chosen channel's from photo to photo of the shelf; the pictures of the
    second drive the layer most like its picture.
    """
    try:
        sheet = cache.atlas_sheet(choice.layer)
    except AtlasError:
        return "", ""
    try:
        similar = cache.alike_on_photos(load_shelf(), choice.layer)
    except ShelfError:
        similar = None
    pairs = similar[choice.channel] if similar else ()
    on_photos = {other: f"correlation {written(value, '.2f')}" for other, value in pairs}
    pictures = {other: atlas_note(sheet, other) for other in sheet.tiles[choice.channel].alike}
    return _others_row(choice, on_photos, {}), _others_row(choice, pictures, {})


def _others_row(choice: Choice, notes: Mapping[int, str], pictures: Mapping[int, str]) -> str:
    """Channels of the chosen layer as buttons, with the given pictures or else the atlas's."""
    cells = ""
    for other, note in notes.items():
        picture = pictures.get(other) or image_at(cache.tile(choice.layer, other))
        words = f"channel {other}, {note}"
        cells += channel_button(f"{picture}<i>{other}</i>", "wire", choice.layer.name, other, words)
    return cells and f'<div class="wires others">{cells}</div>'
