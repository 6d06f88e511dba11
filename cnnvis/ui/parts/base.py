"""What the page is built from: scripted pieces, and slots for pictures and for HTML.

None of the pieces holds components: `gr.HTML` as a layout (6.7) takes them only outside its tags.
"""

from pathlib import Path
from typing import Any

import gradio as gr


def scripted(module: str, elem_id: str, **settings: Any) -> gr.HTML:
    """A piece of the page that the script beside `module` (its `__file__`) brings to life; the styles are our own."""
    script = Path(module).with_suffix(".js").read_text(encoding="utf-8")
    return gr.HTML(js_on_load=script, elem_id=elem_id, apply_default_css=False, **settings)


def large_picture(label: str, elem_id: str, *classes: str, height: int, visible: bool = True) -> gr.Image:
    """An empty slot for a picture that the page makes."""
    about: dict[str, Any] = {"label": label, "show_label": False, "elem_id": elem_id, "visible": visible}
    about |= {"buttons": ["download", "fullscreen"], "elem_classes": ["picture", *classes]}
    return gr.Image(type="filepath", interactive=False, height=height, min_width=140, **about)


def html_block(elem_id: str, *classes: str, **settings: Any) -> gr.HTML:
    """A slot for HTML that the page makes, without styles of Gradio's."""
    return gr.HTML(elem_id=elem_id, elem_classes=list(classes), apply_default_css=False, **settings)
