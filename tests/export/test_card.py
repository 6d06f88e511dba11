"""A card needs nothing but itself, and its numbers are those that the engine's functions return."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import EXAMPLES
from helpers.ascents import CAT
from PIL import Image

import cnnvis
from cnnvis.errors import ChannelError, LayerError, SettingError
from cnnvis.views.card import MOST_FRAMES, SCRIPT, Frame, _growing, few
from cnnvis.views.figures import written

MOST_BYTES = 400_000
MORE = {"conv5_1": 260, "conv5_3": 17, "conv4_3": 307, "conv3_1": 100, "conv2_1": 0, "conv1_1": 63, "conv5_2": 511}
TWENTY = [(layer, number) for number, layer in enumerate(cnnvis.CONVOLUTIONS, 11)] + list(MORE.items())


class Read(HTMLParser):
    """What a card names and says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def values(figure: str) -> list[str]:
    return re.findall(r"<figcaption>(.*?)</figcaption>", figure.partition("</figcaption>")[2])


@pytest.mark.parametrize(("layer", "channel"), TWENTY)
def test_a_cards_numbers_are_the_engines(layer: str, channel: int) -> None:
    card = cnnvis.card(layer, channel)
    assert len(card.html.encode()) < MOST_BYTES
    exemplars = cnnvis.exemplars(layer, channel).exemplars
    assert values(card.figure) == [written(one.value, ".1f") for one in exemplars]
    wires = cnnvis.wiring(cnnvis.load_vgg16(), layer, channel, 6)
    shares = re.findall(r"<i>\S+ (?:<b>)?([+−]\d+\.\d %)", card.figure)
    expected = [f"{'−' if one.sum < 0 else '+'}{100 * one.share:.1f} %" for one in (*wires.reads, *wires.readers)]
    assert shares == expected


def test_a_card_asks_for_nothing_and_credits_every_photo() -> None:
    card = cnnvis.card("conv5_1", 260)
    read = Read(card.html)
    assert all(image["src"].startswith("data:image/") for image in read.all("img"))  # type: ignore[union-attr]
    assert not read.all("button") and not read.all("script") and len(read.all("figure")) == 11
    assert [link["href"] for link in read.all("link")] == ["data:,"]
    assert not re.search(r"url\(|@import|\bid=", card.html)
    said = "".join(read.words)
    for exemplar in cnnvis.exemplars("conv5_1", 260).exemplars:
        assert exemplar.title in said and exemplar.author in said and exemplar.licence in said
        assert exemplar.source in {link["href"] for link in read.all("a")}
    assert {"og:title", "og:description", "og:image"} <= {tag.get("property") for tag in read.all("meta")}
    assert all(image["alt"] for image in read.all("img") if image.get("class") == "sharp-kernel")


def test_with_a_live_page_what_can_be_tried_is_a_link() -> None:
    card = cnnvis.card("conv3_1", 7, live='https://a.example/x"y/?tab=maps#here')
    hrefs = [link["href"] or "" for link in Read(card.figure).all("a")]
    live = [href for href in hrefs if href.startswith('https://a.example/x"y/?')]
    assert 'https://a.example/x"y/?tab=maximize&layer=conv3_1&channel=7' in live
    assert sum("tab=atlas" in href for href in live) == 13  # twelve wires, and the page itself
    assert "Grow it live" in card.figure and "Grow it live" not in cnnvis.card("conv3_1", 7).figure


def test_a_photo_goes_in_with_its_map() -> None:
    photo = EXAMPLES / "coffee.jpg"
    drawn = cnnvis.feature_map(cnnvis.load_vgg16(), photo, "conv5_1", 260)
    card = cnnvis.card("conv5_1", 260, photo=photo)
    assert values(card.figure)[-1] == written(drawn.max, ".1f") and "a photo of the author" in card.figure


def test_a_card_winds_its_ascent_back() -> None:
    grown = list(cnnvis.maximize(cnnvis.load_vgg16(), "conv1_1", 5, steps=20, size=64, every=0))
    card = cnnvis.card("conv1_1", 5, grown=grown)
    assert card.figure.count('alt="the picture at step') == MOST_FRAMES and len(SCRIPT) < 3000
    assert "<figcaption>step 20 of 20</figcaption>" in card.figure and len(card.html) < MOST_BYTES
    with pytest.raises(SettingError, match=r"are of conv1_1 channel 5: give those of conv1_1 channel 6\."):
        cnnvis.card("conv1_1", 6, grown=grown)


def test_even_a_dozen_frames_of_noise_leave_a_card_small() -> None:
    chance = np.random.default_rng(0)
    noise = [Image.fromarray(chance.integers(0, 256, (128, 128, 3), np.uint8)) for _ in range(MOST_FRAMES)]
    frames = _growing([Frame(f"step {number}", picture) for number, picture in enumerate(noise)])
    assert len(cnnvis.card("conv5_1", 260, photo=CAT).html.encode()) + len(frames) < MOST_BYTES


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 60])
def test_few_frames_keep_both_ends(count: int) -> None:
    frames = [Frame(str(number), None) for number in range(count)]  # type: ignore[arg-type]
    kept = few(frames)
    assert len(kept) == min(count, MOST_FRAMES) and (kept[0], kept[-1]) == (frames[0], frames[-1])
    assert len(set(map(id, kept))) == len(kept)


