"""Everything about one filter: its picture beside the photos that excite it, its kernels, and its map on the photo."""

import html

from cnnvis.analysis.maps import draw_map
from cnnvis.errors import AtlasError, PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.atlas import AtlasTile
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.tiles import is_outlined, picture_px
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.exemplars import BEST_PHOTOS, credit
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.wiring import reads_row
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import find_photo

STRONGEST_READS = 5
PHOTO_MAP_PX = 112
NEXT = (("maximize", "Grow it live"), ("maps", "On my photo"), ("filters", "Its weights"))


def channel_view(target: Target, photo: str) -> str:
    """Everything about a channel on one screen, as HTML; `photo` is the digest of the visitor's photo."""
    target = convolution(target)
    return f"""<h3 class="visually-hidden">{target}</h3>
{_pictures(target)}
<h4>What it reads: its strongest kernels, and the channels behind them</h4>
{reads_row(target, STRONGEST_READS)}
{_on_photo(target, photo)}
<p class="next">{"".join(f'<button type="button" data-go="{tab}">{words}</button>' for tab, words in NEXT)}</p>"""


def _pictures(target: Target) -> str:
    """The atlas's picture and the best photos at one scale, and in words how strongly they excite the channel."""
    px, words, shown = picture_px(target.layer), [], ""
    try:
        sheet = cache.atlas_sheet(target.layer)
        picture = image_tag(sheet.tile(target.number), f"the picture grown to activate {target}", kind="webp")
        shown += f'<figure class="grown">{picture}<figcaption>grown</figcaption></figure>'
        words.append(_tile_words(sheet.tiles[target.number]))
    except AtlasError as error:
        words.append(html.escape(sentence(error)))
    try:
        photos = cache.scaled_exemplars(load_shelf(), target, BEST_PHOTOS)
        for exemplar, jpeg in photos:
            about = credit(vars(exemplar))
            caption = f"<figcaption>{written(exemplar.value, '.1f')}</figcaption>"
            shown += f"<figure>{image_tag(jpeg, about, title=about)}{caption}</figure>"
        best = photos[0][0]
        above = f"{best.deviations:.1f} standard deviations above the channel's usual maximum"
        words.append(f"The best photo: {written(best.value, '.1f')} at its strongest point, {above}.")
    except ShelfError as error:
        words.append(html.escape(sentence(error)))
    scale = f"All at one scale, {px} px across"
    if is_outlined(target.layer):
        scale += f"; one value sees the {target.layer.receptive_field} px outlined"
    return f'<div class="scale">{shown}</div><p class="quiet">{scale}. {" ".join(words)}</p>'


def _tile_words(tile: AtlasTile) -> str:
    if not tile.fires:
        return "No grown picture makes it fire."
    return f"The grown picture: {written(tile.robust, '.1f')} on average over its map, even when distorted."


def _on_photo(target: Target, digest: str) -> str:
    """The channel's map on the visitor's photo, beside what the network saw of it."""
    try:
        photo = find_photo(digest)
        if photo is None:
            return ""
        maps = cache.feature_maps(load_vgg16(SHEET_DEVICE), photo, target.layer, "network")
    except PhotoError as error:
        return f'<p class="quiet">{html.escape(sentence(error))}</p>'
    drawn = draw_map(maps, target.number)
    values = f"maximum {written(drawn.max, '.1f')}, mean {written(drawn.mean, '.1f')}"
    words = f"On the chosen photo: {values}{'' if drawn.max > 0 else ', so nothing passes its ReLU'}."
    seen = image_tag(maps.photo, "the chosen photo", px=PHOTO_MAP_PX)
    overlay = image_tag(drawn.overlay, f"where {target} responds on it", px=PHOTO_MAP_PX)
    return f'<div class="on-photo">{seen}{overlay}<p class="quiet">{words}</p></div>'
