"""A card in a real browser: from a file, in a frame, twice in a page, without scripts, printed, and by keyboard."""

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.ascents import CAT
from playwright.sync_api import expect

import cnnvis

from .conftest import SIDEWAYS, missing

WIDTHS = (1280, 390)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def cards() -> dict[str, cnnvis.Card]:
    """One of each kind."""
    grown = list(cnnvis.maximize(cnnvis.load_vgg16(), "conv1_2", 3, steps=15, size=64, every=0))
    live = {"live": "https://cnnvis.example/"}
    return {
        "channel": cnnvis.card("conv5_1", 260, photo=CAT, **live),
        "grown": cnnvis.card("conv1_2", 3, grown=grown),
        "concept": cnnvis.card("conv5_3", concept=3, **live),
        "place": cnnvis.card("conv5_1", place=(CAT, 4, 5), **live),
    }


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens HTML from a file; any request for another file, or a fault, fails the test."""
    wrong: list[str] = []
    contexts = []

    def opened(page: str, width: int = 1280, **kind: Any) -> Any:
        file = tmp_path / "page.html"
        file.write_text(page, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 800}, **kind)
        contexts.append(context)
        shown = context.new_page()
        ours = (file.as_uri(), "data:", "about:srcdoc")
        shown.on("request", lambda asked: asked.url.startswith(ours) or wrong.append(asked.url))
        shown.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.goto(file.as_uri())
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert not wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_card_opens_from_a_file(show: Any, cards: dict[str, cnnvis.Card], width: int, scheme: str) -> None:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("the package axe-playwright-python is not installed")
    for kind, card in cards.items():
        page = show(card.html, width, color_scheme=scheme)
        broken = [
            f"{kind} {rule['id']}: {node['html'][:200]}"
            for rule in Axe().run(page, options=RULES).response["violations"]
            for node in rule["nodes"]
        ]
        assert not broken
        assert page.evaluate(SIDEWAYS) <= 0
        assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 1)")


def test_a_theme_can_be_fixed(show: Any) -> None:
    shades = set()
    for scheme in ("light", "dark"):
        page = show(cnnvis.card("conv1_1", 0, theme="dark").html, color_scheme=scheme)
        shades.add(page.locator("figure").first.evaluate("card => getComputedStyle(card).backgroundColor"))
    assert shades == {"rgb(23, 27, 35)"}


def test_two_figures_in_one_page_both_work_and_change_nothing_else(show: Any, cards: dict[str, cnnvis.Card]) -> None:
    figure = cards["grown"].figure
    page = show(f"<!DOCTYPE html><title>A blog</title><figure id='mine'><img alt=''>text</figure>{figure}{figure}")
    sliders = page.locator(".cnnvis-card input")
    sliders.nth(1).focus()
    page.keyboard.press("Home")
    shown = page.locator(".card-growing figure:not([hidden]) figcaption")
    expect(shown).to_have_text(["step 15 of 15", "step 0 of 15"])
    mine = "figure => [getComputedStyle(figure).borderTopWidth, getComputedStyle(figure).fontFamily]"
    plain = show("<!DOCTYPE html><title>A blog</title><figure id='mine'><img alt=''>text</figure>")
    assert page.locator("#mine").evaluate(mine) == plain.locator("#mine").evaluate(mine)


def test_a_card_works_in_a_frame_without_an_address(show: Any, cards: dict[str, cnnvis.Card]) -> None:
    page = show(f'<iframe title="card" width="700" height="900" srcdoc="{html.escape(cards["grown"].html)}"></iframe>')
    frame = page.frame_locator("iframe")
    frame.locator("input").focus()
    page.keyboard.press("ArrowLeft")
    expect(frame.locator(".card-growing figure:not([hidden])")).to_have_count(1)
    expect(frame.locator(".card-growing figure").last).to_be_hidden()


def test_without_scripts_and_on_paper_the_last_picture_stands(show: Any, cards: dict[str, cnnvis.Card]) -> None:
    page = show(cards["grown"].html, java_script_enabled=False)
    expect(page.locator("input")).to_be_hidden()
    expect(page.locator(".card-growing img:visible")).to_have_count(1)
    page = show(cards["grown"].html, color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("input")).to_be_hidden()
    paper = "card => getComputedStyle(card).backgroundColor"
    assert page.locator(".cnnvis-card").evaluate(paper) == "rgb(255, 255, 255)"


def test_the_reasons_of_a_place_open_by_keyboard(show: Any, cards: dict[str, cnnvis.Card]) -> None:
    page = show(cards["place"].html)
    page.locator(".tree summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tree details[open] .node").first).to_be_visible()
