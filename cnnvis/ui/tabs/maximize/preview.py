"""What the stage shows before an ascent: the atlas's picture of the chosen channel, and what it is."""

import gradio as gr

from cnnvis.network.architecture import Target, convolution
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.channel import grown
from cnnvis.views.html import image_at


def preview(elem_id: str) -> gr.HTML:
    """A slot for it; `preview_value` makes its value. It gives way to an ascent of the same channel."""
    return scripted(__file__, elem_id, padding=False)


def preview_value(target: Target) -> str:
    """The atlas's picture of a channel as HTML; nothing if the atlas has none."""
    shown = grown(target)
    if isinstance(shown, str) or not (tile := shown[0].tiles[target.number]).fires:
        return ""
    picture = image_at(shown[1], f"the atlas's picture of {convolution(target)}")
    words = f"Grown ahead, with seed {tile.seed}: a piece of it, enlarged. Press Grow to watch it grow from noise."
    return f'<figure data-name="{target}">{picture}<figcaption>{words}</figcaption></figure>'
