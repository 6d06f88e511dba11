"""A card of what the page shows, to download: of channel or concept, or in the tab Feature maps of the kept place."""

import html
from dataclasses import replace
from typing import Any

from cnnvis.analysis.places import cells_aside, check_places, grid, look_up
from cnnvis.checks import whole_number
from cnnvis.export.card import NAMED, SOMEBODYS, TREE_DEPTH, made_card
from cnnvis.network.architecture import Target, convolution
from cnnvis.pictures.photo import open_photo
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.subject import subject_of
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_at, file_url
from cnnvis.ui.serving.handlers import readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.views.card import Frame, Looks, Shown, few, of_place
from cnnvis.views.channel import Own
from cnnvis.views.known import Seen, leading
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
    frames: list[Frame] = []
    at = [int(cell) // cells_aside(target.layer) for cell in (row, column) if cell is not None]
    if choice.tab == "maps" and photo and len(at) == 2 and max(at) < grid(target.layer):
        shown, what = _place(target, photo, at), f"place-{at[0]}-{at[1]}"
    else:
        subject = subject_of(choice)
        shown = subject.card(_authors(subject.own(photo.digest if photo else ""), photo), _credit(photo))
        what, frames = subject.target.short, _frames(picked, subject.target)
    card, name = made_card(shown, Looks(live=check_live(link), frames=frames)), f"{target.layer.name}-{what}.html"
    file = card.html.encode()
    url = html.escape(file_url(bytes_file(file, name)))
    return f'<a href="{url}" download="{name}">{name} ({len(file) // 1000} kB)</a>'


def _place(target: Target, photo: StoredPhoto, at: list[int]) -> Shown:
    page, layer = cache.source(), target.layer
    check_places(page.net, layer.name)
    places = cache.places(page.net, photo, layer)
    place = look_up(places, at[0], at[1], NAMED)
    cell = place.cell[0], place.cell[1]
    leads = cache.explained(page.net, photo, leading(layer, place), cell, TREE_DEPTH)
    return of_place(page, Seen(places, place, cache.leading(page.net, photo), leads), _credit(photo))


def _frames(picked: Any, target: Target) -> list[Frame]:
    """How the target grew, if that is what grew last, from the pictures that the browser names."""
    grown = picked.get("grown") if isinstance(picked, dict) else None
    if not isinstance(grown, dict) or grown.get("names") != [str(target)]:
        return []
    frames, steps = [], whole_number(grown.get("steps"))
    for step, url in few(grown.get("frames") or []):
        path = file_at(url)
        if path:  # it is deleted two hours after its last use
            frames.append(Frame(f"step {whole_number(step)} of {steps}", open_photo(path)))
    return frames


def _authors(own: Own | str, photo: StoredPhoto | None) -> Own | str:
    """A visitor's photo as whoever reads the card sees it: to them it is not theirs."""
    return replace(own, whose=SOMEBODYS) if isinstance(own, Own) and photo and not photo.name else own


def _credit(photo: StoredPhoto | None) -> str:
    if photo is None:
        return ""
    return f"{photo.title} ({photo.credit})" if photo.title else photo.credit
