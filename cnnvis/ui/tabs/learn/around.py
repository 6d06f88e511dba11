"""What surrounds a convolution on the page, each on the visitor's photo: ReLU, pooling, and what a layer sees."""

from PIL import Image

from cnnvis.analysis.around import Pooled, Seen, Surroundings, follow, last_of_block
from cnnvis.network.architecture import ARCHITECTURE, Layer
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import StoredPhoto
from cnnvis.ui.texts import ABOUT_FIELD, ABOUT_POOLING, ABOUT_RELU
from cnnvis.views.figures import digits, map_figure, square
from cnnvis.views.html import picture_url

RIM_PX = 2  # around the fields, where they reach beyond the photo


def around_here(choice: Choice, photo: StoredPhoto, cell: tuple[int, int]) -> str:
    """Three sections as HTML, for a cell of the chosen convolution's map."""
    net, layer = load_vgg16(SHEET_DEVICE), ARCHITECTURE.convolution_of(choice.layer)
    maps = cache.feature_maps(net, photo, layer, "network")
    last = cache.feature_maps(net, photo, last_of_block(ARCHITECTURE, layer), "network")
    around = follow(ARCHITECTURE, maps, last, choice.channel, cell)
    return f'<div class="around">{_relu(around)}{_pool(around, around.pooled)}{_fields(around.seen, maps.photo)}</div>'


def _relu(around: Surroundings) -> str:
    rectified, name = around.rectified, f"{around.layer} channel {around.channel}"
    values, at = rectified.map, (around.row, around.column, 1)
    scale = float(values.abs().max())
    pictures = map_figure(values, f"the map of {name} before ReLU", "before: blue is below zero", scale, at)
    pictures += map_figure(values.clamp_min(0), f"the map of {name} after ReLU", "after", scale, at)
    before, after = digits(rectified.before), digits(rectified.after)
    words = f"""At row {around.row}, column {around.column}: <b>{before}</b> before,
<b id="relu-after">{after}</b> after. ReLU cuts <b>{100 * rectified.cut:.1f} %</b> of the map."""
    return _section("ReLU", ABOUT_RELU, f'<p class="sum">{words}</p><div class="map-figures">{pictures}</div>')


def _pool(around: Surroundings, pooled: Pooled) -> str:
    row, column = pooled.winner
    kept = f"{pooled.layer}, row {pooled.row}, column {pooled.column}: <b id='pooled'>{digits(pooled.value)}</b>"
    won = f"won by row {row}, column {column}" if pooled.value else "since all four are 0"
    channel, between = f"channel {around.channel}", ""
    if pooled.convolution != around.layer:
        between = f"""<p class="sum">{around.layer} is not the last convolution of its block, so no pool reads its map.
These are values of <b>{pooled.convolution}</b> at the same cell, of its {channel}: a different filter.</p>"""
    scale, pictures = float(pooled.read.max()), ""
    for values, name, side in ((pooled.read, f"{pooled.convolution} {channel} after ReLU", 2),
                               (pooled.map, f"{pooled.layer} {channel}", 1)):  # fmt: skip
        at, caption = (side * pooled.row, side * pooled.column, side), "{} × {}".format(*values.shape)
        pictures += map_figure(values, f"the map of {name}", caption, scale, at)
    marked = [(row % 2, column % 2)] if pooled.value else []
    squares = square(f"{pooled.convolution} after ReLU", pooled.values, marked)
    inside = f'{between}<div class="product"><div>{squares}<p class="sum">{kept}, {won}.</p></div></div>'
    return _section("Pooling", ABOUT_POOLING, f'{inside}<div class="map-figures">{pictures}</div>')


def _fields(seen: list[Seen], photo: Image.Image) -> str:
    layer, beyond = seen[-1].layer, seen[-1].beyond
    words = f"One value of {layer.name} sees <b>{layer.receptive_field} × {layer.receptive_field} px</b> of the photo."
    if beyond:
        words += f""" Here, <b>{100 * beyond:.0f} %</b> of that lies beyond the photo (grey), where each convolution
reads padding: zeros."""
    sizes = "".join(_field_size(field.layer) for field in seen)
    inside = f'<p class="sum">{words}</p>{_drawing(seen, photo)}<ul class="field-sizes">{sizes}</ul>'
    return _section("What a layer sees", ABOUT_FIELD, inside)


def _field_size(layer: Layer) -> str:
    return f'<li class="field-{layer.block}"><i></i>{layer.name} <b>{layer.receptive_field} px</b></li>'


def _drawing(seen: list[Seen], photo: Image.Image) -> str:
    """The photo with a box for each convolution, and room for what lies beyond it."""
    left, top, right, bottom = seen[-1].box  # every other lies within
    left, top = min(0, left - RIM_PX), min(0, top - RIM_PX)
    across, down = max(PHOTO_SIDE, right + RIM_PX) - left, max(PHOTO_SIDE, bottom + RIM_PX) - top
    label = f"The photo with a box for each convolution up to {seen[-1].layer.name}, one within the other"
    picture = f'<image href="{picture_url(photo)}" width="{PHOTO_SIDE}" height="{PHOTO_SIDE}"/>'
    boxes = "".join(_box(field.layer, *field.box) for field in reversed(seen))
    return f"""<svg class="fields" role="img" aria-label="{label}" viewBox="{left} {top} {across} {down}">
{picture}{boxes}</svg>"""


def _box(layer: Layer, left: int, top: int, right: int, bottom: int) -> str:
    about = f'x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"'
    return f'<rect class="under" {about}/><rect class="field-{layer.block}" {about}/>'


def _section(heading: str, about: str, inside: str) -> str:
    return f'<section><h3>{heading}</h3><div class="quiet">{about}</div>{inside}</section>'
