"""Everything about one filter: its picture beside the photos that excite it, its kernels, and its map on the photo."""

import html

import numpy as np

from cnnvis.analysis.maps import draw_map
from cnnvis.errors import AtlasError, PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.exemplars import BEST_PHOTOS, credit
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.photo import whose
from cnnvis.ui.parts.wiring import readers_row, reads_row
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import find_photo

WIRES_BESIDE = 6  # of what it reads, and of what reads it
MAP_PX = 192  # side of the photo with the map laid over it
NEXT = (
    ("maximize", "Grow it live", "data-start"),
    ("maps", "Where on my photo?", ""),
    ("filters", "Its weights", ""),
)


def channel_view(target: Target, photo: str) -> str:
    """Everything about a channel on one screen, as HTML; `photo` is the digest of the visitor's photo."""
    target = convolution(target)
    grown, about_grown = _grown(target)
    nine, about_nine = _nine(target)
    own, about_own = _own(target, photo)
    buttons = (f'<button type="button" data-go="{tab}" {start}>{words}</button>' for tab, words, start in NEXT)
    words = " ".join(filter(None, (about_grown, about_nine, about_own)))
    return f"""<h3 class="visually-hidden">{target}</h3>
<div class="look">{grown}<div><div class="nine">{nine}{own}</div><p class="quiet">{words}</p></div></div>
<p class="next">{"".join(buttons)}</p>
<div class="two"><section><h4>It reads <small>+ excites it, − inhibits it</small></h4>
{reads_row(target, WIRES_BESIDE)}</section>
<section><h4>Read by <small>in the next layer</small></h4>{readers_row(target, WIRES_BESIDE)}</section></div>"""


def _grown(target: Target) -> tuple[str, str]:
    """The atlas's picture, and what to say of it."""
    try:
        sheet = cache.atlas_sheet(target.layer)
    except AtlasError as error:
        return "", html.escape(sentence(error))
    tile = sheet.tiles[target.number]
    title = f"robust activation {written(tile.robust, '.1f')}, on average over its map, even when distorted"
    alt = f"the picture grown to activate {target}"
    picture = image_tag(sheet.tile(target.number), alt, kind="webp", title=title if tile.fires else "")
    words = "The large picture was grown by a computer" if tile.fires else "No grown picture makes this filter fire"
    return f'<figure class="grown">{picture}</figure>', f"{words}."


def _nine(target: Target) -> tuple[str, str]:
    """The photos of the shelf that excite the channel most, at the picture's scale, and what to say of them."""
    try:
        shelf = load_shelf()
        photos = cache.scaled_exemplars(shelf, target, BEST_PHOTOS)
    except ShelfError as error:
        return "", html.escape(sentence(error))
    shown = ""
    for exemplar, jpeg in photos:
        about = credit(vars(exemplar))
        caption = f"<figcaption>{written(exemplar.value, '.1f')}</figcaption>"
        shown += f"<figure>{image_tag(jpeg, about, title=about)}{caption}</figure>"
    few = "nine" if len(photos) == BEST_PHOTOS else len(photos)
    words = f"The photos are the {few} of {len(shelf.photos)} that excite it most, cut to what one value sees"
    return shown, f"{words}; below each, that value."


def _own(target: Target, digest: str) -> tuple[str, str]:
    """The visitor's photo with the map laid over it, and how it compares with the shelf's."""
    try:
        photo = find_photo(digest)
        if photo is None:
            return "", ""
        maps = cache.feature_maps(load_vgg16(SHEET_DEVICE), photo, target.layer, "network")
    except PhotoError as error:
        return "", html.escape(sentence(error))
    drawn = draw_map(maps, target.number)
    overlay = image_tag(drawn.overlay, f"where {target} responds on {whose(photo)}", px=MAP_PX, title=whose(photo))
    value = written(drawn.max, ".1f")
    words = f"Last: {whose(photo)}, lit where the filter responds{_rank(target, drawn.max)}."
    if drawn.max <= 0:
        words = f"Last: {whose(photo)}, where it does not respond at all{_rank(target, drawn.max)}."
    return f'<figure class="own">{overlay}<figcaption>{value}</figcaption></figure>', words


def _rank(target: Target, value: float) -> str:
    """Where a photo would stand among the shelf's, by its strongest value; "" if the shelf does not keep them all."""
    try:
        shelf = load_shelf()
        maxima = shelf.maxima(target)
    except ShelfError:
        return ""
    if maxima is None:
        return ""
    stronger = int((maxima > np.float16(value)).sum())  # they are kept as float16
    return f"; {f'{stronger} of' if stronger else 'none of'} the {len(shelf.photos)} photos excite it more"
