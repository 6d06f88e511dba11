"""What the stage shows before an ascent: the picture grown ahead of the chosen channel or concept, and what it is."""

import gradio as gr

from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.subject import subject_of
from cnnvis.views.html import image_at


def preview(elem_id: str) -> gr.HTML:
    """A slot for it; `preview_value` makes its value. It gives way to an ascent of the same channel."""
    return scripted(__file__, elem_id, padding=False)


def preview_value(choice: Choice) -> str:
    """The picture grown ahead of the chosen channel or concept as HTML; nothing if there is none."""
    if choice.of and choice.concept is None:
        return ""
    subject = subject_of(choice)
    grown = subject.grown()
    if grown is None:
        return ""
    url, what, seed = grown
    words = f"Grown ahead, with seed {seed}: a piece of it, enlarged. Press Grow to watch it grow from noise."
    return f'<figure data-name="{subject.target}">{image_at(url, what)}<figcaption>{words}</figcaption></figure>'
