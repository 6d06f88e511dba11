"""A kernel of the visitor's own, applied to the photo at once, beside the filter of conv1_1 that is most like it.

The weights live in the browser: they come with every event, and the server keeps none.
"""

import json
from contextlib import suppress
from typing import Any

import gradio as gr
from PIL import Image
from torch import Tensor

from cnnvis.analysis.filters import colour_picture
from cnnvis.analysis.own_kernel import COLOURS, PRESETS, OwnMap, apply_to_seen, check_kernel, filter_kernel
from cnnvis.errors import AtlasError, CnnvisError, PhotoError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from cnnvis.network.weights import load_vgg16
from cnnvis.ui.parts.base import image_tag, scripted
from cnnvis.ui.parts.figures import digits, map_figure, written
from cnnvis.ui.parts.follow import Shared
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import PAGE, QUICK, readable_errors, sentence
from cnnvis.ui.serving.photos import find_photo
from cnnvis.ui.texts import ABOUT_OWN_KERNEL, CHOOSE_PHOTO_ELSEWHERE

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
    """Lay out the section; it is answered again whenever `drawn`, which is made of the photo, changes."""
    gr.Markdown(f"{ABOUT_OWN_KERNEL} {_normalisation()}", elem_classes="quiet")
    start = {"kernel": [[f"{weight:g}" for weight in row] for row in PRESETS[FIRST_PRESET]], "bias": "0"}
    about: dict[str, Any] = {"presets": PRESETS, "colours": COLOURS, "answer": "", "padding": False}
    editor = scripted(__file__, "kernel", value=start, html_template=_TEMPLATE, **about)
    event: dict[str, Any] = {**PAGE, **QUICK, "trigger_mode": "always_last"}
    gr.on([editor.input, drawn.change], _kernel, [editor, shared.photo], editor, **event)


def _normalisation() -> str:
    """The six numbers of the normalisation, in words."""
    parts = (
        f"({colour} − {mean}) / {deviation}"
        for colour, mean, deviation in zip(COLOURS, IMAGENET_MEAN, IMAGENET_STD, strict=True)
    )
    return f"Normalised means {', '.join(parts)}, where each colour goes from 0 to 1."


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
            begun = {"kernel": [_text(one) for one in kernel.kernels], "bias": f"{kernel.bias:.4f}"}
        else:
            kernel, begun = check_kernel(fields.get("kernel"), fields.get("bias")), {}
        photo = find_photo(digest)
        if photo is None:
            raise PhotoError(CHOOSE_PHOTO_ELSEWHERE)
        found = apply_to_seen(net, cache.seen(photo), kernel)
    except CnnvisError as error:
        return {"wrong": sentence(error)}
    said, like = _like(found)
    return {**begun, "said": said, "html": _row("Yours", found) + like}


def _text(rows: Tensor) -> list[list[str]]:
    return [[f"{weight:.4f}" for weight in row] for row in rows.tolist()]


def _like(found: OwnMap) -> tuple[str, str]:
    """The most similar filter of conv1_1 in words, and as HTML: the same of it, and a button that chooses it."""
    if found.nearest is None:
        words = "All weights are 0, so no filter is like it."
        return words, f'<p class="sum">{words}</p>'
    channel, cosine = found.nearest
    net = load_vgg16(SHEET_DEVICE)
    other = apply_to_seen(net, found.photo, filter_kernel(net, channel))
    words = f"VGG16's own, most like it: conv1_1 channel {channel}, cosine {written(cosine, '.2f')}"
    about = f'data-layer="conv1_1" data-channel="{channel}"'
    choose = f'<button type="button" {about}>Go to conv1_1 channel {channel}</button>'
    return words, f'{_row(words, other, _grown(channel))}<p class="next">{choose}</p>'


def _row(heading: str, found: OwnMap, grown: str = "") -> str:
    """A filter and its map before and after ReLU."""
    before, after, scale = found.values, found.rectified, float(found.values.abs().max())
    whose = heading.partition(":")[0]
    filters = _picture(
        colour_picture(found.kernel.kernels), f"{whose}: the weights in colour", "weights", "sharp-kernel"
    )
    maps = map_figure(before, f"{whose}: the map before ReLU", f"before ReLU: {_range(before)}", scale)
    maps += map_figure(after, f"{whose}: the map after ReLU", f"after ReLU: {_range(after)}", scale)
    return f'<h4>{heading}</h4><div class="map-figures"><div class="small">{filters}{grown}</div>{maps}</div>'


def _range(values: Tensor) -> str:
    low, high, mean = (digits(float(value)) for value in (values.min(), values.max(), values.mean()))
    return f"{low} to {high}, mean {mean}"


def _grown(channel: int) -> str:
    """The atlas's picture of a filter of conv1_1; nothing if the atlas has none."""
    with suppress(AtlasError):
        return _picture(cache.atlas_sheet(CONV1_1).tile(channel), f"grown for conv1_1 channel {channel}", "grown")
    return ""


def _picture(picture: Image.Image, alt: str, caption: str, looks: str = "") -> str:
    image = image_tag(picture, alt, kind="png" if looks else "jpeg", looks=looks)
    return f'<figure class="map-figure"><div>{image}</div><figcaption>{caption}</figcaption></figure>'
