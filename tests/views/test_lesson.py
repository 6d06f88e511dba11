"""The lesson: its pages are views that exist, and what it says is true."""

from urllib.parse import parse_qsl

import pytest
from helpers import EXAMPLES

import cnnvis
from cnnvis.analysis.interventions import ablate
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.vgg import VGG16, conv_module
from cnnvis.ui.links import read_query
from cnnvis.ui.serving.cache import TREE_COUNT, TREE_DEPTH
from cnnvis.views.lesson import PAGES, Page, pages, still_pages

CAT = EXAMPLES / "chelsea.jpg"
BY_TITLE = {page.title: page for page in PAGES}


def answered(title: str) -> str:
    """The option that a page calls right."""
    page = BY_TITLE[title]
    return page.options[page.right]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.title)
def test_a_page_is_a_view_and_short(page: Page) -> None:
    address, wrong = read_query(dict(parse_qsl(page.query)))
    assert not wrong and dict(parse_qsl(page.query))["tab"] == address.tab
    assert 2 <= len(page.options) <= 3 and 0 <= page.right < len(page.options)
    assert len(f"{page.text} {page.asks}".split()) <= 85 and len(f"{page.answer}{page.more}".split()) <= 50


def test_there_are_twelve_at_most_and_the_last_is_a_quiz_of_five() -> None:
    assert 8 <= len(PAGES) <= 12
    address, _ = read_query(dict(parse_qsl(PAGES[-1].query)))
    assert (address.tab, address.values["questions"]) == ("quiz", "5")


def test_a_site_has_the_pages_whose_layer_and_photo_it_has() -> None:
    every = [page["title"] for page in still_pages(CONVOLUTIONS, ["chelsea.jpg"]) if page]
    assert len(every) == 5 and "Now you" not in every and "A picture grown from noise" not in every
    shown = still_pages(["conv5_1"], ["coffee.jpg"])
    assert len(shown) == len(PAGES)  # each keeps its number, and so its link
    for number, (page, whole) in enumerate(zip(shown, pages(), strict=True), 1):
        if page:
            assert "layer=conv5_1" in page["query"] and page["query"].endswith(f"lesson={number}")
            assert page["query"] == whole["query"] and whole["answer"].startswith(page["answer"])
            assert "Feature maps tab" not in page["answer"] and page["title"] != "What does it see here?"
    assert sum(map(bool, shown)) == 3 and not any(still_pages(["conv1_2"], []))


def test_the_first_filter_responds_to_dark_above_bright(vgg16: VGG16) -> None:
    weights = conv_module(vgg16, find_layer("conv1_1")).weight[57]
    above, below = weights[:, 0].sum(), weights[:, 2].sum()
    assert above < 0 < below and abs(float(weights.sum())) < 0.05 * float(weights.abs().sum())
    assert "dark above and bright below" in answered("What is a filter?")


def test_the_numbers_of_weights_and_what_a_value_sees(vgg16: VGG16) -> None:
    shallow, deep = (conv_module(vgg16, find_layer(layer)).weight[17].numel() for layer in ("conv2_1", "conv5_3"))
    assert answered("Filters of filters") == str(shallow)
    assert f"{deep:,} weights" in BY_TITLE["Filters of filters"].answer
    assert answered("How much does it see?") == f"{find_layer('conv5_3').receptive_field} px"


def test_all_nine_are_buildings() -> None:
    """Checked by eye; the test makes sure that they stay the same nine."""
    titles = {exemplar.title for exemplar in cnnvis.exemplars("conv5_1", 404).exemplars}
    assert {"Colosseum", "Golden Temple", "Mysore Palace", "Sydney Opera House", "Nagoya Castle", "Windmill"} <= titles


@pytest.mark.slow
def test_an_ascent_rises_fast_at_first(vgg16: VGG16) -> None:
    *_, last = cnnvis.maximize(vgg16, "conv4_3", 307)
    third, curve = len(last.curve) // 3, last.curve
    assert curve[third] - curve[0] > 0.5 * (max(curve) - curve[0])


def test_what_silencing_leaves_of_the_value(vgg16: VGG16) -> None:
    left = ablate(vgg16, CAT, cnnvis.why(vgg16, CAT, "conv4_1", 371, 8, 8, TREE_COUNT, TREE_DEPTH))
    said = f"{left.without:.0f} of {left.value:.0f}. With as many random channels silenced instead, "
    assert f"{said}{left.without_random:.0f} remains." in BY_TITLE["Why here?"].answer
    assert 0.2 < left.without / left.value < 0.3


def test_the_concept_of_the_lesson_adds_up_so_many_filters_and_shows_animals() -> None:
    page = BY_TITLE["Is one filter the unit?"]
    concept = cnnvis.concepts("conv5_1")[6]
    assert "of=concept6" in page.query and f"adds up {len(concept.direction)} filters" in page.text
    assert not concept.vague and answered(page.title) == "Legs of animals"
    titles = [exemplar.title for exemplar in concept.exemplars[:9]]  # checked by eye: each shows legs
    assert {"Sheep", "German shepherd dog", "Penguin", "Ring-tailed lemurs", "Camels", "Hens", "Horse"} <= set(titles)


def test_the_relu_makes_negative_values_zero(vgg16: VGG16) -> None:
    before, after = (cnnvis.feature_maps(vgg16, CAT, layer).values[57] for layer in ("conv1_1", "relu1_1"))
    assert (after[before < 0] == 0).all() and answered("How does it respond?") == "It makes it zero"


def test_the_eyes_place_and_group_stay_the_same_channels(vgg16: VGG16) -> None:
    """Checked by eye; the test makes sure that they stay the same."""
    last = cnnvis.groups(vgg16, CAT, "conv5_1").groups[-1]
    assert {471, 135} <= {member.channel for member in last.channels}
    place = cnnvis.dictionary(vgg16, CAT, "conv5_1", 5, 4)
    assert {295, 471, 460, 135} <= {entry.channel for entry in place.channels}
