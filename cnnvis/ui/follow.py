"""How everything on the page follows the choice: whatever changed, one event draws what can be seen.

The page is a function of its controls: nothing about a visitor is kept on the server. Every event costs the browser and
the queue their time; seven of them at once made a choice take a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.ui.choice import Choice
from cnnvis.ui.handlers import LIGHT, PAGE, for_people

# Adds to the choice what only the browser knows: the open tab, and, once, what the visitor's own address asks for.
# (A tab's event could tell the tab. But gradio repeats the data of the event before where two come at once.)
_KNOWN = """(choice, ...values) => {
  const tab = document.querySelector('#tabs [role=tab][aria-selected=true]')?.dataset.tabId;
  const link = window.cnnvisRestored ? '' : location.search;
  window.cnnvisRestored = true;
  return [{...choice, tab, link}, ...values];
}"""


@dataclass(frozen=True)
class Follower:
    """A part of the page that shows the choice."""

    tab: str | None  # drawn while this tab is open; None: always
    draw: Callable[..., tuple[Any, ...]]  # (choice, *values of inputs) to the values of outputs
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    triggers: Sequence[Any] = ()  # its own controls being used
    after: Sequence[Any] = ()  # events that change its inputs


@dataclass(frozen=True)
class Restorer:
    """What the page makes of the address it was opened with."""

    read: Callable[[str], tuple[Choice, dict[Any, Any], list[Any]]]  # to the choice, values of inputs, and of outputs
    outputs: Sequence[Any]


def follow(bar: gr.HTML, tabs: Sequence[gr.Tab], followers: Sequence[Follower], restorer: Restorer) -> None:
    """Draw what can be seen whenever the choice, the open tab or a control has changed."""
    inputs = list(dict.fromkeys(part for follower in followers for part in follower.inputs))  # each read once
    outputs = [*restorer.outputs, *(part for follower in followers for part in follower.outputs)]

    @for_people
    def draw(value: Any, *values: Any) -> list[Any]:
        told = dict(zip(inputs, values, strict=True))
        choice, shown = Choice.read(value), [gr.skip()] * len(restorer.outputs)
        if choice.link:
            choice, asked, shown = restorer.read(choice.link)
            told |= asked
        for follower in followers:
            if follower.tab in (None, choice.tab):
                shown += follower.draw(choice, *(told[part] for part in follower.inputs))
            else:
                shown += [gr.skip()] * len(follower.outputs)
        return shown

    event: dict[str, Any] = {"fn": draw, "inputs": [bar, *inputs], "outputs": outputs, "js": _KNOWN, **PAGE, **LIGHT}
    # The tab shown first announces itself: that draws the page when it is opened.
    triggers = [bar.input, *(tab.select for tab in tabs), *(one for follower in followers for one in follower.triggers)]
    gr.on(triggers, **event, trigger_mode="always_last")
    for before in (one for follower in followers for one in follower.after):
        before.then(**event)
