"""The choice that every tab follows: a layer and a channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.analysis.groups import MOST_GROUPS
from cnnvis.network.architecture import Architecture, Layer, Target
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.concepts import MOST_CONCEPTS
from cnnvis.ui.parts.base import html_block, scripted

OFFERED = Architecture()  # the picker offers the 31 layers; a class is chosen in the tab Activation maximization
UNNAMED = OFFERED.target("conv1_1", 0)  # what an address without a layer and channel means
LANDING = OFFERED.target("conv5_1", 260)  # what a visitor without an address sees: chosen by hand

SAVED = "saved"  # the direction of a saved picture that is to be repeated: no link can say it
# What the layer sees at the chosen place of the photo, or in one of its groups; and what its concepts are called.
OF_PHOTO = ("place", *(f"group{number}" for number in range(1, MOST_GROUPS + 1)))
OF_CONCEPTS = tuple(f"concept{number}" for number in range(MOST_CONCEPTS))
OF = (*OF_PHOTO, *OF_CONCEPTS)

_CHANNEL = """<div class="choice-steps">
<button type="button" class="choice-previous" aria-label="Previous channel" title="previous">‹</button>
<input id="channel" class="choice-channel" type="number" min="0" step="1" inputmode="numeric" required>
<button type="button" class="choice-next" aria-label="Next channel" title="next">›</button>
<button type="button" class="choice-random" aria-label="Random channel" title="random">⤨</button></div>"""


@dataclass(frozen=True)
class Choice:
    """What the visitor looks at: one channel, already checked, in one tab."""

    target: Target = LANDING
    tab: str = ""
    link: str = ""  # the address that the page was opened with, until it has been restored
    of: str = (
        ""  # one of OF_CONCEPTS, shown instead of the channel; or one of OF_PHOTO or SAVED, which is grown instead
    )
    wall: str = ""  # what the wall shows already: the key of its value

    @classmethod
    def read(cls, value: Any) -> "Choice":
        """Check the picker's value, which comes from a browser. Raises LayerError, ChannelError."""
        fields = value if isinstance(value, dict) else {}
        target = OFFERED.target(fields.get("layer", LANDING.layer.name), fields.get("channel", LANDING.number))
        of = fields.get("of") if fields.get("of") in (*OF, SAVED) else ""
        tab, link, wall = (str(fields.get(name) or "") for name in ("tab", "link", "wall"))
        return cls(target, tab, link, str(of), wall)

    @property
    def layer(self) -> Layer:
        """The layer."""
        return self.target.layer

    @property
    def channel(self) -> int:
        """The channel's number."""
        return self.target.number

    @property
    def concept(self) -> int | None:
        """The number of the chosen concept, which the layer may not have; None if none is chosen."""
        return OF_CONCEPTS.index(self.of) if self.of in OF_CONCEPTS else None

    def value(self) -> dict[str, Any]:
        """The picker's value for this choice."""
        return {"layer": self.layer.name, "channel": self.channel, "of": self.of}

    def words(self) -> str:
        """The choice in words, and how much one value sees."""
        name, of = str(self.target), f" of {self.layer.channels}"
        if self.concept is not None:
            name, of = f"{self.layer.convolution} concept {self.concept}", ""
        sees = f'each value sees {self.layer.receptive_field} px<span class="wide"> of the photo\'s {PHOTO_SIDE}</span>'
        return f'<strong>{name}</strong><span class="wide">{of}</span> · {sees}'


def layer_picker() -> gr.HTML:
    """Layer, channel, and buttons that move through the channels; each use sends one `input` event.

    The convolutions are steps, block by block; all 31 layers are in a menu, which on a phone stands alone. These are
    the browser's own controls: they react before the server does, and a phone shows its own picker. (A gr.Dropdown
    sends `input` twice for a click, and once more when it loses focus unchanged; once it sends one, it will do.)
    """
    layers = {layer.name: layer.channels for layer in OFFERED.layers}
    convolutions = [layer for layer in OFFERED.layers if layer.kind == "conv"]
    between = [layer for layer in OFFERED.layers if layer.kind != "conv"]
    blocks = (
        (layer for layer in convolutions if layer.block == block) for block in range(1, convolutions[-1].block + 1)
    )
    steps = "".join(f"<span>{''.join(map(_step, block))}</span>" for block in blocks)
    menu = _options("Convolutions", convolutions) + _options("After them", between)
    template = f"""<div class="choice" role="group" aria-label="Layer and channel">
<div class="choice-depth">{steps}</div>
<span class="choice-menu">
<select id="layer" class="choice-layer" aria-label="Layer" title="all 31 layers">{menu}</select></span>
{_CHANNEL}</div>"""
    return scripted(__file__, "choice", value=Choice().value(), layers=layers, html_template=template, padding=False)


def _step(layer: Layer) -> str:
    sees = f"{layer.name}: each value sees {layer.receptive_field} px"
    name = layer.name.removeprefix("conv")
    return f'<button type="button" data-step="{layer.name}" aria-label="{layer.name}" title="{sees}">{name}</button>'


def _options(label: str, layers: Sequence[Layer]) -> str:
    return f'<optgroup label="{label}">{"".join(f"<option>{layer.name}</option>" for layer in layers)}</optgroup>'


def choice_words() -> gr.HTML:
    """The line below the picker that describes the choice, also to screen readers."""
    template = '<p role="status" aria-live="polite">${value}</p>'
    return html_block("about-choice", "quiet", value=Choice().words(), html_template=template)
