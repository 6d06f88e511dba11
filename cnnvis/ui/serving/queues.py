"""The room for ascents: who may wait there, what a full room says, and when an ascent makes way for the next.

Gradio keeps a line for each `concurrency_id`. It tells everyone in the line their place and about how long they will
wait, and closes the gap when somebody leaves. But it counts all lines together, and has no public way to ask how long
one of them is: that is read here, in one place, from the pinned version (6.31).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from cnnvis.maximization.ascent import Snapshot
from cnnvis.ui.serving import monitoring

ASCENTS = "heavy"  # the concurrency_id of ascents
PLACES = 12  # ascents that may wait; the next visitor is told when to come back
TOTAL_PLACES = 300  # all that may wait, light work included: more than this only an attack sends
SHARED_SECONDS = 60  # how long an ascent may last while somebody waits
USUAL_SECONDS = 10.0  # of an ascent, until some have been measured


def admit(request: gr.Request, *inputs: Any) -> list[dict[str, Any]]:
    """Gradio's validator for a program's ascent: let it in, or refuse it with a sentence."""
    reason = refusal(request.session_hash)
    if reason:
        monitoring.write("maximize", "no room")
    # Gradio reports a refusal with one of the inputs: here with the first.
    return [gr.validate(not reason, reason), *(gr.validate(True, "") for _ in inputs[1:])]


def refusal(session: str | None) -> str:
    """Why a session may not wait for an ascent, and when to try again; "" if it may."""
    sessions = [event.session_hash for event in _waiting()]
    if session in sessions:
        return "You are already in line for an ascent: wait for that one, or stop it."
    if len(sessions) < PLACES:
        return ""
    minutes = max(1, round(len(sessions) * _seconds_each() / 60))
    return f"The line for ascents is full, {len(sessions)} are waiting: try again in about {minutes} min."


def make_way(snapshots: Iterator[list[Snapshot]]) -> Iterator[list[Snapshot]]:
    """Pass on the snapshots of an ascent, but end it after a minute if somebody waits."""
    for batch in snapshots:
        yield batch
        if batch[0].seconds > SHARED_SECONDS and _waiting():
            return


def line_of(page: gr.Blocks) -> Sequence[Any]:
    """Gradio's events of those who wait for an ascent; none before the first ascent."""
    line = page._queue.event_queue_per_concurrency_id.get(ASCENTS)
    return line.queue if line else ()


def _waiting() -> Sequence[Any]:
    """The same of the page that is answering; none outside a page."""
    page = LocalContext.blocks.get(None)
    return line_of(page) if page else ()


def _seconds_each() -> float:
    page = LocalContext.blocks.get(None)
    measured = page._queue.process_time_per_fn if page else {}
    return max((each.avg_time for fn, each in measured.items() if fn.concurrency_id == ASCENTS), default=USUAL_SECONDS)
