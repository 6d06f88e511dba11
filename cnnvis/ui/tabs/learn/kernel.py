"""The visitor's own kernel, applied to the photo at once, beside the most similar filter of conv1_1.

The weights live in the browser: they come with every event, and the server keeps none.
"""

import json
from typing import Any

import gradio as gr

from cnnvis.analysis.filters import colour_picture
from cnnvis.analysis.own_kernel import COLOURS, PRESETS, OwnMap, apply_to_seen, check_kernel, filter_kernel
from cnnvis.errors import CnnvisError, PhotoError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.follow import Shared
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import find_photo
from cnnvis.ui.texts import ABOUT_OWN_KERNEL, CHOOSE_PHOTO
from cnnvis.views.figures import digits, map_figure, written
from cnnvis.views.html import image_at, image_tag

CONV1_1 = ARCHITECTURE.layers[0]
FIRST_PRESET = "Sobel across"
_OPTIONS = "".join(f"<option>{name}</option>" for name in (*PRESETS, "conv1_1 channel", "your own"))
_TEMPLATE = f"""<div class="kernel"><form class="kernel-editor" aria-label="Your own kernel">
<p><label>Preset <select class="kernel-preset">{_OPTIONS}</select></label>
<label class="kernel-which" hidden>Channel
<input class="kernel-channel" inputmode="numeric" autocomplete="off"></label></p>
<p><label><input type="checkbox" class="kernel-each"> One kernel for each colour</label></p>
<div class="kernel-weights"></div>
<p><label>Bias <input class="kernel-bias" inputmode="decimal" autocomplete="off"></label></p>
</form><div class="kernel-result"><p class="kernel-wrong" role="alert"></p>
<p class="kernel-said visually-hidden" role="status"></p><div class="kernel-answer"></div></div>
</div>"""


def own_kernel(shared: Shared, drawn: gr.HTML) -> None:
    """Lay out the section; it is drawn again whenever `drawn`, which is made of the photo, changes."""
    colours = zip(COLOURS, IMAGENET_MEAN, IMAGENET_STD, strict=True)
    normalised = ", ".join(f"({colour} − {mean}) / {deviation}" for colour, mean, deviation in colours)
    gr.Markdown(ABOUT_OWN_KERNEL.format(normalised=normalised), elem_classes="quiet")
    start = {"kernel": [[f"{weight:g}" for weight in row] for row in PRESETS[FIRST_PRESET]], "bias": "0"}
    props: dict[str, Any] = {"presets": PRESETS, "colours": COLOURS, "answer": ""}
    editor = scripted(__file__, "kernel", value=start, html_template=_TEMPLATE, padding=False, **props)
    event: dict[str, Any] = {**PAGE, **QUICK, "trigger_mode": "always_last"}
    gr.on([editor.input, drawn.change], _kernel, [editor, shared.photo], editor, **event)


@readable_errors
def _kernel(value: Any, digest: str) -> gr.HTML:
    """What the editor shows; its value, the weights, stays with the browser."""
    return gr.HTML(answer=json.dumps(kernel_answer(value, digest)))


def kernel_answer(value: Any, digest: str) -> dict[str, Any]:
    """The maps of a kernel as HTML, or what is wrong; for a filter of conv1_1 also its weights, as text.

    `value` comes from a browser: {kernel, bias}, or {channel} for a filter of conv1_1.
    """
    fields = value if isinstance(value, dict) else {}
    net = load_vgg16(SHEET_DEVICE)
    try:
        if "channel" in fields:
            kernel = filter_kernel(net, fields["channel"])
            weights = [[[f"{weight:.4f}" for weight in row] for row in rows] for rows in kernel.kernels.tolist()]
            filled = {"kernel": weights, "bias": f"{kernel.bias:.4f}"}
        else:
            kernel, filled = check_kernel(fields.get("kernel"), fields.get("bias")), {}
        photo = find_photo(digest)
        if photo is None:
            raise PhotoError(CHOOSE_PHOTO)
        own = apply_to_seen(net, cache.seen(photo), kernel)
    except CnnvisError as error:
        return {"wrong": error.sentence()}
    words, nearest = _nearest(own)
    return {**filled, "said": words, "html": _row("Yours", own) + nearest}


def _nearest(own: OwnMap) -> tuple[str, str]:
    """The most similar filter of conv1_1 in words, and as HTML: the same of it, and a button that chooses it."""
    if own.nearest is None:
        words = "All weights are 0, so no filter resembles it."
        return words, f'<p class="sum">{words}</p>'
    channel, cosine = own.nearest
    net = load_vgg16(SHEET_DEVICE)
    other = apply_to_seen(net, own.photo, filter_kernel(net, channel))
    words = f"VGG16's most similar filter: conv1_1 channel {channel}, cosine {written(cosine, '.2f')}"
    about = f'data-layer="conv1_1" data-channel="{channel}"'
    choose = f'<button type="button" {about}>Go to conv1_1 channel {channel}</button>'
    grown = image_at(cache.tile(CONV1_1, channel), f"grown for conv1_1 channel {channel}")
    return words, f'{_row(words, other, grown)}<p class="next">{choose}</p>'


def _row(heading: str, drawn: OwnMap, grown: str = "") -> str:
    """A filter, an <img> of what was grown for it if there is one, and its map before and after ReLU."""
    whose, weights, scale = heading.partition(":")[0], colour_picture(drawn.kernel.kernels), drawn.values.abs().max()
    tag = image_tag(weights, f"{whose}: the weights in colour", kind="png", looks="sharp-kernel")
    figures = f'<div class="small">{_figure(tag, "weights")}{grown and _figure(grown, "grown")}</div>'
    for when, values in (("before", drawn.values), ("after", drawn.rectified)):
        low, high, mean = (digits(float(value)) for value in (values.min(), values.max(), values.mean()))
        caption = f"{when} ReLU: {low} to {high}, mean {mean}"
        figures += map_figure(values, f"{whose}: the map {when} ReLU", caption, float(scale))
    return f'<h4>{heading}</h4><div class="map-figures">{figures}</div>'


def _figure(tag: str, caption: str) -> str:
    return f'<figure class="map-figure"><div>{tag}</div><figcaption>{caption}</figcaption></figure>'
