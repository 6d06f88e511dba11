"""The photo as the visitor sees and changes it, and buttons that choose one."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from cnnvis.ui.parts.base import image_tag, scripted
from cnnvis.ui.serving.handlers import PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import DEFAULT_PHOTO, EXAMPLES, StoredPhoto

THUMB_PX = 64
PICTURE_PX = 230


def photo_picture() -> gr.Image:
    """The photo as the visitor sees and changes it, not yet laid out."""
    shown = str(DEFAULT_PHOTO.path) if EXAMPLES else None
    about: dict[str, Any] = {"label": "Your photo", "alt_text": "the photo that the maps are of", "elem_id": "photo"}
    about |= {"type": "filepath", "sources": ["upload", "clipboard"]}
    return gr.Image(shown, height=PICTURE_PX, render=False, **about)


def photo_buttons(
    content: str, elem_id: str, chosen: Callable[..., Any], inputs: list[Any], outputs: list[Any]
) -> tuple[gr.HTML, Any]:
    """Lay out buttons that choose a photo; return them, and the event of choosing."""
    buttons = scripted(__file__, elem_id, value=content, elem_classes="photo-buttons")
    return buttons, buttons.select(readable_errors(chosen), inputs, outputs, **PAGE, **QUICK)


def example_buttons(picture: gr.Image, digest: gr.Textbox) -> Any:
    """Lay out a button for each example, which makes it the photo; return the event that does so."""
    examples = list(EXAMPLES.values())

    def chosen(event: gr.SelectData) -> tuple[str, str]:
        return str(examples[event.index].path), examples[event.index].digest

    buttons = "".join(_button(number, example) for number, example in enumerate(examples))
    return photo_buttons(buttons, "examples", chosen, [], [picture, digest])[1]


def _button(number: int, example: StoredPhoto) -> str:
    with Image.open(example.path) as opened:
        thumb = ImageOps.fit(opened.convert("RGB"), (THUMB_PX, THUMB_PX))
    label = f"example photo {example.name.removesuffix('.jpg')}"
    about = f'data-photo="{number}" title="{label} ({example.credit})" aria-label="{label}"'
    return f'<button type="button" {about}>{image_tag(thumb, kind="png")}</button>'
