"""What a filter has to do with others: expanded, reads, read by, alike on photos, alike in their pictures.

One piece of HTML, for every component that an event changes costs the browser some 10 ms.
"""

from collections.abc import Mapping

from cnnvis.errors import AtlasError, ShelfError
from cnnvis.expanded import EXPANDED, draw_expanded
from cnnvis.network.architecture import convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import encode
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.numerals import written
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.wall import atlas_note
from cnnvis.ui.serving import cache as cached
from cnnvis.ui.serving.files import bytes_url, data_url
from cnnvis.ui.serving.gpu import LIGHT_DEVICE
from cnnvis.ui.texts import ABOUT_EXPANDED, READERS, READS, SIMILAR_ON_PHOTOS, SIMILAR_PICTURES
from cnnvis.ui.wire_rows import TILE_PX, readers_row, reads_row

COUNT = 8


def relations(choice: Choice, by: str) -> str:
    """Everything as HTML, as far as it is known; the wiring is ordered by "usual" or "norm"."""
    parts = {
        "expanded": ("", _expanded(choice)),
        "reads": (READS, reads_row(choice.target, COUNT, by)),
        "readers": (READERS, readers_row(choice.target, COUNT, by)),
        "on-photos": (SIMILAR_ON_PHOTOS, _row(choice, _on_photos(choice))),
        "pictures": (SIMILAR_PICTURES, _row(choice, _pictures(choice))),
    }
    shown = ((elem_id, about, part) for elem_id, (about, part) in parts.items() if part)
    inside = "".join(f'<div id="{elem_id}">{about and f"<p>{about}</p>"}{part}</div>' for elem_id, about, part in shown)
    return f'<div data-of="{choice.target}">{inside}</div>'


def _expanded(choice: Choice) -> str:
    """At conv1_2 and conv2_1 the filter on the picture itself, with a warning."""
    target = convolution(choice.target)
    if target.layer.name not in EXPANDED:
        return ""
    found = draw_expanded(load_vgg16(LIGHT_DEVICE), target)
    side = found.weights.shape[-1]
    alt = f"the expanded weights of {target}, {side} × {side} px in colour"
    return f'<img class="expanded" src="{data_url(found.picture)}" alt="{alt}">{ABOUT_EXPANDED}'


def _on_photos(choice: Choice) -> dict[int, str]:
    """The channels whose maxima on the shelf's photos vary most like the chosen one's, each with the correlation."""
    try:
        found = cached.alike_on_photos(load_shelf(), choice.layer)
    except ShelfError:
        return {}
    return {other: f"correlation {written(value, '.2f')}" for other, value in found[choice.channel]} if found else {}


def _pictures(choice: Choice) -> dict[int, str]:
    """The channels whose pictures the layer answers to most like the chosen one's, each with its strength."""
    try:
        found = cached.atlas_sheet(choice.layer)
    except AtlasError:
        return {}
    return {other: atlas_note(found, other) for other in found.tiles[choice.channel].alike}


def _row(choice: Choice, notes: Mapping[int, str]) -> str:
    """Channels of the chosen layer as buttons with their pictures; nothing if the atlas has none."""
    try:
        found = cached.atlas_sheet(choice.layer)
    except AtlasError:
        return ""
    cells = []
    for other, note in notes.items():
        picture = bytes_url(encode(found.tile(other).resize((TILE_PX, TILE_PX)), "jpeg"), "jpeg")
        words = f"channel {other}, {note}"
        about = f'data-layer="{choice.layer.name}" data-channel="{other}" title="{words}" aria-label="{words}"'
        cells.append(f'<button type="button" class="wire" {about}><img src="{picture}" alt=""><i>{other}</i></button>')
    return f'<div class="wires">{"".join(cells)}</div>' if cells else ""
