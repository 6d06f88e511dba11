"""What VGG16 sees in a photo: its groups, and one place in other layers."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cnnvis.analysis.groups import Group
from cnnvis.analysis.places import Dictionary, Entry
from cnnvis.network.architecture import Layer
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.shelf import Exemplar
from cnnvis.views.exemplars import credit
from cnnvis.views.figures import written
from cnnvis.views.html import Address, Tile, channel_button, image_at

GROUP_CHANNELS = 3  # shown below a group


def group_tiles(layer: Layer, groups: Sequence[Group], pictures: Sequence[str], tile: Tile, grows: bool = True) -> str:
    """The groups of a photo as buttons, with the addresses of their pictures, and their leading channels below.

    `grows` says whether what a group stands for can be grown.
    """
    shown, offer = "", "grow what it stands for" if grows else "light it"
    for number, (group, url) in enumerate(zip(groups, pictures, strict=True), 1):
        words = f"group {number}: {100 * group.share:.0f} % of what {layer.name} sees here; {offer}"
        about = f'data-group="group{number}" title="{words}" aria-label="{words}"'
        lit = f'<button type="button" {about}>{image_at(url)}</button>'
        channels = ""
        for member in group.channels[:GROUP_CHANNELS]:
            picture = image_at(tile(layer, member.channel)) or str(member.channel)
            channels += channel_button(picture, "wire", layer.name, member.channel, f"channel {member.channel}")
        shown += f"<section>{lit}<small>{100 * group.share:.0f} %</small><div>{channels}</div></section>"
    return f"""<h4>Groups <small>channels that rise and fall together: where, which, and their share; touch one to light
{"and grow it" if grows else "it"}</small></h4><div class="groups">{shown}</div>"""


@dataclass(frozen=True)
class Named:
    """One channel of a place, with the address of its picture and the photo of the shelf that excites it most."""

    entry: Entry
    picture: Address
    best: tuple[Exemplar, Address] | None


def place_view(place: Dictionary, photo: str, named: Iterable[Named]) -> str:
    """One place on its photo, and what stands out there; `photo` is the address of the 224 px that the network saw."""
    left, top, right, bottom = (100 * edge / PHOTO_SIDE for edge in place.box)
    style = f"left: {left:.2f}%; top: {top:.2f}%; width: {right - left:.2f}%; height: {bottom - top:.2f}%"
    at = f"row {place.row}, column {place.column}"
    marked = f'{image_at(photo, f"the photo; {at} is marked")}<i class="place-cursor" style="{style}"></i>'
    where = f'<figure><div class="place">{marked}</div><figcaption>{at}</figcaption></figure>'
    return f"""<h3 class="visually-hidden">{place.layer}, {at}</h3><div class="place-beside">{where}
<section><h4>Here <small>what is most above usual, in standard deviations on the shelf's photos</small></h4>
{entries(place.layer, named)}</section></div>"""


def entries(layer: str, named: Iterable[Named]) -> str:
    """What stands out at a place, as buttons."""
    return f'<div class="dict">{"".join(_entry(layer, one) for one in named)}</div>'


def _entry(layer: str, named: Named) -> str:
    """A channel with its picture, its best photo, and how far it is above usual."""
    channel, above = named.entry.channel, written(named.entry.above, ".1f")
    by = f"; beside its picture {credit(vars(named.best[0]))}" if named.best else ""
    words = html.escape(f"channel {channel}: {above} standard deviations above what is usual for it{by}")
    pictures = image_at(named.picture) + (image_at(named.best[1]) if named.best else "")
    return channel_button(f"{pictures}<span>{channel} · {above}</span>", "entry", layer, channel, words)


@dataclass(frozen=True)
class Leading:
    """The leading channel of a place in one layer."""

    layer: Layer
    channel: int
    above: float  # its usual, in standard deviations
    cell: tuple[int, int]  # its strongest in the place
    piece: str  # the address of what that cell sees of the photo


def through_layers(places: Iterable[Leading], tile: Tile) -> str:
    """One place in several layers; choosing one keeps the place."""
    shown = ""
    for at in places:
        name = at.layer.name
        pictures = image_at(tile(at.layer, at.channel)) + image_at(at.piece)
        words = f"{name} channel {at.channel}, {at.above:.1f} standard deviations above usual: go there"
        inside = f"{pictures}<i>{name} <b>{at.channel}</b></i>"
        shown += channel_button(inside, "wire", name, at.channel, words, at.cell)
    return f"""<h4>Here, from layer to layer <small>the leading channel of each, and the piece of the photo that it
sees</small></h4><div class="wires depths">{shown}</div>"""
