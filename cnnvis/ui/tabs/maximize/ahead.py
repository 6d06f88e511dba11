"""What stands on the stage before an ascent: the atlas's picture of the chosen channel, and what it is."""

import gradio as gr

from cnnvis.errors import AtlasError
from cnnvis.network.architecture import Target, convolution
from cnnvis.pictures.images import encode
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.serving import cache as cached
from cnnvis.ui.serving.files import bytes_url


def ahead(elem_id: str) -> gr.HTML:
    """A place for it; `ahead_value` makes its value. It gives way to an ascent of the same channel."""
    return scripted(__file__, elem_id, padding=False)


def ahead_value(target: Target) -> str:
    """The atlas's picture of a channel as HTML; nothing if the atlas has none."""
    mine = convolution(target)
    try:
        found = cached.atlas_sheet(mine.layer)
    except AtlasError:
        return ""
    tile = found.tiles[mine.number]
    if not tile.fires:
        return ""
    picture = bytes_url(encode(found.tile(mine.number), "webp"), "webp")
    words = (
        f"{mine}, from the atlas: grown ahead with seed {tile.seed}, the middle {found.picture_px} px. "
        "Press Start to grow it here, from noise."
    )
    return (
        f'<figure data-name="{target}"><img src="{picture}" alt="the atlas&#39;s picture of {mine}">'
        f"<figcaption>{words}</figcaption></figure>"
    )
