"""How everything on the page follows the choice: one event for all of it, and only what can be seen is drawn.

Every event costs the browser and the queue their time; seven of them at once made a choice take a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.ui.handlers import LIGHT, PAGE, for_people


@dataclass(frozen=True)
class Follower:
    """A part of the page that shows the choice."""

    tab: str | None  # drawn while this tab is open; None: always
    draw: Callable[..., Any]  # (choice, *values of inputs) to the values of outputs, in a tuple
    inputs: Sequence[Any]
    outputs: Sequence[Any]

    def redraw_on(self, choice: gr.State, *triggers: Any) -> None:
        """Draw this part alone when one of its own controls was used."""
        gr.on(triggers, *self._event(choice), **PAGE, **LIGHT, trigger_mode="always_last")

    def redraw_after(self, choice: gr.State, event: Any) -> None:
        """Draw this part alone when an event of its own is through."""
        event.then(*self._event(choice), **PAGE, **LIGHT)

    def _event(self, choice: gr.State) -> tuple[Any, ...]:
        @for_people
        def alone(*values: Any) -> Any:
            drawn = self.draw(*values)
            return drawn if len(self.outputs) > 1 else drawn[0]  # gradio takes what is meant for one as it is

        return alone, [choice, *self.inputs], self.outputs


def follow(choice: gr.State, opened: gr.State, followers: Sequence[Follower]) -> Any:
    """Draw what can be seen whenever the choice or the open tab has changed; returns the event."""

    @for_people
    def draw(chosen: Any, tab: str, *values: Any) -> tuple[Any, ...]:
        left, shown = list(values), list[Any]()
        for follower in followers:
            mine, left = left[: len(follower.inputs)], left[len(follower.inputs) :]
            seen = follower.tab in (None, tab)
            shown += follower.draw(chosen, *mine) if seen else [gr.skip()] * len(follower.outputs)
        return tuple(shown)

    inputs = [part for follower in followers for part in follower.inputs]
    outputs = [part for follower in followers for part in follower.outputs]
    triggers = [choice.change, opened.change]
    return gr.on(triggers, draw, [choice, opened, *inputs], outputs, **PAGE, **LIGHT, trigger_mode="always_last")
