"""The line for ascents: who may join it, what a visitor reads when it is full, and when an ascent makes way.

Gradio keeps a line for each `concurrency_id`. It tells everyone in the line their place and about how long they will
wait, and closes the gap when somebody leaves. But it limits only all lines together, and has no public way to ask how
long one of them is (gradio#9838): only this module reads that, from the pinned version (6.31). It can go when `queue`
limits each line and words its own refusal.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from cnnvis.maximization.ascent import Snapshot
from cnnvis.ui.serving import monitoring

ASCENTS = "heavy"  # the concurrency_id of ascents
PLACES = 12  # ascents that may wait; the next visitor is told when to come back
TOTAL_PLACES = 300  # events that may wait, light work included: only an attack sends more
SHARED_SECONDS = 60  # how long an ascent may last while somebody waits
USUAL_SECONDS = 10.0  # of an ascent, until some have been measured


def admit(request: gr.Request, *inputs: Any) -> list[dict[str, Any]]:
    """Gradio's validator for a program's ascent: admit it, or refuse it with a sentence."""
    reason = refusal(request.session_hash)
    if reason:
        monitoring.write("maximize", "no room")
    # Gradio attaches a refusal to an input: here to the first.
    return [gr.validate(not reason, reason), *(gr.validate(True, "") for _ in inputs[1:])]


def refusal(session: str | None) -> str:
    """Why a session may not join the line, and when to try again; "" if it may."""
    sessions = [event.session_hash for event in _waiting()]
    if session in sessions:
        return "You are already in line for an ascent: wait for that one, or stop it."
    if len(sessions) < PLACES:
        return ""
    minutes = max(1, round(len(sessions) * _seconds_each() / 60))
    return f"The line for ascents is full, with {len(sessions)} waiting: try again in about {minutes} min."


def make_way(snapshots: Iterator[list[Snapshot]]) -> Iterator[list[Snapshot]]:
    """Pass on the snapshots of an ascent, but end it after a minute if somebody waits."""
    for batch in snapshots:
        yield batch
        if batch[0].seconds > SHARED_SECONDS and _waiting():
            return


def line_of(page: gr.Blocks) -> Sequence[Any]:
    """Gradio's events that wait for an ascent; none before the first ascent."""
    line = page._queue.event_queue_per_concurrency_id.get(ASCENTS)
    return line.queue if line else ()


def _waiting() -> Sequence[Any]:
    """The same for the page that is handling this event; none outside a page."""
    page = LocalContext.blocks.get(None)
    return line_of(page) if page else ()


def _seconds_each() -> float:
    page = LocalContext.blocks.get(None)
    measured = page._queue.process_time_per_fn if page else {}
    means = (times.avg_time for event, times in measured.items() if event.concurrency_id == ASCENTS)
    return max(means, default=USUAL_SECONDS)
