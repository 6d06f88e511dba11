"""What a first visitor reads: one sentence and three ways on, until it is dismissed."""

import gradio as gr

from cnnvis.ui.parts.base import scripted
from cnnvis.ui.texts import WELCOME

_TEMPLATE = f"""<p class="welcome" hidden>{WELCOME}
<button type="button" data-panel="photo-panel">try your own photo</button> or
<button type="button" class="welcome-lesson">take the lesson</button>
<button type="button" class="welcome-close" aria-label="Dismiss">×</button></p>"""


def welcome(elem_id: str) -> gr.HTML:
    """Lay it out. The browser remembers that it was dismissed."""
    return scripted(__file__, elem_id, html_template=_TEMPLATE, padding=False)
