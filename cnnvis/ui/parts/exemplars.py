"""The shelf on the page: the photos that excite the chosen channel most."""

import html
from collections.abc import Mapping
from typing import Any

import gradio as gr

from cnnvis.errors import PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.prepared.shelf import Exemplar, Shelf, load_shelf, spread
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.photo_buttons import photo_buttons
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import StoredPhoto, store_photo

BEST_PHOTOS = 9
SMALL = 3  # beside the channel's name
WHOLE_PX = 112  # side of a whole photo


def exemplar_row(target: Target) -> str:
    """The best nine as buttons, with their values and credits, as HTML; or why there are none."""
    try:
        shelf = load_shelf()
        found = cache.exemplar_tiles(shelf, convolution(target), BEST_PHOTOS)
    except ShelfError as error:
        return _quiet(sentence(error))
    who = convolution(target)
    head = f"<strong>The {len(found)} of {len(shelf.photos)} photos that excite {who} most</strong>."
    if found[0][0].value <= 0:
        head = f"<strong>None of {len(shelf.photos)} photos excites {who}</strong>; these come closest."
    note = (
        "Choose one to see its map. Below each: its value, and how many standard deviations that is above the channel's"
    )
    note += " usual maximum. A larger shelf may hold better ones."
    return f'<p>{head} {note}</p><div class="patches">{"".join(map(_button, range(len(found)), found))}</div>'


def best_three(choice: Choice) -> str:
    """The three best, small, as HTML; nothing without a shelf."""
    try:
        found = cache.exemplar_tiles(load_shelf(), convolution(choice.target), SMALL)
    except ShelfError:
        return ""
    target = convolution(choice.target)
    pictures = "".join(
        image_tag(jpeg, f"a photo's patch that excites {target}: {_credit(one)}", title=_credit(one))
        for one, jpeg in found
    )
    return f'<div class="best-three">{pictures}</div>'


def weaker_photos(target: Target) -> str:
    """Photos at some percentiles of the channel's maxima, and the histogram of all, as HTML."""
    target = convolution(target)
    try:
        shelf = load_shelf()
        found = spread(shelf, target)
    except ShelfError as error:
        return _quiet(sentence(error))
    if found is None:
        return _quiet("This shelf is too large to keep the maximum of every photo: it knows the strongest ones only.")
    figures = []
    for percentile, number, value in zip(found.percentiles, found.photos, found.values, strict=True):
        about = credit(shelf.photos[number])
        try:
            picture = image_tag(shelf.open(number), about, px=WHOLE_PX, title=about)
        except PhotoError:
            picture = "<p>this photo has gone</p>"
        name = "strongest" if percentile == 100 else f"{percentile}th percentile"
        figures.append(f"<figure>{picture}<figcaption>{name}: {written(value, '.2f')}</figcaption></figure>")
    where = f"on each of {len(shelf.photos)} photos, from {written(found.low, '.1f')} to {written(found.high, '.1f')}"
    words = f"The largest value of {target} {where}"
    return f'<div class="patches whole">{"".join(figures)}</div>{_histogram(found.counts, words)}{_quiet(f"{words}.")}'


def _histogram(counts: list[int], words: str) -> str:
    """Bars as an SVG."""
    bars = ""
    for i, count in enumerate(counts):
        high = 100 * count / max(counts)
        bars += f'<rect x="{10 * i}" y="{100 - high:.1f}" width="9" height="{high:.1f}"/>'
    box = f'viewBox="0 0 {10 * len(counts)} 100" preserveAspectRatio="none"'
    return f'<svg class="histogram" {box} role="img" aria-label="{words}">{bars}</svg>'


def exemplar_buttons(picture: gr.Image, digest: gr.Textbox, layer_picker: gr.HTML) -> tuple[gr.HTML, Any]:
    """Lay out the row, empty; return it and the event by which one of its photos becomes the photo."""

    def chosen(value: Any, event: gr.SelectData) -> tuple[str, str]:
        shelf = load_shelf()
        one = shelf.exemplars(convolution(Choice.read(value).target), BEST_PHOTOS)[event.index]
        photo = exemplar_photo(shelf, one)
        return str(photo.path), photo.digest

    return photo_buttons("", "exemplars", chosen, [layer_picker], [picture, digest])


def exemplar_photo(shelf: Shelf, one: Exemplar) -> StoredPhoto:
    """An exemplar's photo in the page's store. Raises PhotoError if it has gone."""
    path = shelf.path(one.photo)
    if not path.exists():
        raise PhotoError("this photo has gone from the shelf: choose another.")
    return store_photo(str(path))


def _button(number: int, found: tuple[Exemplar, bytes]) -> str:
    one, jpeg = found
    label = html.escape(f"{_credit(one)}; value {written(one.value, '.2f')}", quote=True)
    caption = f"<figcaption>{written(one.value, '.2f')} ({written(one.deviations, '+.1f')})</figcaption>"
    about = f'data-photo="{number}" title="{label}" aria-label="{label}"'
    button = f'<button type="button" {about}>{image_tag(jpeg, title=_credit(one))}</button>'
    return f"<figure>{button}{caption}</figure>"


def _credit(one: Exemplar) -> str:
    return credit(vars(one))


def credit(about: Mapping[str, Any]) -> str:
    """A photo's title, author and licence, as far as they are known."""
    by = ", ".join(filter(None, (about.get("author"), about.get("licence"))))
    title = about.get("title") or "a photo of this shelf"
    return f"{title} ({by})" if by else title


def _quiet(text: str) -> str:
    return f'<p class="quiet">{html.escape(text)}</p>'
