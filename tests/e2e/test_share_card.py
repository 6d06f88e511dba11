"""Share → A file for your blog: what is shown, with the visitor's own photo only if they say so."""

from pathlib import Path
from typing import Any

import pytest
from helpers import EXAMPLES
from playwright.sync_api import Page, expect

import cnnvis
from cnnvis.export.card import SOMEBODYS
from cnnvis.views.card import MOST_FRAMES
from cnnvis.views.figures import written


def downloaded(page: Page) -> tuple[str, str]:
    """The name and the text of the file that Share gives."""
    with page.expect_download() as given:
        page.locator("#copy-file").click()
    return given.value.suggested_filename, Path(given.value.path()).read_text(encoding="utf-8")


def test_the_card_of_a_filter_has_the_numbers_of_the_endpoint(visit: Any, url: str) -> None:
    page: Page = visit(query="?tab=atlas&layer=conv4_3&channel=307")
    page.locator("#header [data-panel=share]").click()
    name, card = downloaded(page)
    assert name == "conv4_3-307.html"
    for one in cnnvis.exemplars("conv4_3", 307).exemplars:
        assert f"<figcaption>{written(one.value, '.1f')}</figcaption>" in card
    assert "the example photo (cat)" in card and "cat (Stéfan van der Walt, CC0)" in card
    assert f'href="{url}/?tab=maximize&amp;layer=conv4_3&amp;channel=307"' in card
    expect(page.locator("#card-link")).to_contain_text("conv4_3-307.html (")
    expect(page.locator("#card-photo")).to_be_hidden()


def test_the_card_of_a_place_is_of_the_place_that_is_kept(visit: Any) -> None:
    page: Page = visit(query="?tab=maps&layer=conv5_1&channel=376&row=4&column=5")
    page.locator("#why .tree li").first.wait_for()
    page.locator("#header [data-panel=share]").click()
    name, card = downloaded(page)
    assert name == "conv5_1-place-4-5.html" and "<b>conv5_1, row 4, column 5</b>" in card
    place = cnnvis.dictionary(cnnvis.load_vgg16(), EXAMPLES / "chelsea.jpg", "conv5_1", 4, 5)
    for one in place.channels:
        assert f"<span>{one.channel} · {written(one.above, '.1f')}</span>" in card


@pytest.mark.parametrize("tab", ["atlas", "maps"])
def test_a_visitors_photo_goes_in_only_if_they_agree(visit: Any, tab: str, tmp_path: Path) -> None:
    page: Page = visit(query=f"?tab={tab}&layer=conv3_1&channel=7")
    own = tmp_path / "mine.png"
    cnnvis.open_photo(EXAMPLES / "coffee.jpg").save(own)
    page.locator("#photo-chip button").click()
    page.locator("#photo-panel input[type=file]").set_input_files(own)
    expect(page.locator("#photo-chip")).to_contain_text("Your photo")
    page.locator("#header [data-panel=share]").click()
    expect(page.locator("#card-photo")).to_be_visible()
    assert SOMEBODYS not in downloaded(page)[1]
    page.locator("#card-photo input").check()
    assert f"{SOMEBODYS}, lit where" in downloaded(page)[1]


def test_the_card_of_a_concept(visit: Any) -> None:
    page: Page = visit(query="?tab=atlas&layer=conv5_3&of=concept3&lens=concepts")
    page.locator("#atlas-filter h3", has_text="Concept 3").wait_for()
    page.locator("#header [data-panel=share]").click()
    name, card = downloaded(page)
    assert name == "conv5_3-concept-3.html" and "<b>concept 3 of conv5_3</b>" in card
    for one in cnnvis.concepts("conv5_3")[3].exemplars[:9]:
        assert f"<figcaption>{written(one.value, '.1f')}</figcaption>" in card


def test_what_has_grown_can_be_wound_back_in_the_card(visit: Any) -> None:
    page: Page = visit(query="?tab=maximize&layer=conv1_2&channel=3&steps=20&size=64")
    page.locator("#start").click()
    page.locator("#stage a[href$='.gif']").wait_for()
    page.locator("#header [data-panel=share]").click()
    card = downloaded(page)[1]
    assert 'type="range"' in card and 2 <= card.count('alt="the picture at step') <= MOST_FRAMES
    assert "<figcaption>step 20 of 20</figcaption>" in card
    page.keyboard.press("Escape")
    page.locator(".choice-next").click()
    page.locator("#about-choice", has_text="channel 4").wait_for()
    page.locator("#header [data-panel=share]").click()
    assert 'type="range"' not in downloaded(page)[1]
