"""Why a value is what it is, as a tree: each input with its picture, its patch of the photo, and what it adds."""

from collections.abc import Sequence

from PIL import Image

from cnnvis.analysis.interventions import Ablated
from cnnvis.analysis.patches import moved_inside
from cnnvis.analysis.why import Contribution, Why
from cnnvis.analysis.wiring import INPUT
from cnnvis.errors import AtlasError
from cnnvis.network.architecture import Layer
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.wiring import COLOURS
from cnnvis.ui.serving import cache

COUNT, DEPTH = 3, 3
SMALL_PX = 56


def why_tree(net: VGG16, found: Why, seen: Image.Image) -> str:
    """The tree as HTML, after one sentence that sums it up; `seen` is the 224 px photo."""
    tree = _list(net, found.contributions, seen)
    return f'<p class="why-sum">{sum_in_words(net, found)}</p><div class="tree">{tree}</div>'


def sum_in_words(net: VGG16, found: Why) -> str:
    """The sum in words: conv4_1 channel 12 says 8.1 here: +5.2 from channel 310, …, and 509 others +2.0."""
    named = ", ".join(f"<b>{written(one.adds, '+.3g')}</b> from {_short(one)}" for one in found.contributions)
    others = conv_module(net, net.architecture.find(found.layer)).in_channels - len(found.contributions)
    rest = f", and {others} others <b>{written(found.rest, '+.3g')}</b>" if others else ""
    head = f"{found.layer} channel {found.channel} says <b>{written(found.value)}</b> here"
    return f"{head}: {named}{rest}; its bias {written(found.bias, '+.3g')}."


def silenced_words(found: Ablated) -> str:
    """What silencing did, in a sentence."""
    count = sum(map(len, found.silenced.values()))
    if not count:
        return "The tree is not deep enough here to silence anything."
    layers = " and ".join(found.silenced)
    before = f"Without the {count} channels of {layers} that the tree names, the value is"
    random = f"without as many random ones {written(found.without_random)} (mean of {found.draws} draws)"
    return f"{before} <b>{written(found.without)}</b> instead of {written(found.value)}; {random}."


def _short(one: Contribution) -> str:
    return COLOURS[one.channel] if one.layer == INPUT else f"channel {one.channel}"


def _list(net: VGG16, inputs: Sequence[Contribution], seen: Image.Image) -> str:
    return f"<ul>{''.join(_item(net, one, seen) for one in inputs)}</ul>" if inputs else ""


def _item(net: VGG16, one: Contribution, seen: Image.Image) -> str:
    if one.layer == INPUT:
        words = f"<b>{written(one.adds, '+.3g')}</b> from {COLOURS[one.channel]}"
        return f"<li><span class='node'>{words}</span></li>"
    layer = net.architecture.find(one.layer)
    words = f"<b>{written(one.adds, '+.3g')}</b> from {one.layer} {one.channel}<i>its value {written(one.value)}</i>"
    about = f'data-layer="{one.layer}" data-channel="{one.channel}"'
    name = f"{one.layer} channel {one.channel} adds {written(one.adds, '+.3g')}; its value is {written(one.value)}"
    button = f'<button type="button" class="node" {about} title="{name}" aria-label="{name}">'
    pictures = _tile(layer, one.channel) + _patch(layer, one, seen)
    return f"<li>{button}{pictures}<span>{words}</span></button>{_list(net, one.contributions, seen)}</li>"


def _tile(layer: Layer, channel: int) -> str:
    try:
        return image_tag(cache.atlas_sheet(layer).tile(channel), px=SMALL_PX)
    except AtlasError:
        return ""


def _patch(layer: Layer, one: Contribution, seen: Image.Image) -> str:
    return image_tag(seen.crop(moved_inside(layer.field(one.row, one.column), PHOTO_SIDE)), px=SMALL_PX)