@pytest.mark.parametrize(("row", "column"), [(None, None), (4, 5), (0, 0), (13, 13), (2, 9)])
def test_a_places_numbers_are_the_engines(row: int | None, column: int | None) -> None:
    net = cnnvis.load_vgg16()
    card = cnnvis.card("conv5_1", place=(CAT, row, column))
    place = cnnvis.dictionary(net, CAT, "conv5_1", row, column)
    named = re.findall(r"<span>(\d+) · ([^<]+)</span>", card.figure)
    assert named == [(str(one.channel), written(one.above, ".1f")) for one in place.channels]
    assert card.name == f"conv5_1, row {place.row}, column {place.column}"
    why = cnnvis.why(net, CAT, "conv5_1", place.channels[0].channel, *place.cell)
    assert f"is <b>{written(why.value)}</b> here" in card.figure
    assert len(card.html.encode()) < MOST_BYTES and not Read(card.html).all("button")


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"layer": "conv9_1"}, LayerError, "does not exist"),
        ({"layer": "conv5_1"}, ChannelError, "channel None does not exist in conv5_1"),
        ({"layer": "relu5_1", "channel": 3}, LayerError, "choose a convolution"),
        ({"layer": "conv5_1", "channel": 3, "theme": "blue"}, SettingError, "choose one of auto, light, dark"),
        ({"layer": "conv5_1", "channel": 3, "live": "javascript:alert()"}, SettingError, "begins with https"),
        ({"layer": "conv5_1", "channel": 3, "place": (CAT, 1, 1)}, SettingError, "leave out everything else"),
        ({"layer": "conv5_1", "channel": 3, "concept": 3}, SettingError, "leave out everything else"),
        ({"layer": "conv5_1", "concept": 64}, SettingError, "concept 64 is out of range"),
        ({"layer": "conv3_1", "concept": 0}, LayerError, "has no concepts"),
        ({"layer": "conv5_1", "place": (CAT, 14, 0)}, SettingError, "row 14 is out of range"),
        ({"layer": "conv5_1", "place": (CAT, None, 3)}, SettingError, "row is missing"),
    ],
)
def test_what_no_card_can_show_is_refused(asked: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        cnnvis.card(**asked)


def test_a_card_is_shown_in_a_notebook_and_saved(tmp_path: Path) -> None:
    card = cnnvis.card("conv1_1", 0, theme="dark")
    card.save(tmp_path / "card.html")
    assert (tmp_path / "card.html").read_text(encoding="utf-8") == card.html
    assert card._repr_html_() == card.figure and 'data-theme="dark"' in card.figure
    assert re.fullmatch(r"<card of conv1_1 channel 0, \d+ kB>", repr(card))


@pytest.mark.usefixtures("vgg16")  # loaded with the bundled shelf, as every later test expects
def test_without_a_shelf_or_an_atlas_a_card_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_SHELF", str(tmp_path))
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    figure = cnnvis.card("conv3_1", 5).figure
    assert "make one with" in figure and "has no sheet of conv3_1" in figure and "reads" in figure


@pytest.mark.parametrize("layer", ["conv4_3", "conv5_1", "conv5_2", "conv5_3"])
def test_every_concepts_numbers_are_the_engines(layer: str) -> None:
    found = cnnvis.concepts(layer)
    for number, concept in enumerate(found.concepts):
        card = cnnvis.card(layer, concept=number)
        assert values(card.figure) == [written(one.value, ".1f") for one in concept.exemplars[:9]]
        weights = re.findall(r"<i>(\d+) <b>(\d+) %</b></i>", card.figure)
        assert weights == [(str(one.channel), f"{100 * one.weight:.0f}") for one in concept.channels[: len(weights)]]
        assert weights and f"It is {100 * concept.share:.1f} % of what" in card.figure
        assert len(card.html.encode()) < MOST_BYTES and not Read(card.html).all("button")


def test_a_concepts_card_has_its_map_and_its_links() -> None:
    card = cnnvis.card("conv5_3", concept=3, photo=CAT, live="https://a.example/")
    found, net = cnnvis.concepts("conv5_3"), cnnvis.load_vgg16()
    assert values(card.figure)[-1] == written(float(found.values(net, CAT)[3].max()), ".1f")
    hrefs = {link["href"] for link in Read(card.figure).all("a")}
    assert "https://a.example/?tab=maximize&layer=conv5_3&of=concept3" in hrefs
    assert "https://a.example/?tab=atlas&layer=conv5_3&of=concept3" in hrefs
    assert card.name == "concept 3 of conv5_3"
