"""How the page follows the choice: whatever changes, one event draws everything that is visible.

What is drawn depends only on the page's controls; the server keeps no visitor's choice. (It keeps their unfinished
ascent, see tabs/maximize/tab.py, and for two hours their photo and pictures.) Each event costs the browser and the
queue time: with seven events per choice, a choice took a second.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from cnnvis.errors import CnnvisError
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shared:
    """The components that wall and tabs use, made before them; the settings are laid out by the tab they belong to."""

    layer_picker: gr.HTML  # the choice
    photo: gr.Textbox  # the digest of the photo, hidden
    view: gr.Radio  # how kernels are drawn
    source: gr.Number  # the input channel of which the wall shows kernels
    pipeline: gr.Radio  # how maps are computed
    contrast: gr.Radio  # of maps
    row: gr.Number  # of the chosen cell of the map, hidden; None: none is chosen
    column: gr.Number


@dataclass(frozen=True, eq=False)
class Follower:
    """A part of the page that shows the choice."""

    draw: Callable[..., tuple[Any, ...]]  # (choice, *values of inputs) to the values of outputs
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    triggers: Sequence[Any] = ()  # events of its own controls
    after: Sequence[Any] = ()  # events that change its inputs
    controls: Mapping[str, Any] = field(default_factory=dict)  # by name, those whose values belong in an address
    failed: Callable[[str], tuple[Any, ...]] | None = None  # what to show instead, with the reason; None: no change

    def drawn(self, choice: Choice, values: Sequence[Any]) -> tuple[Any, ...]:
        """Draw this part; whatever goes wrong is shown in its own slot, and every other part goes on."""
        try:
            return self.draw(choice, *values)
        except CnnvisError as error:
            reason = error.sentence()
        except Exception:  # a bug, or a full disk: for the log, not for the visitor
            log.exception("could not draw %s", choice.target)
            reason = "This part could not be drawn. The rest of the page still works: try another layer or photo."
        return self.failed(reason) if self.failed else tuple(gr.skip() for _ in self.outputs)


@dataclass(frozen=True)
class Tab:
    """A tab: what links call it, its label, what it is for in a few words, and the function that lays it out."""

    id: str
    title: str
    hint: str
    layout: Callable[[Shared], Follower]


@dataclass(frozen=True)
class Restorer:
    """Restores the view that an address asks for."""

    # From an address's query string to the choice, the values of inputs, and those of outputs.
    read: Callable[[str], tuple[Choice, dict[Any, Any], list[Any]]]
    outputs: Sequence[Any]


def connect(
    layer_picker: gr.HTML,
    tabs: Mapping[str, gr.Tab],
    followers: Mapping[str, Follower],
    always: Sequence[Follower],
    restorer: Restorer,
) -> None:
    """Draw whenever the choice, the open tab or a control changes.

    `followers` are drawn while the tab of their name is open, `always` every time.
    """
    everyone = [*always, *followers.values()]
    inputs = list(dict.fromkeys(part for follower in everyone for part in follower.inputs))  # each is sent once
    outputs = [*restorer.outputs, *(part for follower in everyone for part in follower.outputs)]
    first = next(iter(followers))

    @readable_errors
    def draw(value: Any, *values: Any) -> list[Any]:
        known = dict(zip(inputs, values, strict=True))
        choice, shown = Choice.read(value), [gr.skip()] * len(restorer.outputs)
        if choice.tab not in followers:
            choice = replace(choice, tab=first)
        if choice.link:
            restored, asked, shown = restorer.read(choice.link)
            choice = replace(restored, tab=choice.tab)
            for i, part in enumerate(restorer.outputs):
                if part in known and known[part] == shown[i]:
                    shown[i] = gr.skip()  # it already has this value, and the visitor may have changed it meanwhile
            known |= asked
        for follower in everyone:
            if follower in always or follower is followers[choice.tab]:
                shown += follower.drawn(choice, [known[part] for part in follower.inputs])
            else:
                shown += [gr.skip()] * len(follower.outputs)
        return shown

    own = (trigger for follower in everyone for trigger in follower.triggers)
    # The tab shown first sends `select` too: that draws the page when it opens.
    triggers = [layer_picker.input, *(tab.select for tab in tabs.values()), *own]
    once = {(trigger.__self__, trigger.event_name): trigger for trigger in triggers}  # two followers may name the same
    named = json.dumps([part.elem_id for part in inputs])
    known = f"(...given) => cnnvis.known({named}, ...given)"
    event = {"js": known, "trigger_mode": "always_last", **PAGE, **LIGHT}
    gr.on([*once.values()], draw, [layer_picker, *inputs], outputs, **event)
    for follower in everyone:
        for changed in follower.after:
            changed.then(None, None, None, js="cnnvis.redraw", **PAGE)
