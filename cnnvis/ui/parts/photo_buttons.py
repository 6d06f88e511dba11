"""The photo as the visitor sees and changes it, and buttons that choose one."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from cnnvis.ui.parts.base import image_tag, scripted
from cnnvis.ui.serving.handlers import PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import DEFAULT_PHOTO, EXAMPLES

THUMB_PX = 64
PICTURE_PX = 230


def photo_picture() -> gr.Image:
    """The photo as the visitor sees and changes it, not yet laid out."""
    return gr.Image(
        str(DEFAULT_PHOTO.path) if EXAMPLES else None,
        label="Your photo",
        type="filepath",
        sources=["upload", "clipboard"],
        height=PICTURE_PX,
        elem_id="photo",
        alt_text="the photo that the maps are of",
        render=False,
    )


def photo_buttons(
    content: str, elem_id: str, chosen: Callable[..., Any], inputs: list[Any], outputs: list[Any]
) -> tuple[gr.HTML, Any]:
    """Lay out buttons that choose a photo; return them, and the event of choosing."""
    buttons = scripted(__file__, elem_id, value=content, elem_classes="photo-buttons")
    return buttons, buttons.select(readable_errors(chosen), inputs, outputs, **PAGE, **QUICK)


def example_buttons(picture: gr.Image, digest: gr.Textbox) -> Any:
    """Lay out a button for each example, which puts it in the photo's place; return the event that does so."""

    def chosen(event: gr.SelectData) -> tuple[str, str]:
        example = list(EXAMPLES.values())[event.index]
        return str(example.path), example.digest

    return photo_buttons("".join(map(_button, range(len(EXAMPLES)))), "examples", chosen, [], [picture, digest])[1]


def _button(number: int) -> str:
    example = list(EXAMPLES.values())[number]
    with Image.open(example.path) as opened:
        thumb = ImageOps.fit(opened.convert("RGB"), (THUMB_PX, THUMB_PX))
    label = f"example photo {example.name.removesuffix('.jpg')}"
    image = image_tag(thumb, kind="png")
    title = f"{label} ({example.credit})"
    return f'<button type="button" data-photo="{number}" title="{title}" aria-label="{label}">{image}</button>'
