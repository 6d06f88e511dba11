"""What a visitor sees of the line for ascents: their position and roughly how long it takes, or why there is none."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from cnnvis.ui.parts.base import scripted
from cnnvis.ui.serving import monitoring
from cnnvis.ui.serving.handlers import HEAVY, PAGE, QUICK
from cnnvis.ui.serving.queues import USUAL_SECONDS, refusal

_TEMPLATE = '<p class="waiting" role="status" aria-live="polite"></p><p class="refused" role="status">${value}</p>'


def line(elem_id: str) -> gr.HTML:
    """The slot on the page where it stands."""
    props = {"slot": elem_id, "usual_seconds": USUAL_SECONDS, "elem_classes": "ascent-line"}
    return scripted(__file__, elem_id, value="", html_template=_TEMPLATE, padding=False, **props)


def join(
    start: gr.Button,
    slot: gr.HTML,
    handler: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Any,
    js: str | None = None,
) -> tuple[Any, Any]:
    """Let a visitor who presses `start` wait in line, and then run `handler`; `js` may change its inputs.

    Returns two events: entering the room, which fails if it is full, and the run.
    """
    start.click(None, None, slot, js="() => ''")
    entered = start.click(_enter, None, None, **PAGE, **QUICK)
    entered.failure(_why_not, None, slot, **PAGE, **QUICK)
    in_line: dict[str, Any] = {**PAGE, "show_progress": "minimal", "show_progress_on": [slot]}
    return entered, entered.success(handler, inputs, outputs, js=js, **in_line, **HEAVY)


def _enter(request: gr.Request) -> None:
    """Ask for room before joining the line: the page would not show a validator's refusal."""
    if refusal(request.session_hash):
        monitoring.write("maximize", "no room")
        raise gr.Error(visible=False, print_exception=False)  # `_why_not` says it, in its slot


def _why_not(request: gr.Request) -> str:
    return refusal(request.session_hash) or "Please press it again."
