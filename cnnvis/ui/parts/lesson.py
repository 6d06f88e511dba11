"""The guided lesson on the page."""

import gradio as gr

from cnnvis.ui.parts.base import scripted
from cnnvis.views import lesson as views


def lesson(elem_id: str) -> gr.HTML:
    """The button that opens the lesson, and its pages; the value is the number of the open page, 0 for none."""
    return scripted(views.__file__, elem_id, value=0, pages=views.pages(), html_template=views.TEMPLATE, padding=False)
