"""Concepts in a browser: lens, one of them, to its filters and back, on the photo, growing, by keyboard, on a phone."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

import cnnvis
from cnnvis.ui.serving.photos import DEFAULT_PHOTO

from .conftest import SIDEWAYS, picture_at

CAT = DEFAULT_PHOTO.path


def seen_concept(page, number: int) -> None:
    expect(page.locator("#atlas-filter h3")).to_contain_text(f"Concept {number}")
    expect(page.locator("#about-choice")).to_contain_text(f"conv5_1 concept {number}")
    page.wait_for_function("of => new URLSearchParams(location.search).get('of') === of", arg=f"concept{number}")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_from_the_lens_to_a_filter_and_back_by_keyboard(visit, width: int, height: int) -> None:
    found = cnnvis.concepts("conv5_1")
    page = visit(width, height, query="?tab=atlas&layer=conv5_1&channel=260")
    page.locator("#lens button", has_text="Concepts").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#wall [data-of]")).to_have_count(len(found.concepts))
    expect(page.locator("#atlas-filter .grown")).to_be_visible()  # of the filter, until a concept is chosen
    page.locator("#wall [data-of]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    number = page.evaluate("+document.activeElement.dataset.of.replace('concept', '')")
    seen_concept(page, number)
    expect(page.locator("#wall [aria-pressed='true']")).to_have_attribute("data-of", f"concept{number}")
    assert page.evaluate(SIDEWAYS) <= 0
    leading = found.concepts[number].channels[0].channel
    page.locator(".mixture button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#atlas-filter h3")).to_have_text(f"conv5_1 channel {leading}")
    expect(page.locator("#wall [aria-pressed='true']")).to_have_count(0)
    page.locator(f'#atlas-filter .wire[data-of="concept{number}"]').click()
    seen_concept(page, number)
    page.go_back()
    expect(page.locator("#atlas-filter h3")).to_have_text(f"conv5_1 channel {leading}")
    page.locator("#choice [data-step='conv5_2']").dispatch_event("click")
    expect(page.locator("#wall [data-of]").first).to_have_attribute("data-layer", "conv5_2")


def test_a_link_opens_one_and_its_photos_open_large(visit) -> None:
    found = cnnvis.concepts("conv5_1")
    page = visit(query="?tab=atlas&layer=conv5_1&of=concept3&lens=concepts")
    seen_concept(page, 3)
    page.locator("#atlas-filter [data-large='1']").click()
    expect(page.locator("#large h2")).to_have_text("concept 3 of conv5_1")
    expect(page.locator("#large")).to_contain_text(found.concepts[3].exemplars[1].title)
    page.get_by_role("button", name="Close").click()
    page.locator("#atlas-filter [data-large='grown']").click()
    expect(page.locator("#large h2")).to_have_text("Concept 3 of conv5_1")


def test_a_layer_without_any_says_so(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv3_1&lens=concepts")
    expect(page.locator("#wall-said")).to_contain_text("has no concepts, its channels are the units")
    expect(page.locator("#wall [data-channel]")).to_have_count(256)
    page.locator("#lens button", has_text="Pictures").click()
    expect(page.locator("#wall-said")).to_be_hidden()


def test_what_is_seen_at_a_place_can_be_named_in_concepts(visit, vgg16) -> None:
    found = cnnvis.concepts("conv5_1")
    page = visit(query="?tab=maps&layer=conv5_1&channel=260&row=5&column=4")
    page.get_by_role("group", name="Named are").get_by_role("button", name="Concepts").click()
    mean, spread = (np.array([getattr(concept, name) for concept in found.concepts]) for name in ("mean", "spread"))
    above = (found.values(vgg16, CAT).numpy()[:, 5, 4] - mean) / spread
    first = int(above.argmax())
    entry = page.locator("#dictionary .entry").first
    expect(entry).to_have_attribute("data-of", f"concept{first}")
    expect(entry).to_contain_text(f"{first} · {above[first]:.1f}")
    expect(page.locator(".dictionary-why")).to_be_hidden()
    entry.click()
    expect(page.locator("#about-choice")).to_contain_text(f"conv5_1 concept {first}")
    expect(page.locator(".place-views")).to_contain_text(f"Concept {first}")
    expect(page.locator("#why")).to_contain_text(f"Concept {first} is")


def test_a_concept_grows_live(visit) -> None:
    page = visit(query="?tab=atlas&layer=conv5_1&of=concept2&steps=3&size=64")
    seen_concept(page, 2)
    page.locator("#atlas-filter").get_by_role("button", name="Grow it live").click()
    expect(page.locator("#target")).to_contain_text("conv5_1 · concept 2")
    page.locator('#stage a[href$=".gif"]').wait_for()
    saved = picture_at(page, page.locator('#stage a[href$=".png"]').get_attribute("href"))
    record = json.loads(saved.text["cnnvis"])
    assert {int(channel): weight for channel, weight in record["channel"].items()} == pytest.approx(
        cnnvis.concepts("conv5_1")[2].direction
    )
    page.wait_for_function("location.search.includes('tab=maximize') && location.search.includes('of=concept2')")


def test_the_quiz_can_be_about_concepts(visit) -> None:
    page = visit(query="?tab=quiz&layer=conv5_1&seed=7&questions=5&about=concepts")
    page.get_by_role("button", name="Start").click()
    question = cnnvis.quiz(7, "conv5_1", 5, about="concepts")[0]
    expect(page.locator("#quiz")).to_contain_text(f"grown to activate concept {question.concept} of conv5_1")
    page.locator(f'.quiz-side[data-side="{question.answer}"]').click()
    expect(page.locator(".quiz-verdict")).to_contain_text("Correct")
    page.get_by_role("button", name=f"See all about concept {question.concept}").click()
    seen_concept(page, question.concept)
