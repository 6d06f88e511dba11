"""The Learn tab: one filter on the photo, what surrounds it, the network, your own kernel, and three questions."""

from typing import Any

import gradio as gr

from cnnvis.analysis.arithmetic import PANEL_PX, Applied, Sum, apply_to_maps, sliding, with_window
from cnnvis.analysis.own_kernel import COLOURS
from cnnvis.errors import PhotoError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE, animation
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import ENCODING, LIGHT, PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.tabs.learn.around import around_here
from cnnvis.ui.tabs.learn.kernel import own_kernel
from cnnvis.ui.tabs.learn.network_map import network_map
from cnnvis.ui.texts import ABOUT_ARITHMETIC, ABOUT_NETWORK, ABOUT_SLIDING, CHOOSE_PHOTO, QUESTIONS
from cnnvis.views.figures import digits, square

WINDOW_PX = 2 * PANEL_PX  # side of the photo with the window on it


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    gr.Markdown(ABOUT_ARITHMETIC, elem_classes="quiet")
    with gr.Row(elem_id="one-filter"):
        with gr.Column(scale=2, min_width=280):
            window = _picture("The photo, with the window on it", "window", height=WINDOW_PX)
            with gr.Row():
                row = gr.Number(112, label="Row", precision=0, elem_id="row", min_width=100)
                column = gr.Number(112, label="Column", precision=0, elem_id="column", min_width=100)
        with gr.Column(scale=3, min_width=300):
            sums = html_block("sums", "facts")
            gr.Markdown(ABOUT_SLIDING, elem_classes="quiet")
            play = gr.Button("Play", size="sm", elem_id="slide")
            slide = _picture("The filter sliding", "sliding", height=240, visible=False)
    around = gr.HTML(elem_id="learn-around", padding=False)
    gr.Markdown(ABOUT_NETWORK, elem_classes="quiet")
    network_map()
    own_kernel(shared, sums)
    gr.Markdown(QUESTIONS, elem_classes="quiet")

    clicked = window.select(_clicked, shared.layer_picker, [row, column], **PAGE, **QUICK)
    play.click(_slide, [shared.layer_picker, shared.photo], slide, **PAGE, **ENCODING)
    # After the numbers have been painted: they change with the choice, the cell and the photo.
    sums.change(_around, [shared.layer_picker, shared.photo, row, column], around, **PAGE, **LIGHT)
    outputs = [window, row, column, sums, slide]
    triggers = [row.submit, row.blur, column.submit, column.blur]
    return Follower(_draw, [shared.photo, row, column], outputs, triggers, [clicked], failed=_empty)


def _picture(label: str, elem_id: str, **more: Any) -> gr.Image:
    """An empty slot for a picture that the page makes."""
    more |= {"elem_id": elem_id, "elem_classes": "picture", "buttons": ["download", "fullscreen"], "min_width": 100}
    return gr.Image(type="filepath", label=label, show_label=False, interactive=False, **more)


def _applied(choice: Choice, photo: StoredPhoto) -> Applied:
    """The chosen filter on the photo, from the maps that the Feature maps tab uses too."""
    net = load_vgg16(SHEET_DEVICE)
    convolution = ARCHITECTURE.convolution_of(choice.layer)
    return apply_to_maps(net, cache.feature_maps(net, photo, convolution, "network"), choice.channel)


def _clicked(picked: Any, event: gr.SelectData) -> tuple[int, int]:
    """The row and the column of the map at a click on the photo."""
    across, down = event.index
    pixels = WINDOW_PX // PANEL_PX * ARCHITECTURE.convolution_of(Choice.read(picked).layer).stride
    return int(down) // pixels, int(across) // pixels


