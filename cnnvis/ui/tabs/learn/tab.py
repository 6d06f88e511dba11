"""The Learn tab: the network, one filter on the photo, the steps around it, a kernel of one's own, short lessons."""

from typing import Any

import gradio as gr

from cnnvis.analysis.arithmetic import PANEL_PX, Applied, Sum, apply_to_maps, sliding, with_window
from cnnvis.errors import PhotoError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE, animation
from cnnvis.ui.parts.base import html_block, large_picture
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.figures import digits, square
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE
from cnnvis.ui.serving.handlers import LIGHT, PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, find_photo
from cnnvis.ui.tabs.learn.around import around_here
from cnnvis.ui.tabs.learn.kernel import own_kernel
from cnnvis.ui.tabs.learn.network_map import network_map
from cnnvis.ui.texts import ABOUT_ARITHMETIC, ABOUT_NETWORK, ABOUT_SLIDING, CHOOSE_PHOTO_ELSEWHERE, LESSONS, PAPERS

SHOWN_PX = 2 * PANEL_PX
COLOURS = ("Red", "Green", "Blue")


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice. The photo is that of the Feature maps tab."""
    gr.Markdown(ABOUT_NETWORK, elem_classes="quiet")
    network_map()
    gr.Markdown(ABOUT_ARITHMETIC, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            place = large_picture("The photo, with the window on it", "window", height=SHOWN_PX)
            with gr.Row():
                row = gr.Number(112, label="Row", precision=0, elem_id="row", min_width=100)
                column = gr.Number(112, label="Column", precision=0, elem_id="column", min_width=100)
        with gr.Column(scale=3, min_width=300):
            sums = html_block("sums", "facts")
    steps = gr.HTML(elem_id="learn-steps", padding=False)
    own_kernel(shared, sums)
    gr.Markdown(ABOUT_SLIDING, elem_classes="quiet")
    play = gr.Button("Play", size="sm", elem_id="slide")
    slide = large_picture("The filter sliding", "sliding", height=240, visible=False)
    with gr.Row():
        for heading, text in LESSONS.items():
            with gr.Column(min_width=280), gr.Accordion(heading, open=True):
                gr.Markdown(text)
    gr.Markdown(PAPERS, elem_classes="quiet")

    clicked = place.select(_clicked, shared.layer_picker, [row, column], **PAGE, **QUICK)
    play.click(_slide, [shared.layer_picker, shared.photo], slide, **PAGE, **LIGHT)
    # After the numbers have been painted: they change with the choice, the place and the photo.
    sums.change(_steps, [shared.layer_picker, shared.photo, row, column], steps, **PAGE, **LIGHT)
    outputs = [place, row, column, sums, slide]
    triggers = [row.submit, row.blur, column.submit, column.blur]
    return Follower(_draw, [shared.photo, row, column], outputs, triggers, [clicked], failed=_empty)


def _applied(choice: Choice, photo: StoredPhoto) -> Applied:
    """The chosen filter on the photo, from the maps that the Feature maps tab uses too."""
    net = load_vgg16(SHEET_DEVICE)
    convolution = ARCHITECTURE.convolution_of(choice.layer)
    return apply_to_maps(net, cache.feature_maps(net, photo, convolution, "network"), choice.channel)


def _clicked(picked: Any, event: gr.SelectData) -> tuple[int, int]:
    """The row and the column of the map at a click on the photo."""
    across, down = event.index
    pixels = SHOWN_PX // PANEL_PX * ARCHITECTURE.convolution_of(Choice.read(picked).layer).stride
    return int(down) // pixels, int(across) // pixels


def _draw(choice: Choice, digest: str, row: float | None, column: float | None) -> tuple[Any, ...]:
    photo = find_photo(digest)
    if photo is None:
        return _empty(CHOOSE_PHOTO_ELSEWHERE)
    applied = _applied(choice, photo)
    height, width = applied.map.shape
    place = _inside(row, height), _inside(column, width)
    picture = with_window(applied.photo, place, (height, width)).resize((SHOWN_PX, SHOWN_PX), 0)
    one = applied.at(*place)
    alt = f"the photo with the window around row {place[0]}, column {place[1]} of the map of {one.layer}"
    return (
        gr.Image(picture_file(picture, f"{one.layer}-window"), alt_text=alt),
        _field("Row", height, row, place[0]),
        _field("Column", width, column, place[1]),
        _arithmetic(one),
        gr.Image(None, visible=False),
    )


@readable_errors
def _steps(picked: Any, digest: str, row: float | None, column: float | None) -> str:
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


def _arithmetic(one: Sum) -> str:
    """The sum in words and squares, as HTML."""
    inputs = len(one.window)
    if one.layer == "conv1_1":
        shown = {name: i for i, name in enumerate(COLOURS)}
    else:
        most = int(one.by_input.abs().argmax())  # the largest kernel may lie on zeros here
        shown = {f"Input channel {most}, which contributes most here": most}
    blocks = "".join(_block(name, one, i) for name, i in shown.items())
    rest = float(one.by_input.sum() - one.by_input[list(shown.values())].sum())
    if len(shown) < inputs:
        others = f"The other {inputs - len(shown)} input channels, in the same way"
        blocks += f'<p class="sum">{others}: <b>{digits(rest, "+")}</b></p>'
    after = digits(one.rectified) if one.rectified else "0, because the sum is negative"
    place = f'data-row="{one.row}" data-column="{one.column}"'
    further = f'<p class="next"><button type="button" data-go="maps" {place}>Why here? Three layers back</button></p>'
    return f"""<h3>{one.layer} filter {one.channel}, row {one.row}, column {one.column}</h3>{blocks}
<p class="sum">All {9 * inputs} products: <b>{digits(one.total - one.bias, "+")}</b>;
bias: <b>{digits(one.bias, "+")}</b>; sum: <b>{digits(one.total)}</b>; after ReLU: <b>{after}</b>.</p>
<p class="sum">The network's own map has <b id="network-value">{digits(one.network)}</b> there.</p>{further}"""


def _block(name: str, one: Sum, i: int) -> str:
    window, kernel, products = one.window[i], one.kernels[i], one.products[i]
    squares = f"{square('input', window)}<span>×</span>{square('weights', kernel)}<span>=</span>"
    squares += square("products", products)
    return f'<div class="product"><h4>{name}: {digits(float(one.by_input[i]), "+")}</h4><div>{squares}</div></div>'


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
