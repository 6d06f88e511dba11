"""What VGG16 sees in a photo: its groups, and one place in other layers."""

from collections.abc import Iterable, Sequence

from cnnvis.analysis.groups import Groups
from cnnvis.analysis.places import Entry
from cnnvis.network.architecture import Layer
from cnnvis.views.html import Tile, channel_button, image_at

GROUP_CHANNELS = 3  # shown below a group


def group_tiles(layer: Layer, groups: Groups, pictures: Sequence[str], tile: Tile) -> str:
    """The groups of a photo as buttons, with the addresses of their pictures, and their leading channels below."""
    shown = ""
    for number, (group, url) in enumerate(zip(groups.groups, pictures, strict=True), 1):
        words = f"group {number}: {100 * group.share:.0f} % of what {layer.name} sees here; grow what it stands for"
        about = f'data-group="group{number}" title="{words}" aria-label="{words}"'
        lit = f'<button type="button" {about}>{image_at(url)}</button>'
        channels = ""
        for member in group.channels[:GROUP_CHANNELS]:
            picture = image_at(tile(layer, member.channel)) or str(member.channel)
            channels += channel_button(picture, "wire", layer.name, member.channel, f"channel {member.channel}")
        shown += f"<section>{lit}<small>{100 * group.share:.0f} %</small><div>{channels}</div></section>"
    return f"""<h4>Groups <small>channels that rise and fall together: where, which, and their share; touch one to light
and grow it</small></h4><div class="groups">{shown}</div>"""


def through_layers(places: Iterable[tuple[Layer, Entry, tuple[int, int], str]], tile: Tile) -> str:
    """One place in several layers: of each its leading channel, and the address of the piece that its cell sees.

    The cell is the channel's strongest in the place: choosing a layer keeps it.
    """
    shown = ""
    for layer, entry, (row, column), piece in places:
        pictures = image_at(tile(layer, entry.channel)) + image_at(piece)
        words = f"{layer.name} channel {entry.channel}, {entry.above:.1f} standard deviations above usual: go there"
        inside = f"{pictures}<i>{layer.name} <b>{entry.channel}</b></i>"
        button = channel_button(inside, "wire", layer.name, entry.channel, words)
        shown += button.replace("<button ", f'<button data-row="{row}" data-column="{column}" ', 1)
    return f"""<h4>Here, from layer to layer <small>the leading channel of each, and the piece of the photo that it
sees</small></h4><div class="wires depths">{shown}</div>"""
