"""A card of what the page shows, to download: in the tab Feature maps of the chosen place, else of the channel."""

import html
from dataclasses import replace
from typing import Any

from cnnvis.analysis.places import cells_aside, check_places, grid, look_up
from cnnvis.export.card import NAMED, SOMEBODYS, TREE_DEPTH, Card, Seen, channel_card, leading, place_card
from cnnvis.network.architecture import Target, convolution
from cnnvis.ui.parts.channel import own_map, source
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url
from cnnvis.ui.serving.handlers import readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.views.card import Looks
from cnnvis.views.channel import Own
from cnnvis.views.still import check_live


@readable_errors
def card_link(picked: Any, digest: str, row: float | None, column: float | None, agreed: bool, link: str) -> str:
    """Make the card and return a link that downloads it, as HTML.

    A visitor's own photo goes in only if they have `agreed`; `link` is the address of the view, whose page the card
    links to.
    """
    choice, photo = Choice.read(picked), find_photo(digest)
    if photo and not photo.name and not agreed:
        photo = None
    target = convolution(choice.target)
    at = [int(cell) // cells_aside(target.layer) for cell in (row, column) if cell is not None]
    if choice.tab == "maps" and photo and len(at) == 2 and max(at) < grid(target.layer):
        made, name = _of_place(target, photo, at, link), f"{target.layer.name}-place-{at[0]}-{at[1]}.html"
    else:
        own = own_map(target, photo.digest if photo else "")
        if isinstance(own, Own) and photo and not photo.name:
            own = replace(own, whose=SOMEBODYS)  # to whoever reads the card it is not theirs
        made = channel_card(source(), target, own, _looks(link), _credit(photo))
        name = f"{target.layer.name}-{target.number}.html"
    file = made.html.encode()
    url = file_url(bytes_file(file, name))
    return f'<a href="{html.escape(url)}" download="{name}">{name} ({len(file) // 1000} kB)</a>'


def _of_place(target: Target, photo: StoredPhoto, at: list[int], link: str) -> Card:
    page, layer = source(), target.layer
    check_places(page.net, layer.name)
    places = cache.places(page.net, photo, layer)
    place = look_up(places, at[0], at[1], NAMED)
    cell = place.cell[0], place.cell[1]
    leads = cache.explained(page.net, photo, leading(layer, place), cell, TREE_DEPTH)
    seen = Seen(places, place, cache.leading(page.net, photo), leads)
    return place_card(page, seen, _looks(link), _credit(photo))


def _looks(link: str) -> Looks:
    return Looks(live=check_live(link))


def _credit(photo: StoredPhoto | None) -> str:
    if photo is None:
        return ""
    return f"{photo.title} ({photo.credit})" if photo.title else photo.credit
