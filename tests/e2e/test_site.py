"""A site in a real browser, from a plain static server and below a path: links, wall, places, quiz, accessibility."""

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from helpers import EXAMPLES
from playwright.sync_api import Page, expect

import cnnvis
from cnnvis.views.figures import written
from cnnvis.views.lesson import PAGES, still_pages

from .conftest import SIDEWAYS, missing

LAYERS = ["conv1_1", "conv4_3", "conv5_1"]
PHOTOS = [EXAMPLES / "chelsea.jpg", EXAMPLES / "coffee.jpg"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], "resultTypes": ["violations"]}


class Quiet(SimpleHTTPRequestHandler):
    """A plain static server that says nothing."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site below a path."""
    root = tmp_path_factory.mktemp("host")
    cnnvis.make_site(root / "a b" / "site", LAYERS, PHOTOS, live="https://cnnvis.example/")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a%20b/site/"
    server.shutdown()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Page]]:
    """A function that opens the site; a request to elsewhere, or a fault, fails the test."""
    wrong: list[str] = []
    contexts = []

    def opened(query: str = "", width: int = 1280, height: int = 800, **kind: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **kind)
        contexts.append(context)
        page: Page = context.new_page()
        page.on("request", lambda asked: asked.url.startswith((address, "data:")) or wrong.append(asked.url))
        page.on("response", lambda answer: answer.status < 400 or wrong.append(answer.url))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address + query)
        page.locator("#view > *").first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong


def shows(page: Page, layer: str, channel: int) -> None:
    """The view and the wall are of a channel."""
    expect(page.locator("#about")).to_have_text(f"{layer} channel {channel}")
    values = [written(one.value, ".1f") for one in cnnvis.exemplars(layer, channel).exemplars]
    expect(page.locator("#view .nine figcaption")).to_have_text(values)
    expect(page.locator(".sheet [aria-pressed=true]")).to_have_attribute("data-channel", str(channel))


def test_without_an_address_a_visitor_sees_what_the_page_shows(visit: Any) -> None:
    page: Page = visit()
    shows(page, "conv5_1", 260)
    expect(page.locator("#lens [aria-pressed=true]")).to_have_text("Pictures")
    assert page.evaluate("getComputedStyle(document.querySelector('.sheet button')).backgroundImage.includes('small/')")


def test_a_link_of_the_page_works_here(visit: Any) -> None:
    page: Page = visit("?layer=conv4_3&channel=307&tab=atlas")
    shows(page, "conv4_3", 307)
    page.locator('.sheet [data-channel="17"]').click()
    shows(page, "conv4_3", 17)
    assert page.evaluate("location.search") == "?tab=atlas&layer=conv4_3&channel=17"
    page.locator("#view .wire[data-layer=conv5_1]").first.click()
    expect(page.locator("#about")).to_contain_text("conv5_1 channel")
    page.go_back()
    shows(page, "conv4_3", 17)
    expect(page.get_by_role("link", name="Grow it live")).to_have_attribute(
        "href", "https://cnnvis.example/?tab=maximize&layer=conv4_3&channel=17"
    )


def test_concepts_are_a_lens_and_views_of_their_own(visit: Any) -> None:
    page: Page = visit("?layer=conv5_1&channel=260&tab=atlas")
    page.locator("#view [data-of]").first.click()
    expect(page.locator("#about")).to_have_text(
        "conv5_1 concept " + page.evaluate("location.search").split("concept")[1]
    )
    page.locator("#lens [value=concepts]").click()
    found = cnnvis.concepts("conv5_1")
    expect(page.locator(".sheet button")).to_have_count(len(found.concepts))
    page.locator('.sheet [data-of="concept3"]').click()
    expect(page.locator("#view h3")).to_contain_text("Concept 3")
    expect(page.locator("#view .nine figcaption")).to_have_text(
        [written(one.value, ".1f") for one in found[3].exemplars[:9]]
    )
    assert page.evaluate("location.search") == "?tab=atlas&layer=conv5_1&of=concept3&lens=concepts"
    page.reload()
    expect(page.locator(".sheet [aria-pressed=true]")).to_have_attribute("data-of", "concept3")
    page.locator("#view .wire[data-channel]").first.click()
    expect(page.locator("#about")).to_contain_text("conv5_1 channel")
    page.locator("#layer").select_option("conv1_1")
    expect(page.locator("#lens [value=concepts]")).to_be_hidden()
    expect(page.locator("#lens [aria-pressed=true]")).to_have_text("Pictures")


def test_what_a_site_cannot_show_it_says(visit: Any) -> None:
    page: Page = visit("?tab=maximize&layer=conv3_1&channel=900&seed=3")
    note = page.locator("#note")
    expect(note).to_contain_text("conv3_1 is not on this site, so this is conv5_1. Growing needs a live page")
    shows(page, "conv5_1", 511)
    page.locator("#view .wire[data-layer=conv5_2]").first.click()
    expect(note).to_have_text("conv5_2 is not on this site.")
    expect(visit("?tab=quiz&layer=conv5_1&seed=11").locator("#note")).to_contain_text("seeds 0 to 7: this is 3.")
    shows(page, "conv5_1", 511)


