"""The guided lesson: twelve short pages beside the page itself, each with one thing to predict before it is shown.

A site has those whose view needs no server.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

SCRIPT, STYLE = (Path(__file__).with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".js", ".css"))
TEMPLATE = """<button type="button" class="lesson-open" title="A lesson in twelve short pages">Lesson</button>
<aside class="lesson" aria-labelledby="lesson-title" hidden></aside><style class="lesson-lights"></style>"""


@dataclass(frozen=True)
class Page:
    """One page: a view, what to know about it, what to predict, and the answer."""

    title: str
    query: str  # the view that it is about
    lights: str  # CSS selector of what it is about, which is outlined and in view
    text: str
    asks: str
    options: tuple[str, ...]
    right: int  # of the options
    answer: str
    more: str = ""  # of the answer, where there is a server
    still: str = ""  # what it is about on a site; "" if the view needs a server
    photo: str = ""  # that a site must have for it

    @property
    def layer(self) -> str:
        """The layer of its view."""
        return dict(parse_qsl(self.query))["layer"]


# fmt: off
PAGES = (
    Page("What is a filter?", "tab=filters&layer=conv1_1&channel=57", "#filter-large",
         """To a computer, a photo is numbers: red, green and blue at every point. A <b>filter</b> of the first layer
has 27 weights, nine for each colour. It slides over the photo, multiplies each number under it by a weight, and adds up
the products. This filter's upper weights are negative (dark here), its lower ones positive (bright).""",
         "Where is its sum largest?",
         ("Where the photo is bright all over", "At edges, dark above and bright below", "Where the photo is dark"), 1,
         """At such edges, bright parts meet positive weights and dark parts meet negative ones. Where everything is
bright, the weights cancel out: together they are almost zero."""),
    Page("How does it respond?", "tab=maps&layer=conv1_1&channel=57", "#map-before, #map-after",
         """The sums at every point of a photo make up a new picture: the <b>feature map</b>. Orange is above zero, blue
below. Next comes the <b>ReLU</b>, a very simple rule.""",
         "Compare the two maps. What does the ReLU do to a value below zero?",
         ("It keeps it", "It flips the sign", "It makes it zero"), 2,
         "So the next layer learns where the pattern is, but not where its opposite is. Other filters report that."),
    Page("Filters of filters", "tab=filters&layer=conv2_1&channel=51", "#reads",
         """The second layer reads the maps of the first, the third reads those of the second, and so on. A filter of
conv2_1 reads the 64 maps of conv1_2. For each map it has nine weights: a <b>kernel</b>.""",
         "How many weights does one filter of conv2_1 have?",
         ("9", "27", "576"), 2,
         """It has 64 kernels of nine weights. A filter of conv5_3 has 512 kernels, which makes 4,608 weights: nobody
can tell from looking at them what it responds to.""", still=".two section:first-child"),
    Page("How much does it see?", "tab=learn&layer=conv5_3&channel=17", "#network-map",
         """A value of conv1_1 sees 3 × 3 px of the photo. A value of the next layer sees 3 × 3 of those values. After
every block, <b>pooling</b> keeps only the largest of every four values, so later filters reach twice as far.""",
         "The photo is 224 px wide. How much of that does a value of conv5_3, the last layer of filters, see?",
         ("27 px", "76 px", "196 px"), 2,
         "Nearly the whole photo. This is its <b>receptive field</b>; <i>What a layer sees</i>, above, draws it."),
    Page("Photos show what it looks for", "tab=atlas&layer=conv5_1&channel=404", "#atlas-filter .nine",
         """Weights no longer help here, so look at photos: the nine of the shelf that excite the channel most. Each
is cut to the piece that one value sees. The number below is that value.""",
         "What does channel 404 of conv5_1 look for?",
         ("Water", "Buildings", "Animals"), 1,
         """All nine show buildings. But nine photos can mislead: perhaps it looks not for buildings but for roofs
against the sky.""", " To test that, press <i>Show weaker photos too</i> in the Feature maps tab.", ".nine"),
    Page("A picture grown from noise", "tab=maximize&layer=conv4_3&channel=307", "#start, .stage-plot",
         """Photos show only what happens to be in them. <b>Activation maximization</b> starts from noise instead. Again
and again, it changes every pixel a little in the direction that raises the activation (Erhan et al. 2009).""",
         "Predict: how will the activation rise? Then press Grow and watch the curve.",
         ("Evenly, step by step", "Fast at first, then slowly", "Only near the end"), 1,
         "After a third of the steps, most of the rise is over. The picture keeps getting clearer, though."),
    Page("Why here?", "tab=maps&layer=conv4_1&channel=371&row=8&column=8", "#why .tree, #silence",
         """Every value is a sum, so we can list its parts: what each channel adds, and what that is made of in turn,
three layers back. That is arithmetic. That these channels really <i>matter</i> is a claim, and claims can fail.""",
         "Suppose the few channels in the tree are silenced everywhere. How much of this value remains?",
         ("Nearly all", "About half", "About a quarter"), 2,
         "Press the button and see: 21 of 78. With as many random channels silenced instead, 67 remains."),
    Page("What does it see here?", "tab=maps&layer=conv5_1&channel=295&row=5&column=4",
         "#dictionary .dict",
         """Now the other way round: not what a filter looks for, but what VGG16 sees <i>here</i>, at one place of a
photo. It shows the filters that respond there far more than they usually do, each with its picture and best photo.""",
         "The place is the cat's eye. Look at the pictures: what do most of these filters look for?",
         ("Fur", "Eyes and round things", "A whole cat"), 1,
         """Eyes, beads, shiny dots: no filter is <i>the</i> one for a cat's eye. Point at the nose, the whiskers or the
background to see what VGG16 has for those.""", still="#here", photo="chelsea.jpg"),
    Page("Parts of a photo", "tab=maps&layer=conv5_1&channel=471&row=5&column=4",
         "#groups section:last-child",
         """Some filters rise and fall together, wherever you look in the photo. Such <b>groups</b> share out most of
what a layer sees. Each picture is the photo, lit where one group responds; the last is lit at the eyes.""",
         "Touch the last group: a picture grows for all its filters at once. What will it show?",
         ("Stripes of fur", "Eyes", "A whole cat"), 1,
         "Eyes: what the filters of a group have in common is often clearer than any one of them."),
    Page("Is one filter the unit?", "tab=atlas&layer=conv5_1&of=concept6&lens=concepts", "#atlas-filter .nine",
         """In deep layers one filter often responds to several unlike things, and several filters share one thing. A
<b>concept</b> is a set of filters that respond together in many photos. The tiles are the concepts of conv5_1; this one
adds up 60 filters. Beside its picture are the nine photos that have most of it.""",
         "What do these filters say together?",
         ("Grass", "Legs of animals", "Fur"), 1,
         """Legs. Is one of the filters that it mixes as clear? To 481 people, such mixtures were easier to understand
than this network's filters (Colin et al. 2024). With another network as the judge, we found hardly any difference; and
the last on the wall are vague.""", still=".nine"),
    Page("What these pictures cannot tell you", "tab=atlas&layer=conv5_1&channel=260", "#atlas-filter .grown img",
         """A grown picture shows what <i>can</i> excite a channel, not what usually does. A study asked people which of
two photos excites a channel more (Borowski et al. 2021, Inception V1). Guessing is right 50 % of the time.""",
         "How often were they right after seeing one grown picture?",
         ("50 %", "65 %", "92 %"), 1,
         """65 ± 5 % of the time; after nine photos, 92 ± 2 %. And a network can be changed so that its pictures lie
while it still works (Geirhos et al. 2024). So look at every view before you trust one.""", still=".grown"),
    Page("Now you", "tab=quiz&layer=conv5_1&seed=5&reference=both&questions=5", ".quiz-next, .quiz-sides",
         """Here are five questions, some with a grown picture, some with nine photos. They ask about VGG16 what the
study asked about Inception V1.""",
         "Which will help you more?",
         ("The grown pictures", "The nine photos", "Both equally"), 1,
         """They helped the people in the study more. Take the quiz: the result counts the two separately. With five
questions, chance plays a large part; the interval beside your count shows how large."""),
)
# fmt: on


def pages() -> list[dict[str, Any]]:
    """All pages for the script, each with the address of its view."""
    return [_shown(page, number, page.lights, page.answer + page.more) for number, page in enumerate(PAGES, 1)]


def still_pages(layers: Collection[str], photos: Collection[str]) -> list[dict[str, Any] | None]:
    """The pages of a site with these layers and photos; None for those that it cannot show."""
    shown: list[dict[str, Any] | None] = []
    for number, page in enumerate(PAGES, 1):
        there = page.still and page.layer in layers and (page.photo in photos or not page.photo)
        shown.append(_shown(page, number, page.still, page.answer) if there else None)
    return shown


def _shown(page: Page, number: int, lights: str, answer: str) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(page).items() if name not in ("more", "still", "photo")}
    return {**kept, "query": f"?{page.query}&lesson={number}", "lights": lights, "answer": answer}
