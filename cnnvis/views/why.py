"""Why a value is what it is, as a tree: each input with its picture, its patch of the photo, and what it adds."""

from collections.abc import Callable

from PIL import Image

from cnnvis.analysis.interventions import Ablated
from cnnvis.analysis.own_kernel import COLOURS
from cnnvis.analysis.patches import moved_inside
from cnnvis.analysis.why import Contribution, Why
from cnnvis.analysis.wiring import INPUT
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.views.figures import written
from cnnvis.views.html import TILE_PX, Address, Tile, channel_button, enlarged, image_at, picture_url

Patch = Callable[[tuple[int, int, int, int]], Address]  # the piece of a photo in a box of its 224 px


def why_tree(net: VGG16, explanation: Why, seen: Image.Image, tile: Tile, patch: Patch | None = None) -> str:
    """The tree as HTML, after the answer in short; `seen` is the 224 px photo. Its rows open at a touch.

    `patch` gives the addresses of the photo's pieces, where they do not lie in the HTML.
    """
    patch = patch or (lambda box: picture_url(enlarged(seen.crop(box), TILE_PX)))
    tree = _branches(net, explanation, patch, tile)
    whole = f'<details class="quiet"><summary>The whole sum</summary><p>{sum_in_words(net, explanation)}</p></details>'
    return f'<p class="why-sum">{in_short(net, explanation)}</p><div class="tree">{tree}</div>{whole}'


def in_short(net: VGG16, explanation: Why) -> str:
    """Which channels make most of a value, in one sentence."""
    head = f"{explanation.layer} channel {explanation.channel} is <b>{written(explanation.value)}</b> here"
    parts = [part for part in explanation.contributions if part.adds > 0]
    if explanation.value <= 0:
        return f"{head}, so the ReLU makes it zero. These channels of the layer before move it most."
    if not parts:
        return f"{head}, from many small contributions."
    named = [_short(part).removeprefix("channel ") for part in parts]
    listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    many = "Channels" if len(parts) > 1 else "Channel"
    share = 100 * sum(part.adds for part in parts) / explanation.value
    others = conv_module(net, net.architecture.find(explanation.layer)).in_channels - len(parts)
    who = listed if explanation.contributions[0].layer == INPUT else f"{many} {listed}"
    verb = "makes" if len(parts) == 1 else "make"
    if share > 100:
        return f"{head}. {who} {verb} {share:.0f} % of that; others take some of it away again."
    return f"{head}. {who} {verb} {share:.0f} % of that; {others} others and the bias make the rest."


def sum_in_words(net: VGG16, explanation: Why) -> str:
    """The sum in words: conv4_1 channel 12 is 8.1 here: +5.2 from channel 310, …, and 509 others +2.0."""
    named = ", ".join(f"{_adds(part)} from {_short(part)}" for part in explanation.contributions)
    inputs = conv_module(net, net.architecture.find(explanation.layer)).in_channels
    others = inputs - len(explanation.contributions)
    rest = f", and {others} others <b>{written(explanation.rest, '+.3g')}</b>" if others else ""
    head = f"{explanation.layer} channel {explanation.channel} is <b>{written(explanation.value)}</b> here"
    return f"{head}: {named}{rest}; its bias {written(explanation.bias, '+.3g')}."


def silenced_words(ablated: Ablated) -> str:
    """What silencing did, in words."""
    count = sum(map(len, ablated.silenced.values()))
    if not count:
        return "The tree is not deep enough here to silence anything."
    named = f"Without the {count} channels of {' and '.join(ablated.silenced)} that the tree names"
    without, value, random = (written(value) for value in (ablated.without, ablated.value, ablated.without_random))
    others = f"Without as many random channels, it is {random} (mean of {ablated.draws} draws)"
    return f"{named}, the value is <b>{without}</b> instead of {value}. {others}."


def _adds(part: Contribution) -> str:
    return f"<b>{written(part.adds, '+.3g')}</b>"


def _short(part: Contribution) -> str:
    return COLOURS[part.channel] if part.layer == INPUT else f"channel {part.channel}"


def _branches(net: VGG16, above: Why | Contribution, patch: Patch, tile: Tile, is_open: bool = True) -> str:
    """What a value is made of, as a list; below its first level each part is opened by a touch."""
    if not above.contributions:
        return ""
    rows = f"<ul>{''.join(_branch(net, part, above.value, patch, tile) for part in above.contributions)}</ul>"
    return rows if is_open else f"<details><summary>What makes it</summary>{rows}</details>"


def _branch(net: VGG16, part: Contribution, value: float, patch: Patch, tile: Tile) -> str:
    """One input of a value: what share of it the input makes, or takes away."""
    share = f"{written(100 * part.adds / value, '+.0f')} %" if value > 0 else _adds(part)
    if part.layer == INPUT:
        return f"<li><span class='node'><b>{share}</b> from {_short(part)}</span></li>"
    layer = net.architecture.find(part.layer)
    words = f"<b>{share}</b> from {part.layer} {part.channel}<i>its value {written(part.value)}</i>"
    piece = patch(moved_inside(layer.field(part.row, part.column), PHOTO_SIDE))
    inside = f"{image_at(tile(layer, part.channel))}{image_at(piece)}<span>{words}</span>"
    name = f"{part.layer} channel {part.channel} adds {written(part.adds, '+.3g')}; its value is {written(part.value)}"
    button = channel_button(inside, "node", part.layer, part.channel, name)
    return f"<li>{button}{_branches(net, part, patch, tile, is_open=False)}</li>"
