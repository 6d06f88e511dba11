"""One filter whole: its picture beside the photos that excite it, its kernels, its map on the photo, and where next."""

import html

from PIL import Image

from cnnvis.analysis.maps import Maps, draw_map
from cnnvis.errors import AtlasError, PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import encode
from cnnvis.prepared.atlas import AtlasTile
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.tiles import is_outlined, picture_px
from cnnvis.ui.parts.exemplars import credit
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.wiring import reads_row
from cnnvis.ui.serving import cache as cached
from cnnvis.ui.serving.files import bytes_url
from cnnvis.ui.serving.gpu import LIGHT_DEVICE
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import find_photo

PHOTOS = 9
WIRES = 5
MAP_PX = 112
NEXT = (("maximize", "Grow it live"), ("maps", "On my photo"), ("filters", "Its weights"))


def whole_filter(target: Target, photo: str) -> str:
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
        found = cached.atlas_sheet(target.layer)
        tile = found.tiles[target.number]
        picture = bytes_url(encode(found.tile(target.number), "webp"), "webp")
        alt = f"the picture grown to activate {target}"
        shown += f'<figure class="grown"><img src="{picture}" alt="{alt}"><figcaption>grown</figcaption></figure>'
        words.append(_of_tile(tile))
    except AtlasError as error:
        words.append(html.escape(sentence(error)))
    try:
        shelf = load_shelf()
        photos = cached.scaled_exemplars(shelf, target, PHOTOS)
        for one, jpeg in photos:
            about = html.escape(credit(vars(one)), quote=True)
            shown += f'<figure><img src="{bytes_url(jpeg, "jpeg")}" alt="{about}" title="{about}">'
            shown += f"<figcaption>{written(one.value, '.1f')}</figcaption></figure>"
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
    net = load_vgg16(LIGHT_DEVICE)
    try:
        photo = find_photo(digest)
        if photo is None:
            return ""
        maps: Maps = cached.feature_maps(net, photo, target.layer, "network")
    except PhotoError as error:
        return f'<p class="quiet">{html.escape(sentence(error))}</p>'
    mine = draw_map(maps, target.number)
    most = f"at most {written(mine.max, '.1f')}, on average {written(mine.mean, '.1f')}"
    words = f"On the chosen photo: {most}{'' if mine.max > 0 else ', so nothing passes its ReLU'}."
    pictures = (_small(maps.photo, "the chosen photo"), _small(mine.overlay, f"where {target} answers on it"))
    return f'<div class="on-photo">{"".join(pictures)}<p class="quiet">{words}</p></div>'


def _small(picture: Image.Image, alt: str) -> str:
    small = picture.resize((MAP_PX, MAP_PX), Image.Resampling.BICUBIC)
    return f'<img src="{bytes_url(encode(small, "jpeg"), "jpeg")}" alt="{alt}">'
