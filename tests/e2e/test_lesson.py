"""The guided lesson in a real browser: to its end and back, by mouse and by keyboard, and from a link."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cnnvis.ui.parts.lesson import PAGES


def at(page: Page, number: int) -> None:
    """Wait until a page of the lesson and its view are shown."""
    shown = PAGES[number - 1]
    expect(page.locator(".lesson h2")).to_have_text(shown.title)
    expect(page.locator(".lesson")).to_contain_text(f"page {number} of {len(PAGES)}")
    lit = page.locator(shown.lights).locator("visible=true").first
    expect(lit).to_be_in_viewport()
    assert "solid" in lit.evaluate("part => getComputedStyle(part).outline")
    page.wait_for_function(f"location.search.includes('lesson={number}')")


def test_the_lesson_to_its_end_and_back(visit: Any) -> None:
    page: Page = visit(query="")
    page.get_by_role("button", name="Lesson", exact=True).click()
    for number, shown in enumerate(PAGES, 1):
        at(page, number)
        page.locator(".lesson-option").nth(shown.right).click()
        expect(page.locator(".lesson-answer")).to_contain_text("Correct.")
        expect(page.locator('.lesson-option[data-verdict="right"]')).to_have_text(shown.options[shown.right])
        if number < len(PAGES):
            page.get_by_role("button", name="Next", exact=True).and_(page.locator(".lesson-on")).click()
    for number in range(len(PAGES) - 1, 0, -1):
        page.locator(".lesson-back").click()
        at(page, number)
    page.go_back()  # the browser's Back, too, goes a page back
    at(page, 2)
    page.get_by_role("button", name="Leave").click()
    expect(page.locator(".lesson")).to_be_hidden()
    page.wait_for_function("!location.search.includes('lesson')")
    expect(page.get_by_role("button", name="Lesson", exact=True)).to_be_focused()


def test_a_wrong_guess_is_told_the_answer(visit: Any) -> None:
    page: Page = visit(query="?tab=learn&layer=conv5_3&channel=17&lesson=4")
    at(page, 4)
    page.locator(".lesson-option").first.click()
    expect(page.locator(".lesson-answer")).to_contain_text("Not quite: 196 px.")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_link_to_a_page_shows_what_it_speaks_of_once_all_is_drawn(visit: Any, width: int) -> None:
    page: Page = visit(width=width, query=f"?{PAGES[7].query}&lesson=8")
    page.locator("#why .tree li").first.wait_for()
    page.wait_for_timeout(1500)
    at(page, 8)
    above = page.locator("#silence").bounding_box()["y"] + 20
    assert above < page.locator(".lesson").bounding_box()["y"] or width > 1000


def test_by_keyboard_on_a_dark_phone(visit: Any) -> None:
    page: Page = visit(width=390, height=844, scheme="dark", query="?__theme=dark")
    page.get_by_role("button", name="Lesson", exact=True).focus()
    page.keyboard.press("Enter")
    at(page, 1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first option
    expect(page.locator(".lesson-answer")).to_contain_text("Not quite:")
    expect(page.locator(".lesson-on")).to_be_focused()
    page.keyboard.press("Enter")
    at(page, 2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    expect(page.locator(".lesson")).to_be_hidden()


@pytest.mark.parametrize("number", [0, 11, "x"])
def test_a_page_that_does_not_exist_is_named(visit: Any, number: object) -> None:
    page: Page = visit(query=f"?tab=filters&lesson={number}")
    expect(page.locator("#link-note")).to_contain_text(
        f"lesson '{number}' is out of range: choose a whole number from 1 to {len(PAGES)}"
    )
    expect(page.locator(".lesson")).to_be_hidden()
