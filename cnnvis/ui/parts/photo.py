"""The photo: a chip in the header that shows it, a panel that changes it, and buttons that choose one.

A photo is dropped or pasted anywhere on the page; the one there was stays until the next can be opened.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from cnnvis.errors import PhotoError
from cnnvis.pictures.photo import open_photo
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.handlers import LIGHT, PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import EXAMPLES, StoredPhoto, find_photo, given_photo, store_photo
from cnnvis.ui.texts import ABOUT_PHOTO
from cnnvis.views.html import image_tag

THUMB_PX = 64
_CHIP = (
    """<button type="button" data-panel="photo-panel" aria-expanded="false" title="Choose a photo">${value}</button>"""
)


def photo_chip() -> gr.HTML:
    """The button in the header that shows the photo and opens its panel."""
    return gr.HTML(
        "<span>Photo</span>", elem_id="photo-chip", html_template=_CHIP, apply_default_css=False, padding=False
    )


def photo_panel(digest: gr.Textbox, chip: gr.HTML) -> Follower:
    """Lay out the panel; return what keeps the chip up to date. `digest` holds the photo's sha256."""
    with gr.Column(elem_id="photo-panel"):
        gr.HTML(ABOUT_PHOTO, elem_classes="quiet", padding=False)
        example = _example_buttons(digest)
        upload = gr.UploadButton("Upload a photo", elem_id="photo", size="sm")
    # Gradio does not read the file: it would look at its name before any limit of ours.
    stored = upload.upload(_store, upload, digest, preprocess=False, **PAGE, **LIGHT)
    return Follower(_chip, [digest], [chip], after=[example, stored], controls={"photo": digest})


@readable_errors
def _store(file: Any) -> Any:
    """Keep the visitor's photo and return its digest. Raises PhotoError, and then the photo there was stays."""
    source = given_photo(file)
    if source is None:
        return gr.skip()
    open_photo(source)  # now, so that the page only ever holds a photo that can be opened
    return store_photo(source).digest


def _chip(choice: Choice, digest: str) -> tuple[str]:
    """The photo, small, and whose it is."""
    try:
        photo = find_photo(digest)
        seen = cache.seen(photo) if photo else None
    except PhotoError:
        return ("<span>Choose a photo</span>",)
    if not photo or not seen:
        return ("<span>Choose a photo</span>",)
    words = f"Example: {photo.title}" if photo.title else whose(photo).capitalize()
    return (f"{image_tag(seen, px=THUMB_PX)}<span>{words}</span>",)


def whose(photo: StoredPhoto) -> str:
    """Whose photo it is, in words."""
    if photo.title:
        return f"the example photo ({photo.title})"
    return "a photo of the shelf" if photo.name else "your photo"


def photo_buttons(
    content: str, elem_id: str, chosen: Callable[..., Any], inputs: list[Any], outputs: Any
) -> tuple[gr.HTML, Any]:
    """Lay out buttons that choose a photo; return them, and the event of choosing."""
    buttons = scripted(__file__, elem_id, value=content, elem_classes="photo-buttons", padding=False)
    return buttons, buttons.select(readable_errors(chosen), inputs, outputs, **PAGE, **QUICK)


def _example_buttons(digest: gr.Textbox) -> Any:
    """Lay out a button for each example, which makes it the photo; return the event that does so."""
    examples = list(EXAMPLES.values())

    def chosen(event: gr.SelectData) -> str:
        return str(examples[event.index].digest)

    buttons = "".join(_button(number, example) for number, example in enumerate(examples))
    return photo_buttons(buttons, "examples", chosen, [], digest)[1]


def _button(number: int, example: StoredPhoto) -> str:
    with Image.open(example.path) as opened:
        thumb = ImageOps.fit(opened.convert("RGB"), (THUMB_PX, THUMB_PX))
    label = f"example photo: {example.title}"
    about = f'data-photo="{number}" title="{label} ({example.credit})" aria-label="{label}"'
    return f'<button type="button" {about}>{image_tag(thumb)}</button>'
