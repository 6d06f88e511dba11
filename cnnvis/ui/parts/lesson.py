"""The guided lesson: ten short pages beside the page itself, each with one thing to predict before it is shown."""

from dataclasses import asdict, dataclass

import gradio as gr

from cnnvis.ui.parts.base import scripted

_TEMPLATE = """<button type="button" class="lesson-open">Take the lesson</button>
<aside class="lesson" aria-labelledby="lesson-title" hidden></aside><style class="lesson-lights"></style>"""


@dataclass(frozen=True)
class Page:
    """One page: a view of the page, what to know, what to predict, and what is so."""

    title: str
    query: str  # the view that it is about
    lights: str  # CSS selector of what it speaks of
    text: str
    asks: str
    options: tuple[str, ...]
    right: int  # of the options
    answer: str


PAGES = (
    Page(
        "What is a filter?",
        "tab=filters&layer=conv1_1&channel=57",
        "#filter-large",
        "A photo is numbers: red, green and blue at every point. A <b>filter</b> of the first layer is 27 weights, "
        "nine for each colour. It slides over the photo, multiplies each number below it by a weight, and adds. This "
        "one's upper weights are negative (dark here), its lower ones positive (bright).",
        "Where is its sum largest?",
        ("Where the photo is bright all over", "At edges, dark above and bright below", "Where the photo is dark"),
        1,
        "At such edges the bright numbers meet positive weights, and the dark ones the negative. Where all is bright, "
        "the weights cancel: together they are almost zero.",
    ),
    Page(
        "What does it answer?",
        "tab=maps&layer=conv1_1&channel=57",
        "#map-before, #map-after",
        "Its sums at every place of a photo are a picture again: its <b>feature map</b>. Orange is above zero, blue "
        "below. Then comes the <b>ReLU</b>, a very simple step.",
        "Compare both maps. What does the ReLU do with a value below zero?",
        ("It keeps it", "It turns its sign", "It makes it zero"),
        2,
        "So the next layer learns where the pattern is, but not where its opposite is. Other filters say that.",
    ),
    Page(
        "Filters of filters",
        "tab=filters&layer=conv2_1&channel=51",
        "#filter-large, #filter-facts",
        "The second layer reads the maps of the first, the third those of the second. conv2_1 reads the 64 maps of "
        "conv1_2, each through nine weights of its own: a <b>kernel</b>.",
        "How many weights has one filter of conv2_1?",
        ("9", "27", "576"),
        2,
        "64 kernels of nine. A filter of conv5_3 has 512 kernels, 4,608 weights: looking at them no longer tells "
        "anybody what it wants.",
    ),
    Page(
        "How much does it see?",
        "tab=learn&layer=conv5_3&channel=17",
        "#about-choice",
        "A value of conv1_1 sees 3 × 3 px of the photo. A value of the next layer sees 3 × 3 of those. And after every "
        "block, <b>pooling</b> keeps the largest of four values, so that each step reaches twice as far.",
        "How much does a value of conv5_3, the thirteenth convolution, see of the 224 px?",
        ("27 px", "76 px", "196 px"),
        2,
        "Nearly the whole photo. That is its <b>receptive field</b>; the line below the layer says it.",
    ),
    Page(
        "Photos say what it wants",
        "tab=atlas&layer=conv5_1&channel=404",
        "#atlas-filter .scale",
        "Weights no longer help here, so ask real photos: these nine of 352 excite the channel most. Each is cut to "
        "what one value sees, and its value stands below.",
        "What does channel 404 of conv5_1 want?",
        ("Water", "Buildings", "Animals"),
        1,
        "All nine are buildings. But nine photos can mislead: perhaps it wants no building, but roofs against a sky. "
        "<i>Show weaker photos too</i>, in the tab Feature maps, is a good test.",
    ),
    Page(
        "A picture grown from noise",
        "tab=maximize&layer=conv4_3&channel=307",
        "#start",
        "Photos show what happens to be in them. <b>Activation maximization</b> starts from noise and changes every "
        "pixel a little, in the direction that raises the activation, again and again (Erhan et al. 2009).",
        "Press Start and watch the curve. Predict: how will the activation rise?",
        ("Evenly, step by step", "Fast at first, then slowly", "Only near the end"),
        1,
        "After a third of the steps it has most of what it will get. The picture keeps getting clearer, though.",
    ),
    Page(
        "What it reads",
        "tab=filters&layer=conv4_2&channel=384",
        "#reads, #readers",
        "A deep filter is made of the channels it <b>reads</b>. Each row shows one: its picture, the kernel through "
        "which it is read, and whether it excites (+) or inhibits (−).",
        "Channel 384 reads 512 channels. How much of the filter is its strongest kernel?",
        ("About half", "About a tenth", "About a hundredth"),
        2,
        "Many channels decide together. Click a row to walk to it, and on, down to colours and edges. The browser's "
        "Back button brings you back.",
    ),
    Page(
        "Why here?",
        "tab=maps&layer=conv4_1&channel=371&row=8&column=8",
        "#silence",
        "Every value is a sum, so its reasons can be listed: what each channel adds, and what those are made of, three "
        "layers back. That is arithmetic. That those channels <i>matter</i> is a claim that could fail.",
        "Silence the few channels that the tree names, everywhere. How much of this value is left?",
        ("Nearly all", "About half", "About a quarter"),
        2,
        "Press the button and see: 21 of 78. Without as many random channels, 67 are left.",
    ),
    Page(
        "What these pictures cannot tell",
        "tab=atlas&layer=conv5_1&channel=260",
        "#atlas-filter .grown",
        "A grown picture shows what <i>can</i> excite a channel, not what usually does. A study asked people which of "
        "two photos excites a channel more; guessing is right in 50 % of cases (Borowski et al. 2021, Inception V1).",
        "How often were they right after one grown picture?",
        ("50 %", "65 %", "92 %"),
        1,
        "65 ± 5 %; after nine photos, 92 ± 2 %. And a network can be changed so that its pictures lie while it goes on "
        "working (Geirhos et al. 2024). So look at every view before you believe one.",
    ),
    Page(
        "Now you",
        "tab=quiz&layer=conv5_1&seed=5&reference=both&questions=5",
        ".quiz-next, .quiz-sides",
        "Five questions, some with a grown picture, some with nine photos. They are Borowski's question, for VGG16.",
        "Which will help you more?",
        ("The grown pictures", "The nine photos", "Both alike"),
        1,
        "It did for people in the study. Take the quiz: the result counts both apart. With five questions chance has a "
        "large part; the interval beside your count says how large.",
    ),
)


def lesson(elem_id: str) -> gr.HTML:
    """The button that opens the lesson, and its pages; the value is the number of the open page, 0 for none."""
    pages = [{**asdict(page), "query": f"?{page.query}&lesson={number}"} for number, page in enumerate(PAGES, 1)]
    return scripted(__file__, elem_id, value=0, pages=pages, html_template=_TEMPLATE, padding=False)
