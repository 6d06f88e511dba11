"""What the stage shows before an ascent: the picture grown ahead of the chosen channel or concept, and what it is."""

import gradio as gr

from cnnvis.network.architecture import Target, convolution
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.channel import grown
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.concept import concept_target, concept_url
from cnnvis.ui.serving import cache
from cnnvis.views.html import Address, image_at


def preview(elem_id: str) -> gr.HTML:
    """A slot for it; `preview_value` makes its value. It gives way to an ascent of the same channel."""
    return scripted(__file__, elem_id, padding=False)


def preview_value(choice: Choice) -> str:
    """The picture grown ahead of the chosen channel or concept as HTML; nothing if there is none."""
    target = choice.target
    if concept := cache.chosen_concept(choice.layer, choice.concept):
        found, number = concept
        seed = found.made["tiles"][number]["seed"]
        return _figure(concept_target(*concept), concept_url(*concept), found.named(number), seed)
    shown = "" if choice.of else grown(target)
    if isinstance(shown, str) or not (tile := shown[0].tiles[target.number]).fires:
        return ""
    return _figure(target, shown[1], f"the atlas's picture of {convolution(target)}", tile.seed)


def _figure(target: Target, url: Address, alt: str, seed: int) -> str:
    words = f"Grown ahead, with seed {seed}: a piece of it, enlarged. Press Grow to watch it grow from noise."
    return f'<figure data-name="{target}">{image_at(url, alt)}<figcaption>{words}</figcaption></figure>'
