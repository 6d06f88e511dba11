"""What a filter has to do with others: expanded, reads, read by, alike on photos, alike in their pictures.

One piece of HTML, for every component that an event changes costs the browser some 10 ms.
"""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from PIL import Image
from torch import Tensor

from cnnvis.analysis.filters import EXPANDED, draw_expanded
from cnnvis.analysis.wiring import INPUT, Wire, readers, reads
from cnnvis.errors import AtlasError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import signed
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.wall import atlas_note
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.texts import ABOUT_EXPANDED, READERS, READS, SIMILAR_ON_PHOTOS, SIMILAR_PICTURES

COUNT = 8
COLOURS = ("red", "green", "blue")
TILE_PX = 64


def relations(choice: Choice, by: str) -> str:
    """Everything as HTML, as far as it is known; the wiring is ordered by "usual" or "norm"."""
    parts = {
        "expanded": ("", _expanded(choice)),
        "reads": (READS, reads_row(choice.target, COUNT, by)),
        "readers": (READERS, readers_row(choice.target, COUNT, by)),
        "on-photos": (SIMILAR_ON_PHOTOS, _others_row(choice, _on_photos(choice))),
        "pictures": (SIMILAR_PICTURES, _others_row(choice, _pictures(choice))),
    }
    shown = ((elem_id, about, part) for elem_id, (about, part) in parts.items() if part)
    inside = "".join(f'<div id="{elem_id}">{about and f"<p>{about}</p>"}{part}</div>' for elem_id, about, part in shown)
    return f'<div data-of="{choice.target}">{inside}</div>'


def _expanded(choice: Choice) -> str:
    """At conv1_2 and conv2_1 the filter on the picture itself, with a warning."""
    target = convolution(choice.target)
    if target.layer.name not in EXPANDED:
        return ""
    found = draw_expanded(load_vgg16(SHEET_DEVICE), target)
    side = found.weights.shape[-1]
    alt = f"the expanded weights of {target}, {side} × {side} px in colour"
    return f"{image_tag(found.picture, alt, kind='png', looks='expanded')}{ABOUT_EXPANDED}"


def _on_photos(choice: Choice) -> dict[int, str]:
    """The channels whose maxima on the shelf's photos vary most like the chosen one's, each with the correlation."""
    try:
        found = cache.alike_on_photos(load_shelf(), choice.layer)
    except ShelfError:
        return {}
    return {other: f"correlation {written(value, '.2f')}" for other, value in found[choice.channel]} if found else {}


def _pictures(choice: Choice) -> dict[int, str]:
    """The channels whose pictures the layer answers to most like the chosen one's, each with its strength."""
    try:
        found = cache.atlas_sheet(choice.layer)
    except AtlasError:
        return {}
    return {other: atlas_note(found, other) for other in found.tiles[choice.channel].alike}


def _others_row(choice: Choice, notes: Mapping[int, str]) -> str:
    """Channels of the chosen layer as buttons with their pictures; nothing if the atlas has none."""
    try:
        found = cache.atlas_sheet(choice.layer)
    except AtlasError:
        return ""
    cells = []
    for other, note in notes.items():
        picture = image_tag(found.tile(other), px=TILE_PX)
        words = f"channel {other}, {note}"
        about = f'data-layer="{choice.layer.name}" data-channel="{other}" title="{words}" aria-label="{words}"'
        cells.append(f'<button type="button" class="wire" {about}>{picture}<i>{other}</i></button>')
    return f'<div class="wires">{"".join(cells)}</div>' if cells else ""


def reads_row(target: Target, count: int, by: str = "usual") -> str:
    """The strongest channels that a filter reads, as HTML; a click chooses one."""
    net, target = load_vgg16(SHEET_DEVICE), convolution(target)
    kernels = conv_module(net, target.layer).weight[target.number].float().cpu()
    wires = reads(net, target, by)[:count]
    return _wires_row(net, [(wire, kernels[wire.channel]) for wire in wires], "reads")


def readers_row(target: Target, count: int, by: str = "usual") -> str:
    """The filters of the next convolution that read a channel most, as HTML; the classifier reads the last ones."""
    net, target = load_vgg16(SHEET_DEVICE), convolution(target)
    wires = readers(net, target, by)[:count]
    if not wires:
        return '<p class="quiet">The classifier reads it, and nothing else.</p>'
    module = conv_module(net, net.architecture.find(wires[0].layer))
    return _wires_row(
        net, [(wire, module.weight[wire.channel, target.number].float().cpu()) for wire in wires], "is read by"
    )


def _wires_row(net: VGG16, wired: list[tuple[Wire, Tensor]], how: str) -> str:
    """Cells for wires with their kernels (3, 3), all on one signed scale."""
    scale = max(float(kernel.abs().max()) for _, kernel in wired)
    cells = [_cell(net, wire, Image.fromarray(np.asarray(signed(kernel, scale))), how) for wire, kernel in wired]
    return f'<div class="wires">{"".join(cells)}</div>'


def _cell(net: VGG16, wire: Wire, kernel: Image.Image, how: str) -> str:
    """A kernel, the picture of the other end, and in words its number, its sign and its share."""
    share = f"{'−' if wire.sum < 0 else '+'}{100 * wire.share:.1f} %"
    shown = image_tag(kernel, kind="png", looks="sharp-kernel")
    if wire.layer == INPUT:
        return f'<span class="wire">{shown}<i>{COLOURS[wire.channel]} {share}</i></span>'
    with suppress(AtlasError):  # then the kernel alone
        shown += image_tag(cache.atlas_sheet(net.architecture.find(wire.layer)).tile(wire.channel), px=TILE_PX)
    sign = "inhibiting" if wire.sum < 0 else "exciting"
    words = f"{how} {wire.layer} channel {wire.channel}, {sign}, {100 * wire.share:.1f} % of the filter"
    about = f'data-layer="{wire.layer}" data-channel="{wire.channel}" title="{words}" aria-label="{words}"'
    return f'<button type="button" class="wire" {about}>{shown}<i>{wire.channel} <b>{share}</b></i></button>'
