"""One filter whole: its picture beside the photos that excite it, its kernels, its map on the photo, and where next."""

import html

from cnnvis.analysis.maps import Maps, draw_map
from cnnvis.errors import AtlasError, PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.atlas import AtlasTile
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.tiles import is_outlined, picture_px
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.exemplars import credit
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.wiring import reads_row
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import find_photo

PHOTOS = 9
WIRES = 5
MAP_PX = 112
NEXT = (("maximize", "Grow it live"), ("maps", "On my photo"), ("filters", "Its weights"))


def channel_view(target: Target, photo: str) -> str:
    """Everything about a channel on one screen, as HTML; `photo` is the digest of the visitor's photo."""
    target = convolution(target)
    return f"""<h3 class="visually-hidden">{target}</h3>
{_pictures(target)}
<h4>What it reads: its strongest kernels, and the channels behind them</h4>
{reads_row(target, WIRES)}
{_on_photo(target, photo)}
<p class="next">{"".join(f'<button type="button" data-go="{tab}">{words}</button>' for tab, words in NEXT)}</p>"""


def _pictures(target: Target) -> str:
    """The atlas's picture and the best photos at one scale, and what they say of the channel in words."""
    px, words, shown = picture_px(target.layer), [], ""
    try:
        found = cache.atlas_sheet(target.layer)
        tile = found.tiles[target.number]
        picture = image_tag(found.tile(target.number), f"the picture grown to activate {target}", kind="webp")
        shown += f'<figure class="grown">{picture}<figcaption>grown</figcaption></figure>'
        words.append(_of_tile(tile))
    except AtlasError as error:
        words.append(html.escape(sentence(error)))
    try:
        shelf = load_shelf()
        photos = cache.scaled_exemplars(shelf, target, PHOTOS)
        for one, jpeg in photos:
            about = credit(vars(one))
            picture = image_tag(jpeg, about, title=about)
            shown += f"<figure>{picture}<figcaption>{written(one.value, '.1f')}</figcaption></figure>"
        best = photos[0][0]
        above = f"{best.deviations:.1f} standard deviations above its usual maximum"
        words.append(f"The best photo: {written(best.value, '.1f')} at its strongest place, {above}.")
    except ShelfError as error:
        words.append(html.escape(sentence(error)))
    size = f"All at one scale, {px} px across"
    if is_outlined(target.layer):
        size += f"; one value sees the {target.layer.receptive_field} px outlined"
    return f'<div class="scale">{shown}</div><p class="quiet">{size}. {" ".join(words)}</p>'


def _of_tile(tile: AtlasTile) -> str:
    if not tile.fires:
        return "No grown picture makes it fire."
    return f"The grown picture: {written(tile.robust, '.1f')} over its whole map, even distorted."


def _on_photo(target: Target, digest: str) -> str:
    """The channel's map on the visitor's photo, beside what the network saw of it."""
    net = load_vgg16(SHEET_DEVICE)
    try:
        photo = find_photo(digest)
        if photo is None:
            return ""
        maps: Maps = cache.feature_maps(net, photo, target.layer, "network")
    except PhotoError as error:
        return f'<p class="quiet">{html.escape(sentence(error))}</p>'
    mine = draw_map(maps, target.number)
    most = f"at most {written(mine.max, '.1f')}, on average {written(mine.mean, '.1f')}"
    words = f"On the chosen photo: {most}{'' if mine.max > 0 else ', so nothing passes its ReLU'}."
    seen = image_tag(maps.photo, "the chosen photo", px=MAP_PX)
    where = image_tag(mine.overlay, f"where {target} responds on it", px=MAP_PX)
    return f'<div class="on-photo">{seen}{where}<p class="quiet">{words}</p></div>'