def test_the_first_filters_are_what_a_bare_layer_means(visit: Any) -> None:
    page: Page = visit("?layer=conv1_1")
    shows(page, "conv1_1", 0)
    expect(page.locator("#lens [aria-pressed=true]")).to_have_text("Kernels")


def test_places_are_pointed_at_and_kept(visit: Any) -> None:
    page: Page = visit("?tab=maps&layer=conv5_1&channel=376&photo=coffee.jpg")
    net = cnnvis.load_vgg16()

    def named(row: int | None = None, column: int | None = None) -> list[str]:
        place = cnnvis.dictionary(net, PHOTOS[1], "conv5_1", row, column)
        return [f"{one.channel} · {written(one.above, '.1f')}" for one in place.channels]

    here = page.locator("#here .entry span")
    expect(here).to_have_text(named())
    expect(page.locator("#why .tree li").first).to_be_visible()
    box = page.locator(".place").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 6.5 / 14, box["y"] + box["height"] * 2.5 / 14)
    page.mouse.move(0, 0)
    expect(here).to_have_text(named(2, 6))
    page.wait_for_function("location.search.endsWith('row=2&column=6')")
    page.locator(".place").focus()
    page.keyboard.press("ArrowDown")
    expect(here).to_have_text(named(3, 6))
    page.locator("[data-group=group1]").click()
    expect(page.locator(".place img")).to_have_attribute(
        "src", page.locator("[data-group=group1] img").get_attribute("src")
    )
    page.get_by_role("button", name="photo chelsea.jpg").click()
    expect(page.locator(".place img")).to_have_attribute("src", "given/0.webp")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_lesson_has_the_pages_that_need_no_server(visit: Any, width: int, height: int) -> None:
    numbers = [number for number, page in enumerate(still_pages(LAYERS, ["chelsea.jpg"]), 1) if page]
    page: Page = visit("", width, height)
    page.get_by_role("button", name="Lesson").click()
    for number in numbers:
        shown = PAGES[number - 1]
        expect(page.locator(".lesson")).to_contain_text(f"page {number} of {len(PAGES)}")
        page.wait_for_function(f"location.search.includes('lesson={number}')")
        page.locator(shown.still).first.wait_for()
        page.locator(".lesson-option").nth(shown.right).click()
        expect(page.locator(".lesson-answer")).to_contain_text("Correct.")
        assert page.evaluate(SIDEWAYS) <= 0
        page.locator(".lesson-on").click()
    expect(page.locator(".lesson")).to_be_hidden()
    page.wait_for_function("!location.search.includes('lesson')")
    page.go_back()
    expect(page.locator(".lesson")).to_contain_text(f"page {numbers[-2]} of")
    page.locator(".lesson-back").click()
    expect(page.locator(".lesson")).to_contain_text(f"page {numbers[-3]} of")


def test_the_wall_by_keyboard(visit: Any) -> None:
    page: Page = visit("?tab=atlas&layer=conv4_3&channel=7")
    page.locator('.sheet [data-channel="7"]').focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    across = page.evaluate("getComputedStyle(document.querySelector('.sheet')).gridTemplateColumns.split(' ').length")
    shows(page, "conv4_3", 7 + across)


def test_a_quiz_is_played_to_its_end(visit: Any) -> None:
    page: Page = visit("?tab=quiz&layer=conv5_1&seed=3")
    page.get_by_role("button", name="Start").click()
    asked = cnnvis.quiz(3, "conv5_1", reference="both")
    for number, question in enumerate(asked):
        expect(page.locator(".quiz-shown img")).to_have_count(1 if question.reference == "picture" else 9)
        wrong = {"left": "right", "right": "left"}[question.answer]
        page.locator(f"[data-side={wrong if number == 4 else question.answer}]").click()
        expect(page.locator("#verdict")).to_contain_text("Not this one" if number == 4 else "Correct.")
        page.locator("#verdict .quiz-next").click()
    expect(page.locator("#view h3")).to_have_text("9 of 10 correct")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_no_view_breaks_an_accessibility_rule(visit: Any, width: int, height: int, scheme: str) -> None:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("the package axe-playwright-python is not installed")
    broken = []
    views = {"atlas": "", "atlas&of=concept3&lens=concepts": "", "maps": "#here .entry", "quiz": ".quiz-next"}
    for tab, drawn in views.items():
        page = visit(f"?tab={tab}&layer=conv4_3&channel=8", width, height, color_scheme=scheme)
        page.locator(drawn or "#view .nine").first.wait_for()
        if tab == "quiz":
            page.locator(drawn).click()
            page.locator("[data-side]").first.click()
        for rule in Axe().run(page, options=RULES).response["violations"]:
            broken += [f"{tab} {rule['id']}: {node['html'][:200]}" for node in rule["nodes"]]
        assert page.evaluate(SIDEWAYS) <= 0
    assert not broken
