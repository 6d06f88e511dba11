"""The Learn tab: one filter applied to the photo number by number, the filter sliding, and what it all means."""

from functools import lru_cache
from typing import Any

import gradio as gr
from torch import Tensor

from cnnvis.arithmetic import PANEL_PX, Applied, Sum, apply_filter, sliding, with_window
from cnnvis.images import animation, signed
from cnnvis.ui.choice import Choice
from cnnvis.ui.follow import Follower
from cnnvis.ui.handlers import HEAVY, PAGE, QUICK, bytes_file, for_people, large_picture, picture_file
from cnnvis.ui.texts import ABOUT_ARITHMETIC, ABOUT_SLIDING, LESSONS, PAPERS
from cnnvis.ui.zero import light_network
from cnnvis.vgg import convolution_name, find_layer

KEPT = 4  # filters laid over photos; at most 26 MB each
SHOWN_PX = 2 * PANEL_PX
COLOURS = ("Red", "Green", "Blue")


def learn_tab(bar: gr.HTML, photo: gr.Image) -> Follower:
    """Lay out the tab; returns what of it follows the choice. The photo is that of the Feature maps tab."""
    gr.Markdown(ABOUT_ARITHMETIC, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            place = large_picture("The photo, with the window on it", "window", height=SHOWN_PX)
            with gr.Row():
                row = gr.Number(112, label="Row", precision=0, elem_id="row", min_width=100)
                column = gr.Number(112, label="Column", precision=0, elem_id="column", min_width=100)
        with gr.Column(scale=3, min_width=300):
            sums = gr.HTML(elem_id="sums", elem_classes="facts")
    gr.Markdown(ABOUT_SLIDING, elem_classes="quiet")
    play = gr.Button("Let it slide", size="sm", elem_id="slide")
    slide = large_picture("The filter sliding", "sliding", height=240, visible=False)
    with gr.Row():
        for heading, text in LESSONS.items():
            with gr.Column(min_width=280), gr.Accordion(heading, open=True):
                gr.Markdown(text)
    gr.Markdown(PAPERS, elem_classes="quiet")

    clicked = place.select(_clicked, bar, [row, column], **PAGE, **QUICK)
    play.click(_slide, [bar, photo], slide, **PAGE, **HEAVY)
    outputs = [place, row, column, sums, slide]
    triggers = [row.submit, row.blur, column.submit, column.blur]
    return Follower("learn", _draw, [photo, row, column], outputs, triggers, [clicked])


@lru_cache(maxsize=KEPT)
def _applied(photo: str, layer: str, channel: int) -> Applied:
    return apply_filter(light_network(), photo, layer, channel)


def _clicked(bar: Any, event: gr.SelectData) -> tuple[int, int]:
    """Where in the map a click on the photo lies."""
    across, down = event.index
    pixels = SHOWN_PX // PANEL_PX * find_layer(convolution_name(Choice.read(bar).layer)).stride
    return int(down) // pixels, int(across) // pixels


def _draw(choice: Choice, photo: str | None, row: float | None, column: float | None) -> tuple[Any, ...]:
    gone = gr.Image(None, visible=False)
    if photo is None:
        return None, gr.skip(), gr.skip(), "Choose a photo in the tab Feature maps.", gone
    applied = _applied(photo, convolution_name(choice.layer), choice.channel)
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
        gone,
    )


def _field(name: str, count: int, given: float | None, used: int) -> gr.Number:
    """A number field; what stands in it is left alone where it is used, for the visitor may be typing again."""
    label = f"{name} (0 to {count - 1})"
    return gr.Number(label=label) if given == used else gr.Number(used, label=label)


def _inside(number: float | None, count: int) -> int:
    """A row or column of the map; its middle where none was given, or one that another layer had."""
    return int(number) if number is not None and 0 <= number < count else count // 2


def _arithmetic(one: Sum) -> str:
    """The sum in words and squares, as HTML."""
    inputs = len(one.window)
    if one.layer == "conv1_1":
        shown = {name: i for i, name in enumerate(COLOURS)}
    else:
        most = int(one.by_input.abs().argmax())  # the largest kernel may well lie on nothing here
        shown = {f"Input channel {most}, which counts most here": most}
    blocks = "".join(_block(name, one, i) for name, i in shown.items())
    rest = float(one.by_input.sum() - one.by_input[list(shown.values())].sum())
    if len(shown) < inputs:
        others = f"The other {inputs - len(shown)} input channels, multiplied and added alike"
        blocks += f'<p class="sum">{others}: <b>{_digits(rest, "+")}</b></p>'
    after = _digits(one.rectified) if one.rectified else "0, because it is negative"
    return f"""<h3>{one.layer} filter {one.channel}, row {one.row}, column {one.column}</h3>{blocks}
<p class="sum">All {9 * inputs} products <b>{_digits(one.total - one.bias, "+")}</b>,
bias <b>{_digits(one.bias, "+")}</b>: together <b>{_digits(one.total)}</b>; behind ReLU <b>{after}</b>.</p>
<p class="sum">The network's own map has <b id="network-value">{_digits(one.network)}</b> there.</p>"""


def _digits(value: float, sign: str = "") -> str:
    """A number to four digits, but of a small one no more decimals than float32 leaves after a long sum."""
    return format(value, f"{sign}#.4g" if abs(value) >= 0.1 else f"{sign}.4f").removesuffix(".")


def _block(name: str, one: Sum, i: int) -> str:
    window, kernel, products = one.window[i], one.kernels[i], one.products[i]
    squares = f"{_square('what it covers', window)}<span>×</span>{_square('weights', kernel)}<span>=</span>"
    squares += _square("products", products)
    return f'<div class="product"><h4>{name}: {_digits(float(one.by_input[i]), "+")}</h4><div>{squares}</div></div>'


def _square(caption: str, values: Tensor) -> str:
    """Nine numbers as a table, coloured by sign and size."""
    # Paler than the ramp itself, so that dark figures stay legible on it.
    colours = 255 - (255 - signed(values, float(values.abs().max())).astype(int)) * 55 // 100
    rows = "".join(
        "<tr>" + "".join(_cell(float(value), paint) for value, paint in zip(line, paints, strict=True)) + "</tr>"
        for line, paints in zip(values, colours, strict=True)
    )
    return f"<table><caption>{caption}</caption>{rows}</table>"


def _cell(value: float, paint: Any) -> str:
    return f'<td style="background: rgb({paint[0]}, {paint[1]}, {paint[2]})">{value + 0.0:.3f}</td>'


@for_people
def _slide(bar: Any, photo: str | None) -> Any:
    if photo is None:
        return gr.skip()
    choice = Choice.read(bar)
    layer, channel = convolution_name(choice.layer), choice.channel
    frames = sliding(_applied(photo, layer, channel))
    path = bytes_file(animation(frames, seconds=8.0, hold=3.0), f"{layer}-{channel}-sliding.gif")
    alt = f"filter {channel} of {layer} slides over what it reads, and its feature map grows beside it"
    return gr.Image(path, visible=True, alt_text=alt)
