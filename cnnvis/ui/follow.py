"""How everything on the page follows the choice: one event for all of it, and only what can be seen is drawn.

Every event costs the browser and the queue their time; seven of them at once made a choice take a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.ui.handlers import LIGHT, PAGE, for_people

Choice = tuple[str, int]  # layer, channel


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


@dataclass(frozen=True)
class Way:
    """A way to choose that draws at once: `step` makes the new choice, from the old one, the event and the inputs."""

    triggers: Sequence[Any]
    step: Callable[..., Choice]  # (choice, event, *values of inputs)
    inputs: Sequence[Any] = ()


def follow(choice: gr.State, opened: gr.State, ways: Sequence[Way], followers: Sequence[Follower]) -> None:
    """Draw what can be seen whenever the choice or the open tab has changed."""
    inputs = list(dict.fromkeys(part for follower in followers for part in follower.inputs))  # each read once
    outputs = [part for follower in followers for part in follower.outputs]
    drawn = gr.State(None)  # the choice and the tab that are on the page: a choice drawn at once is not drawn again

    def draw(now: tuple[Choice, str], before: Any, values: Sequence[Any]) -> list[Any]:
        """What becomes of `drawn` and the outputs."""
        if now == before:
            return [gr.skip()] * (1 + len(outputs))
        told, shown = dict(zip(inputs, values, strict=True)), [now]
        for follower in followers:
            if follower.tab in (None, now[1]):
                shown += follower.draw(now[0], *(told[part] for part in follower.inputs))
            else:
                shown += [gr.skip()] * len(follower.outputs)
        return shown

    @for_people
    def changed(chosen: Choice, tab: str, before: Any, *values: Any) -> list[Any]:
        return draw((chosen, tab), before, values)

    def chosen_by(way: Way) -> Any:
        # gradio reads the annotation, so this has to be a plain function.
        def choose(event: gr.EventData, chosen: Choice, tab: str, before: Any, *values: Any) -> list[Any]:
            new = way.step(chosen, event, *values[: len(way.inputs)])
            return [new, *draw((new, tab), before, values[len(way.inputs) :])]

        return for_people(choose)

    told: dict[str, Any] = {**PAGE, **LIGHT, "trigger_mode": "always_last"}
    gr.on([choice.change, opened.change], changed, [choice, opened, drawn, *inputs], [drawn, *outputs], **told)
    for way in ways:
        everything = [choice, opened, drawn, *way.inputs, *inputs]
        gr.on(way.triggers, chosen_by(way), everything, [choice, drawn, *outputs], **told)
