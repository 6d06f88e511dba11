"""The shelf on the page: the photos that excite the chosen channel most."""

import html
import os
from collections.abc import Mapping
from typing import Any

import gradio as gr

from cnnvis.errors import PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.prepared.shelf import Exemplar, Shelf, load_shelf, spread
from cnnvis.ui.parts.base import image_tag
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import written
from cnnvis.ui.parts.photo import photo_buttons
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.handlers import sentence
from cnnvis.ui.serving.photos import StoredPhoto, store_photo

BEST_PHOTOS = 9
UNCUT_PX = 112  # side of a photo that is shown uncut


def exemplar_row(target: Target) -> str:
    """The best nine as buttons, with their values and credits, as HTML; or why there are none."""
    target = convolution(target)
    try:
        shelf = load_shelf()
        tiles = cache.exemplar_tiles(shelf, target, BEST_PHOTOS)
    except ShelfError as error:
        return _quiet(sentence(error))
    head = f"<strong>The {len(tiles)} of {len(shelf.photos)} photos that excite {target} most</strong>."
    if tiles[0][0].value <= 0:
        head = f"<strong>None of {len(shelf.photos)} photos excites {target}</strong>; these come closest."
    note = "Choose one to see its map. Below each is its value. A larger shelf may hold better ones."
    buttons = "".join(_button(number, *tile) for number, tile in enumerate(tiles))
    return f'<p>{head} {note}</p><div class="patches">{buttons}</div>'


def weaker_photos(target: Target) -> str:
    """Photos at some percentiles of the channel's maxima, and the histogram of all, as HTML."""
    target = convolution(target)
    try:
        shelf = load_shelf()
        maxima = spread(shelf, target)
    except ShelfError as error:
        return _quiet(sentence(error))
    if maxima is None:
        return _quiet("This shelf is too large to keep every photo's maximum: it knows only the strongest photos.")
    figures = ""
    for percentile, number, value in zip(maxima.percentiles, maxima.photos, maxima.values, strict=True):
        about = credit(shelf.photos[number])
        try:
            picture = image_tag(shelf.open(number), about, px=UNCUT_PX, title=about)
        except PhotoError:
            picture = "<p>photo unavailable</p>"
        name = "strongest" if percentile == 100 else f"{percentile}th percentile"
        figures += f"<figure>{picture}<figcaption>{name}: {written(value, '.2f')}</figcaption></figure>"
    reach = f"from {written(maxima.low, '.1f')} to {written(maxima.high, '.1f')}"
    words = f"The largest value of {target} on each of {len(shelf.photos)} photos, {reach}"
    return f'<div class="patches whole">{figures}</div>{_histogram(maxima.counts, words)}{_quiet(f"{words}.")}'


def _histogram(counts: list[int], words: str) -> str:
    """Bars as an SVG."""
    bars = ""
    for i, count in enumerate(counts):
        high = 100 * count / max(counts)
        bars += f'<rect x="{10 * i}" y="{100 - high:.1f}" width="9" height="{high:.1f}"/>'
    box = f'viewBox="0 0 {10 * len(counts)} 100" preserveAspectRatio="none"'
    return f'<svg class="histogram" {box} role="img" aria-label="{words}">{bars}</svg>'


def exemplar_buttons(digest: gr.Textbox, layer_picker: gr.HTML) -> tuple[gr.HTML, Any]:
    """Lay out the row, empty; return it and the event by which one of its photos becomes the photo."""

    def chosen(value: Any, event: gr.SelectData) -> str:
        shelf = load_shelf()
        exemplars = shelf.exemplars(convolution(Choice.read(value).target), BEST_PHOTOS)
        return exemplar_photo(shelf, exemplars[event.index]).digest

    return photo_buttons("", "exemplars", chosen, [layer_picker], digest)


def exemplar_photo(shelf: Shelf, exemplar: Exemplar) -> StoredPhoto:
    """An exemplar's photo in the page's store. Raises PhotoError if it is missing."""
    path = shelf.path(exemplar.photo)
    if not os.path.exists(path):  # Path.exists raises where a folder may not be entered
        raise PhotoError("this photo is no longer on the shelf: choose another.")
    return store_photo(str(path))


def _button(number: int, exemplar: Exemplar, jpeg: bytes) -> str:
    by, value = credit(vars(exemplar)), written(exemplar.value, ".2f")
    label = html.escape(f"{by}; value {value} ({written(exemplar.deviations, '+.1f')} standard deviations from usual)")
    about = f'data-photo="{number}" title="{label}" aria-label="{label}"'
    caption = f"<figcaption>{value}</figcaption>"
    return f'<figure><button type="button" {about}>{image_tag(jpeg, title=by)}</button>{caption}</figure>'


def credit(about: Mapping[str, Any]) -> str:
    """A photo's title, author and licence, as far as they are known."""
    by = ", ".join(filter(None, (about.get("author"), about.get("licence"))))
    title = about.get("title") or "a photo of this shelf"
    return f"{title} ({by})" if by else title


def _quiet(text: str) -> str:
    return f'<p class="quiet">{html.escape(text)}</p>'
