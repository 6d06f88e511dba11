"""The whole network on one screen: every convolution and pool with the shape of its maps, each a click away."""

import gradio as gr

from cnnvis.network.architecture import Layer
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.choice import OFFERED


def network_map() -> gr.HTML:
    """Lay it out; its script marks the chosen layer, without asking the server."""
    blocks = ""
    for block in range(1, OFFERED.layers[-1].block + 1):
        layers = (layer for layer in OFFERED.layers if layer.block == block and layer.kind != "relu")
        blocks += f"<li><h4>Block {block}</h4>{''.join(map(_button, layers))}</li>"
    return scripted(__file__, "network-map", value=f'<ol class="network-map">{blocks}</ol>', padding=False)


def _button(layer: Layer) -> str:
    side = PHOTO_SIDE // layer.stride
    shape = f"{side} × {side} × {layer.channels}"
    about = f'data-layer="{layer.name}" aria-label="{layer.name}, {shape}"'
    return f'<button type="button" {about}><b>{layer.name}</b><i>{shape.replace(" ", "")}</i></button>'
