"""What the stage shows before an ascent: the atlas's picture of the chosen channel, and what it is."""

import gradio as gr

from cnnvis.errors import AtlasError
from cnnvis.network.architecture import Target, convolution
from cnnvis.ui.parts.base import image_tag, scripted
from cnnvis.ui.serving import cache


def preview(elem_id: str) -> gr.HTML:
    """A slot for it; `preview_value` makes its value. It gives way to an ascent of the same channel."""
    return scripted(__file__, elem_id, padding=False)


def preview_value(target: Target) -> str:
    """The atlas's picture of a channel as HTML; nothing if the atlas has none."""
    grown = convolution(target)
    try:
        sheet = cache.atlas_sheet(grown.layer)
    except AtlasError:
        return ""
    tile = sheet.tiles[grown.number]
    if not tile.fires:
        return ""
    picture = image_tag(sheet.tile(grown.number), f"the atlas's picture of {grown}", kind="webp")
    words = f"""{grown}, from the atlas: grown ahead with seed {tile.seed}, the middle {sheet.picture_px} px. Press
Grow to grow it here, from noise."""
    return f'<figure data-name="{target}">{picture}<figcaption>{words}</figcaption></figure>'
