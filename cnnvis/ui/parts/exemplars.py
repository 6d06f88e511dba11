"""The shelf on the page: the photos that excite the chosen channel most, and one of them as the visitor's photo."""

import os
from typing import Any

from cnnvis.errors import CnnvisError, PhotoError, ShelfError
from cnnvis.network.architecture import Target, convolution
from cnnvis.prepared import shelf as shelves
from cnnvis.prepared.shelf import Exemplar, Shelf, load_shelf
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.subject import subject_of
from cnnvis.ui.serving.photos import StoredPhoto, store_photo
from cnnvis.views import exemplars as views
from cnnvis.views.html import picture_url, quiet


def exemplar_row(choice: Choice) -> str:
    """The best nine as buttons, with their values and credits, as HTML; or why there are none."""
    try:
        subject = subject_of(choice)
        best = subject.patches()
    except CnnvisError as error:
        return quiet(error.sentence())
    return views.exemplar_row(subject.name, best.tiles, best.photos)


def weaker_photos(target: Target) -> str:
    """Photos at some percentiles of the channel's maxima, and the histogram of all, as HTML."""
    target = convolution(target)
    try:
        shelf = load_shelf()
        maxima = shelves.spread(shelf, target)
    except ShelfError as error:
        return quiet(error.sentence())
    if maxima is None:
        return quiet("This shelf is too large to keep every photo's maximum: it knows only the strongest photos.")
    pictures = [(_uncut(shelf, number), views.credit(shelf.photos[number])) for number in maxima.photos]
    return views.weaker_photos(target, maxima, pictures, len(shelf.photos))


def _uncut(shelf: Shelf, number: int) -> str:
    try:
        return picture_url(shelf.open(number).resize((views.UNCUT_PX, views.UNCUT_PX)))
    except PhotoError:
        return ""


def best_photo(picked: Any, position: int) -> tuple[str, int, int]:
    """The photo at a position of these, in the page's store, and the cell that excites the channel most.

    Raises LayerError, ConceptsError, ShelfError, SettingError, PhotoError.
    """
    shelf, best = subject_of(Choice.read(picked)).best()
    exemplar = best[position]
    return exemplar_photo(shelf, exemplar).digest, exemplar.row, exemplar.column


def exemplar_photo(shelf: Shelf, exemplar: Exemplar) -> StoredPhoto:
    """An exemplar's photo in the page's store. Raises PhotoError if it is missing."""
    path = shelf.path(exemplar.photo)
    if not os.path.exists(path):  # Path.exists raises where a folder may not be entered
        raise PhotoError("this photo is no longer on the shelf: choose another.")
    return store_photo(str(path))
