"""Photos on the page: a small record for each, looked up by the sha256 of its file.

A chosen photo is copied once into the page's own store. From then on only its digest travels, so no event can fail to
find it before it has expired.
"""

import base64
import hashlib
import io
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from cnnvis.errors import PhotoError, ShelfError
from cnnvis.pictures.photo import check_bytes
from cnnvis.prepared.shelf import BUNDLED, Shelf
from cnnvis.ui.serving.files import SHA256, bytes_file, content_path, touch
from cnnvis.ui.serving.handlers import UNREAD
from cnnvis.views.exemplars import credit

log = logging.getLogger(__name__)

_PACKED = Path(__file__).parents[2] / "examples"  # where the wheel has them
FOLDER = _PACKED if _PACKED.is_dir() else Path(__file__).parents[3] / "examples"
STORED_AS = "photo"  # the name of a visitor's photo in the folder of its digest


@dataclass(frozen=True)
class StoredPhoto:
    """A photo on the server: an example, one from the shelf, or a visitor's own."""

    digest: str  # sha256 of the file
    path: Path
    name: str = ""  # in links; a visitor's own photo has none
    title: str = ""  # of an example, in a word
    credit: str = ""


NO_PHOTO = StoredPhoto("", Path())


def _example(name: str, title: str, credit: str) -> StoredPhoto:
    path = FOLDER / name
    try:
        return StoredPhoto(hashlib.sha256(path.read_bytes()).hexdigest(), path, name, title, credit)
    except OSError as error:  # the page goes on without it
        log.warning("example photo %s cannot be read (%s): restore it from the repository.", name, error.strerror)
        return NO_PHOTO


EXAMPLES = {
    photo.name: photo
    for photo in (
        _example("chelsea.jpg", "cat", "Stéfan van der Walt, CC0"),
        _example("astronaut.jpg", "astronaut", "NASA, public domain"),
        _example("coffee.jpg", "coffee", "Rachel Michetti, CC0"),
        _example("rocket.jpg", "rocket", "SpaceX, CC0"),
        _example("hubble.jpg", "galaxies", "NASA and ESA, public domain"),
    )
    if photo is not NO_PHOTO
}
DEFAULT_PHOTO = next(iter(EXAMPLES.values()), NO_PHOTO)
# Otherwise Gradio would copy them into a folder that is swept.
gr.set_static_paths([*(photo.path for photo in EXAMPLES.values()), BUNDLED / "photos"])


@cache
def named_photos() -> dict[str, StoredPhoto]:
    """The photos that a link can name: the examples and those of the bundled shelf, as far as they can be read.

    What else lies in the shelf's folder, such as a system's thumbnails, is none of them.
    """
    photos = dict(EXAMPLES)
    try:
        shelf = Shelf(BUNDLED)
        paths = {shelf.path(number): credit(about) for number, about in enumerate(shelf.photos)}
    except ShelfError as error:
        log.warning("the bundled shelf cannot be read (%s): restore it from the repository.", error)
        return photos
    for path, by in paths.items():
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            log.warning("photo %s of the bundled shelf cannot be read (%s).", path.name, error.strerror)
            continue
        photos[path.name] = StoredPhoto(digest, path, path.name, credit=by)
    return photos


@cache
def _by_digest() -> dict[str, StoredPhoto]:
    return {photo.digest: photo for photo in named_photos().values()}


def photo_name(digest: str) -> str:
    """The name of the photo with this digest in a link; "" for a visitor's own."""
    return _by_digest().get(digest, NO_PHOTO).name


def store_photo(source: str | io.BytesIO | None) -> StoredPhoto:
    """Copy a file into the store, unless links can name it; it is not opened yet. Raises PhotoError."""
    checked = check_bytes(source)
    try:
        content = checked.getvalue() if isinstance(checked, io.BytesIO) else Path(str(checked)).read_bytes()
    except OSError as error:
        raise PhotoError("the photo cannot be read on the server: choose another.") from error
    digest = hashlib.sha256(content).hexdigest()
    return _by_digest().get(digest) or StoredPhoto(digest, Path(bytes_file(content, STORED_AS)))


def find_photo(digest: str | None) -> StoredPhoto | None:
    """The photo with this digest, None for no photo. Raises PhotoError if the server no longer has it."""
    if not digest:
        return None
    if known := _by_digest().get(digest):
        return known
    path = content_path(digest, STORED_AS)
    if not SHA256.fullmatch(digest) or not touch(path):
        raise PhotoError("the photo is no longer on the server, which keeps it for two hours: choose it again.")
    return StoredPhoto(digest, path)


def given_photo(image: Any) -> str | io.BytesIO | None:
    """The image that an event with `preprocess=False` was given: an upload's path, a data: URL's bytes, or None.

    gr.Image would decode the file itself, before any limit of ours, and report a broken one as a bug. The path must
    lie in Gradio's upload folder: Gradio lets a program name any file on the server.
    Raises PhotoError.
    """
    if image is None:
        return None
    path, url = image.get("path"), str(image.get("url"))
    if path and Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        return str(path)
    try:
        head, _, content = url.partition("base64,")
        if not path and head.startswith("data:"):
            return io.BytesIO(base64.b64decode(content, validate=True))
    except ValueError:
        pass
    raise PhotoError(f"image {UNREAD}")
