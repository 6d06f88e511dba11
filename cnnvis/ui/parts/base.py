"""What the page is built from: scripted pieces, and slots for HTML.

None of the pieces holds components: `gr.HTML` as a layout (6.7) takes them only outside its tags.
"""

from pathlib import Path
from typing import Any

import gradio as gr


def scripted(module: str, elem_id: str, **settings: Any) -> gr.HTML:
    """A piece of the page that the script beside `module` (its `__file__`) brings to life; the styles are our own."""
    script = Path(module).with_suffix(".js").read_text(encoding="utf-8")
    return gr.HTML(js_on_load=script, elem_id=elem_id, apply_default_css=False, **settings)


def html_block(elem_id: str, *classes: str, **settings: Any) -> gr.HTML:
    """A slot for HTML that the page makes, without styles of Gradio's."""
    return gr.HTML(elem_id=elem_id, elem_classes=list(classes), apply_default_css=False, **settings)
