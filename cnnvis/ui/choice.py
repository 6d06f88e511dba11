"""The one choice that every tab follows: a layer and a channel, and which tab is open."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from cnnvis.vgg import LAYERS, check_channel, dialects, find_layer

TABS = ("filters", "maps", "maximize", "learn")

_TEMPLATE = """<div class="choice" role="group" aria-label="Layer and channel">
<div class="choice-field"><label for="layer">Layer</label>
<label class="choice-all"><input type="checkbox" class="choice-more" aria-label="All 31 layers"> all 31</label>
<select id="layer" class="choice-layer"></select></div>
<div class="choice-field"><label for="channel" class="choice-range"></label>
<input id="channel" class="choice-channel" type="number" min="0" step="1" inputmode="numeric" required></div>
<div class="choice-steps">
<button type="button" class="choice-previous">Previous</button>
<button type="button" class="choice-next">Next</button>
<button type="button" class="choice-random">Random</button></div>
</div>"""


@dataclass(frozen=True)
class Choice:
    """What the visitor looks at."""

    layer: str = "conv1_1"
    channel: int = 0
    tab: str = TABS[0]
    link: str = ""  # what the address says that the page was opened with, until it has been followed

    @classmethod
    def read(cls, value: Any) -> "Choice":
        """The choice that the bar's value says; it comes from a browser. Raises LayerError, ChannelError."""
        told = value if isinstance(value, dict) else {}
        layer = find_layer(told.get("layer", cls.layer))
        channel = check_channel(told.get("channel", cls.channel), layer.channels, layer.name)
        tab = told["tab"] if told.get("tab") in TABS else cls.tab
        return cls(layer.name, channel, tab, str(told.get("link") or ""))

    def value(self) -> dict[str, Any]:
        """The bar's value that says it; the rest only the browser knows."""
        return {"layer": self.layer, "channel": self.channel}

    def words(self) -> str:
        """The choice in words: what geometry says about it, and what other tools call the layer."""
        layer = find_layer(self.layer)
        _, torchvision, _, *keras = dialects(layer)
        every = f"one value for every {layer.stride} px" if layer.stride > 1 else "a value for every px"
        elsewhere = "".join([f" · torchvision: {torchvision}", *(f", Keras: {name}" for name in keras)])
        sees = f"each sees {layer.receptive_field} × {layer.receptive_field} px of the picture"
        return f"<strong>{layer.name} channel {self.channel}</strong> of {layer.channels} · {every}, {sees}{elsewhere}"


def choice_bar() -> gr.HTML:
    """Layer, channel, and buttons to walk through the channels; whatever was used, one `input` event goes out.

    It is made of the browser's own controls: they answer before the server does, and a phone shows its own wheel
    instead of a keyboard. (gr.Dropdown sends `input` twice for a click, and once for being left as it was.)
    """
    return gr.HTML(
        value=Choice().value(),
        layers={layer.name: layer.channels for layer in LAYERS},
        html_template=_TEMPLATE,
        js_on_load=Path(__file__).with_suffix(".js").read_text(),
        elem_id="choice",
        apply_default_css=False,
    )


def choice_words() -> gr.HTML:
    """The line below the bar that says what is chosen, to screen readers too."""
    return gr.HTML(
        Choice().words(),
        html_template='<p role="status" aria-live="polite">${value}</p>',
        elem_id="about-choice",
        elem_classes="quiet",
        apply_default_css=False,
    )
