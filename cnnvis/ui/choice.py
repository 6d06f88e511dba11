"""The one choice that every tab follows: a layer and a channel."""

import random
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from cnnvis.ui.follow import Choice, Follower, Way
from cnnvis.ui.handlers import PAGE, QUICK
from cnnvis.vgg import CONVOLUTIONS, LAYERS, check_channel, dialects, find_layer

ALL_LAYERS = [layer.name for layer in LAYERS]
FIRST: Choice = ("conv1_1", 0)


@dataclass(frozen=True)
class ChoiceBar:
    """The bar above the tabs: `state` is the choice itself, `follower` shows it, `ways` are what makes it."""

    state: gr.State
    follower: Follower
    ways: list[Way] = field(default_factory=list)


def choice_bar() -> ChoiceBar:
    """Layer, channel, and buttons to walk through the channels."""
    with gr.Row(elem_classes="choice"):
        layer = gr.Dropdown(list(CONVOLUTIONS), value=FIRST[0], label="Layer", elem_id="layer", min_width=130, scale=2)
        channel = gr.Number(
            FIRST[1], label=_channel_label(FIRST[0]), precision=0, elem_id="channel", min_width=130, scale=2
        )
        back = gr.Button("Previous", elem_id="previous", min_width=90, scale=0)
        on = gr.Button("Next", elem_id="next", min_width=90, scale=0)
        lucky = gr.Button("Random", elem_id="random", min_width=90, scale=0)
        every = gr.Checkbox(False, label="All 31 layers", elem_id="all-layers", container=False, min_width=120, scale=1)
    about = gr.HTML(
        _about(FIRST),
        html_template='<p role="status" aria-live="polite">${value}</p>',
        elem_id="about-choice",
        elem_classes="quiet",
        apply_default_css=False,
    )
    bar = ChoiceBar(gr.State(FIRST), Follower(None, _show, [], [layer, channel, about, every]))

    bar.ways.append(Way([layer.input], _choose, [layer, channel]))
    bar.ways.append(Way([channel.submit, channel.blur], _choose_strictly, [layer, channel]))
    # Whoever walks clicks quickly: these only move the choice, and the page is drawn where he stops.
    for button, step in ((back, -1), (on, 1), (lucky, 0)):
        button.click(_walker(step), bar.state, bar.state, **PAGE, **QUICK)
    every.input(_layer_names, [every, bar.state], layer, **PAGE, **QUICK)
    return bar


def follow_sheet(bar: ChoiceBar, chooser: gr.HTML) -> None:
    """Choosing a cell of a contact sheet is choosing that channel."""
    bar.ways.append(Way([chooser.select], lambda choice, event: (choice[0], int(event.index))))


def _channel_label(layer: str) -> str:
    return f"Channel (0 to {find_layer(layer).channels - 1})"


def _choose(before: Choice, event: gr.EventData, layer: str, channel: float | None) -> Choice:
    """A new layer keeps the channel number where it has it."""
    found = find_layer(layer)
    return found.name, min(max(0, int(channel or 0)), found.channels - 1)


def _choose_strictly(before: Choice, event: gr.EventData, layer: str, channel: float | None) -> Choice:
    found = find_layer(layer)
    return found.name, check_channel(channel, found.channels, found.name)


def _walker(step: int) -> Any:
    def walk(choice: Choice) -> Choice:
        layer, channel = choice
        count = find_layer(layer).channels
        return layer, (channel + step) % count if step else random.randrange(count)

    return walk


def _layer_names(every: bool, choice: Choice) -> Any:
    names = ALL_LAYERS if every else list(CONVOLUTIONS)
    return gr.Dropdown(choices=names if choice[0] in names else [*names, choice[0]])


def _show(choice: Choice) -> tuple[Any, Any, str, Any]:
    layer, channel = choice
    shown, every = gr.Dropdown(value=layer), gr.skip()
    if layer not in CONVOLUTIONS:  # a link may ask for what the short list does not have
        shown, every = gr.Dropdown(choices=ALL_LAYERS, value=layer), True
    return shown, gr.Number(channel, label=_channel_label(layer)), _about(choice), every


def _about(choice: Choice) -> str:
    """The choice in words: what geometry says about it, and what other tools call the layer."""
    layer = find_layer(choice[0])
    _, torchvision, _, *keras = dialects(layer)
    every = f"one value for every {layer.stride} px" if layer.stride > 1 else "a value for every px"
    elsewhere = "".join([f" · torchvision: {torchvision}", *(f", Keras: {name}" for name in keras)])
    sees = f"each sees {layer.receptive_field} × {layer.receptive_field} px of the picture"
    return f"<strong>{layer.name} channel {choice[1]}</strong> of {layer.channels} · {every}, {sees}{elsewhere}"
