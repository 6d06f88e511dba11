"""Places for what the page shows: scripted pieces, pictures, blocks of HTML."""

from pathlib import Path
from typing import Any

import gradio as gr


def scripted(module: str, elem_id: str, **settings: Any) -> gr.HTML:
    """A piece of the page that the script beside `module` (its `__file__`) brings to life; the looks are our own."""
    script = Path(module).with_suffix(".js").read_text()
    return gr.HTML(js_on_load=script, elem_id=elem_id, apply_default_css=False, **settings)


def large_picture(label: str, elem_id: str, *classes: str, height: int, visible: bool = True) -> gr.Image:
    """A place for a picture that the page makes."""
    return gr.Image(
        label=label,
        show_label=False,
        type="filepath",
        interactive=False,
        buttons=["download", "fullscreen"],
        height=height,
        min_width=140,
        visible=visible,
        elem_id=elem_id,
        elem_classes=["picture", *classes],
    )


def whole(elem_id: str, *classes: str) -> gr.HTML:
    """A place for it; `whole_filter` makes its value."""
    return gr.HTML(elem_id=elem_id, elem_classes=list(classes), apply_default_css=False, padding=False)
