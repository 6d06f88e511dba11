"""The steps around a convolution on the page, each on the visitor's photo: ReLU, pooling, and what a layer sees."""

from PIL import Image

from cnnvis.analysis.around import Seen, Surroundings, follow, last_of_block
from cnnvis.network.architecture import ARCHITECTURE, Layer
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import digits, map_figure, square
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import picture_url
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.photos import StoredPhoto
from cnnvis.ui.texts import ABOUT_FIELD, ABOUT_POOLING, ABOUT_RELU

RIM_PX = 2  # around the fields, where they reach beyond the photo


def around_here(choice: Choice, photo: StoredPhoto, place: tuple[int, int]) -> str:
    """Three sections as HTML, for a place of the chosen convolution's map."""
    net, layer = load_vgg16(SHEET_DEVICE), ARCHITECTURE.convolution_of(choice.layer)
    maps = cache.feature_maps(net, photo, layer, "network")
    last = cache.feature_maps(net, photo, last_of_block(ARCHITECTURE, layer), "network")
    found = follow(ARCHITECTURE, maps, last, choice.channel, place)
    return f'<div class="steps">{_relu(found)}{_pool(found)}{_fields(found.seen, maps.photo)}</div>'


def _relu(found: Surroundings) -> str:
    one, name = found.rectified, f"{found.layer} channel {found.channel}"
    scale, at = float(one.map.abs().max()), (found.row, found.column, 1)
    pictures = map_figure(one.map, f"the map of {name} before ReLU", "before: blue is below zero", scale, at)
    pictures += map_figure(one.map.clamp_min(0), f"the map of {name} after ReLU", "after", scale, at)
    here = f"row {found.row}, column {found.column}"
    words = f"""At {here}: <b>{digits(one.before)}</b> before, <b id="relu-after">{digits(one.after)}</b> after.
ReLU cuts <b>{100 * one.cut:.1f} %</b> of the map."""
    return _section("ReLU", ABOUT_RELU, f'<p class="sum">{words}</p><div class="map-figures">{pictures}</div>')


def _pool(found: Surroundings) -> str:
    one = found.pooled
    row, column = one.winner
    kept = f"{one.layer}, row {one.row}, column {one.column}: <b id='pooled'>{digits(one.value)}</b>"
    won = f"won by row {row}, column {column}" if one.value else "since all four are 0"
    between = ""
    if one.convolution != found.layer:
        between = f"""<p class="sum">{found.layer} is not the last convolution of its block, so no pool reads its map.
These are values of <b>{one.convolution}</b> at the same place: channel {found.channel} of it, another filter.</p>"""
    name, scale = f"{one.convolution} channel {found.channel}", float(one.read.max())
    sizes = ["{} × {}".format(*shown.shape) for shown in (one.read, one.map)]
    pictures = map_figure(one.read, f"the map of {name} after ReLU", sizes[0], scale, (2 * one.row, 2 * one.column, 2))
    alt = f"the map of {one.layer} channel {found.channel}"
    pictures += map_figure(one.map, alt, sizes[1], scale, (one.row, one.column, 1))
    marked = [(row % 2, column % 2)] if one.value else []
    squares = square(f"{one.convolution} after ReLU", one.values, marked)
    inside = f'{between}<div class="product"><div>{squares}<p class="sum">{kept}, {won}.</p></div></div>'
    return _section("Pooling", ABOUT_POOLING, f'{inside}<div class="map-figures">{pictures}</div>')


def _fields(seen: list[Seen], photo: Image.Image) -> str:
    mine, size = seen[-1], seen[-1].layer.receptive_field
    words = f"One value of {mine.layer.name} sees <b>{size} × {size} px</b> of the photo."
    if mine.beyond:
        words += f""" Here <b>{100 * mine.beyond:.0f} %</b> of that lies beyond the photo (grey). There each convolution
reads padding: zeros."""
    sizes = "".join(
        f'<li class="field-{one.layer.block}"><i></i>{one.layer.name} <b>{one.layer.receptive_field} px</b></li>'
        for one in seen
    )
    inside = f'<p class="sum">{words}</p>{_drawing(seen, photo)}<ul class="field-sizes">{sizes}</ul>'
    return _section("What a layer sees", ABOUT_FIELD, inside)


def _drawing(seen: list[Seen], photo: Image.Image) -> str:
    """The photo with a box for each convolution, and room for what lies beyond it."""
    left, top, right, bottom = seen[-1].box  # every other lies within
    left, top = min(0, left - RIM_PX), min(0, top - RIM_PX)
    across, down = max(PHOTO_SIDE, right + RIM_PX) - left, max(PHOTO_SIDE, bottom + RIM_PX) - top
    label = f"The photo with a box for each convolution up to {seen[-1].layer.name}, one within the other"
    picture = f'<image href="{picture_url(photo)}" width="{PHOTO_SIDE}" height="{PHOTO_SIDE}"/>'
    drawn = "".join(_box(one.layer, one.box) for one in reversed(seen))
    return f"""<svg class="fields" role="img" aria-label="{label}" viewBox="{left} {top} {across} {down}">
{picture}{drawn}</svg>"""


def _box(layer: Layer, box: tuple[int, int, int, int]) -> str:
    left, top, right, bottom = box
    about = f'x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"'
    return f'<rect class="under" {about}/><rect class="field-{layer.block}" {about}/>'


def _section(heading: str, about: str, inside: str) -> str:
    return f'<section><h3>{heading}</h3><p class="quiet">{about}</p>{inside}</section>'