def _draw(choice: Choice, digest: str, row: float | None, column: float | None) -> tuple[Any, ...]:
    photo = find_photo(digest)
    if photo is None:
        return _empty(CHOOSE_PHOTO)
    applied = _applied(choice, photo)
    height, width = applied.map.shape
    cell = _inside(row, height), _inside(column, width)
    picture = with_window(applied.photo, cell, (height, width)).resize((WINDOW_PX, WINDOW_PX), 0)
    alt = f"the photo with the window around row {cell[0]}, column {cell[1]} of the map of {applied.layer}"
    window = gr.Image(picture_file(picture, f"{applied.layer}-window"), alt_text=alt)
    fields = _field("Row", height, row, cell[0]), _field("Column", width, column, cell[1])
    return window, *fields, _arithmetic(applied.at(*cell)), gr.Image(None, visible=False)


@readable_errors
def _around(picked: Any, digest: str, row: float | None, column: float | None) -> str:
    choice = Choice.read(picked)
    side = PHOTO_SIDE // ARCHITECTURE.convolution_of(choice.layer).stride
    try:
        photo = find_photo(digest)
        return around_here(choice, photo, (_inside(row, side), _inside(column, side))) if photo else ""
    except PhotoError:
        return ""  # the numbers above say why


def _empty(reason: str) -> tuple[Any, ...]:
    """The tab without a photo, and why."""
    return None, gr.skip(), gr.skip(), reason, gr.Image(None, visible=False)


def _field(name: str, count: int, given: float | None, used: int) -> gr.Number:
    """A number field; a number in use is not written again, since the visitor may already be typing another."""
    label = f"{name} (0 to {count - 1})"
    return gr.Number(label=label) if given == used else gr.Number(used, label=label)


def _inside(number: float | None, count: int) -> int:
    """A row or column of the map; its middle if none was given, or one that this map does not have."""
    return int(number) if number is not None and 0 <= number < count else count // 2


def _arithmetic(value: Sum) -> str:
    """The sum in words and squares, as HTML."""
    inputs = len(value.window)
    if value.layer == "conv1_1":
        blocks = "".join(_block(colour.capitalize(), value, i) for i, colour in enumerate(COLOURS))
    else:
        most = int(value.by_input.abs().argmax())  # the largest kernel may lie on zeros here
        rest = digits(float(value.by_input.sum() - value.by_input[most]), "+")
        blocks = f"""{_block(f"Input channel {most}, which contributes most here", value, most)}
<p class="sum">The other {inputs - 1} input channels, in the same way: <b>{rest}</b></p>"""
    after = digits(value.rectified) if value.rectified else "0, because the sum is negative"
    go = f'data-go="maps" data-row="{value.row}" data-column="{value.column}"'
    return f"""<h3>{value.layer} filter {value.channel}, row {value.row}, column {value.column}</h3>{blocks}
<p class="sum">All {9 * inputs} products: <b>{digits(value.total - value.bias, "+")}</b>;
bias: <b>{digits(value.bias, "+")}</b>; sum: <b>{digits(value.total)}</b>; after ReLU: <b>{after}</b>.</p>
<p class="sum">The network's own map has <b id="network-value">{digits(value.network)}</b> at this cell.</p>
<p class="next"><button type="button" {go}>Why here? Three layers back</button></p>"""


def _block(name: str, value: Sum, i: int) -> str:
    factors = f"{square('input', value.window[i])}<span>×</span>{square('weights', value.kernels[i])}"
    squares = f"{factors}<span>=</span>{square('products', value.products[i])}"
    return f'<div class="product"><h4>{name}: {digits(float(value.by_input[i]), "+")}</h4><div>{squares}</div></div>'


@readable_errors
def _slide(picked: Any, digest: str) -> Any:
    photo = find_photo(digest)
    if photo is None:
        return gr.skip()
    applied = _applied(Choice.read(picked), photo)
    name = f"{applied.layer}-{applied.channel}-sliding.gif"
    path = bytes_file(animation(sliding(applied), seconds=8.0, hold=3.0), name)
    alt = f"filter {applied.channel} of {applied.layer} slides over its input while its feature map grows beside it"
    return gr.Image(path, visible=True, alt_text=alt)
