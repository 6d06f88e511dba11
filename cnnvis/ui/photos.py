"""The example photos: by the names that links give them, and as buttons."""

import filecmp
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from cnnvis.ui.handlers import PAGE, QUICK, data_url

FOLDER = Path(__file__).parents[2] / "examples"
PHOTOS = {f"{name}.jpg": FOLDER / f"{name}.jpg" for name in ("chelsea", "astronaut", "coffee", "rocket", "hubble")}
THUMB_PX = 64

_SCRIPT = """element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-photo]');
  if (button) trigger('select', {index: +button.dataset.photo, value: null});
});"""


def example_name(path: str | None) -> str | None:
    """The example that a photo is, however gradio renamed its file; None for a visitor's own."""
    if path is None:
        return None
    return next((name for name, example in PHOTOS.items() if filecmp.cmp(path, example, shallow=False)), None)


def example_buttons(photo: gr.Image) -> Any:
    """A button for each example, which puts it where the visitor's own photo goes; returns the event that does."""
    buttons = gr.HTML("".join(map(_button, range(len(PHOTOS)))), js_on_load=_SCRIPT, elem_id="examples")

    def chosen(event: gr.SelectData) -> str:
        return str(list(PHOTOS.values())[event.index])

    return buttons.select(chosen, None, photo, **PAGE, **QUICK)


def _button(number: int) -> str:
    name, path = list(PHOTOS.items())[number]
    with Image.open(path) as opened:
        thumb = ImageOps.fit(opened.convert("RGB"), (THUMB_PX, THUMB_PX))
    label = f"example photo {name.removesuffix('.jpg')}"
    image = f'<img src="{data_url(thumb)}" alt="">'
    return f'<button type="button" data-photo="{number}" title="{label}" aria-label="{label}">{image}</button>'
