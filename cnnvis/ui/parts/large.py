"""What opens large: a photo of the shelf with its credit, or a channel's picture with its facts, in a dialog."""

from typing import Any

import gradio as gr

from cnnvis.analysis.maps import draw_map
from cnnvis.checks import whole_number
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.exemplars import best_photo, exemplar_photo
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.subject import Subject, subject_of
from cnnvis.ui.serving.handlers import LIGHT, PAGE, QUICK, readable_errors
from cnnvis.views.exemplars import large_photo
from cnnvis.views.html import picture_url

_TEMPLATE = """<dialog class="large" aria-label="Enlarged"><form method="dialog">
<button class="large-close" aria-label="Close">×</button></form><div class="large-inside"></div></dialog>"""


def large(shared: Shared) -> Follower:
    """Lay out the dialog, closed. Its script opens it for whatever has `data-large`; the server fills it."""
    dialog = scripted(__file__, "large", value="", answer="", html_template=_TEMPLATE, padding=False)
    dialog.input(_shown, [dialog, shared.layer_picker], dialog, trigger_mode="always_last", **PAGE, **LIGHT)
    chosen = [shared.photo, shared.row, shared.column]
    picked = dialog.select(_chosen, shared.layer_picker, chosen, **PAGE, **QUICK)
    return Follower(lambda choice: (), [], [], after=[picked])


@readable_errors
def _chosen(picked: Any, event: gr.SelectData) -> tuple[str, int, int]:
    return best_photo(picked, event.index)


@readable_errors
def _shown(asked: Any, picked: Any) -> gr.HTML:
    """What is asked for: "grown", or a position among the channel's photos; and how often something was."""
    what, _, turn = str(asked).partition(" ")
    shown = _enlarged(subject_of(Choice.read(picked)), what)
    return gr.HTML(answer=f"{shown}<!-- {whole_number(turn)} -->")


def _enlarged(subject: Subject, what: str) -> str:
    """What is asked for of the chosen filter or concept, as HTML."""
    if what == "grown":
        return subject.large_picture()
    shelf, best = subject.best()
    position = min(max(whole_number(what) or 0, 0), len(best) - 1)
    exemplar = best[position]
    maps = subject.maps(exemplar_photo(shelf, exemplar))
    lit = draw_map(maps, subject.number).overlay
    pictures = {"the photo": picture_url(maps.photo), f"lit where the {subject.kind} responds": picture_url(lit)}
    return large_photo(subject.name, exemplar, position + 1, len(shelf.photos), pictures)
