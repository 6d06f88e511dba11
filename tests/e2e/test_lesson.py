"""The guided lesson in a real browser: to its end and back, by mouse and by keyboard, and from a link."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cnnvis.views.lesson import PAGES

from .conftest import go

# Whether all of what a page speaks of lies below the header, and above or beside the panel.
IN_SIGHT = """lights => {
  const box = (part) => part.getBoundingClientRect();
  const lit = [...document.querySelectorAll(lights)].map(box).filter((part) => part.height);
  const header = box(document.querySelector('#header')), panel = box(document.querySelector('.lesson'));
  const beside = (part) => part.right <= panel.left && part.bottom <= innerHeight;
  return lit.length && lit.every((part) => part.top >= header.bottom && (part.bottom <= panel.top || beside(part)));
}"""


def at(page: Page, number: int) -> None:
    """Wait until a page of the lesson and its view are shown, what it speaks of outlined and in sight."""
    shown = PAGES[number - 1]
    expect(page.locator(".lesson h2")).to_have_text(shown.title)
    expect(page.locator(".lesson")).to_contain_text(f"page {number} of {len(PAGES)}")
    page.wait_for_function(IN_SIGHT, arg=shown.lights)
    lit = page.locator(shown.lights).locator("visible=true").first
    assert "solid" in lit.evaluate("part => getComputedStyle(part).outline")
    page.wait_for_function(f"location.search.includes('lesson={number}')")
    expect(page.locator("#link textarea, #link input").first).to_have_value(re.compile(rf"lesson={number}\b"))


@pytest.mark.parametrize(("width", "height", "share"), [(1280, 800, 1), (390, 844, 0.4)])
def test_the_lesson_to_its_end_and_back(visit: Any, width: int, height: int, share: float) -> None:
    page: Page = visit(width, height, query="")
    page.get_by_role("button", name="Lesson", exact=True).click()
    for number, shown in enumerate(PAGES, 1):
        at(page, number)
        page.locator(".lesson-option").nth(shown.right).click()
        expect(page.locator(".lesson-answer")).to_contain_text("Correct.")
        expect(page.locator('.lesson-option[data-verdict="right"]')).to_have_text(shown.options[shown.right])
        assert page.locator(".lesson").bounding_box()["height"] <= share * height
        for button in (".lesson-on", ".lesson-close"):
            expect(page.locator(button)).to_be_in_viewport(ratio=1)
        if number < len(PAGES):
            page.locator(".lesson-on").click()
    for number in range(len(PAGES) - 1, 7, -1):
        page.locator(".lesson-back").click()
        at(page, number)
    page.go_back()  # the browser's Back, too, goes a page back
    at(page, 9)
    page.get_by_role("button", name="Leave").click()
    expect(page.locator(".lesson")).to_be_hidden()
    page.wait_for_function("!location.search.includes('lesson')")
    expect(page.get_by_role("button", name="Lesson", exact=True)).to_be_focused()


def test_a_picture_grows_with_its_curve_in_sight_on_a_phone(visit: Any) -> None:
    page: Page = visit(390, 844, query=f"?{PAGES[5].query}&steps=3&size=64&lesson=6")
    at(page, 6)
    page.locator("#start").click()
    page.locator("#stage .stage-status", has_text="finished in").wait_for()
    page.wait_for_function(IN_SIGHT, arg=PAGES[5].lights)


def test_a_wrong_guess_is_told_the_answer(visit: Any) -> None:
    page: Page = visit(query="?tab=learn&layer=conv5_3&channel=17&lesson=4")
    at(page, 4)
    page.locator(".lesson-option").first.click()
    expect(page.locator(".lesson-answer")).to_contain_text("Not quite: 196 px.")


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


def test_a_page_that_does_not_exist_is_named(visit: Any) -> None:
    page: Page = visit(query="?tab=filters&lesson=0")
    for number in (0, len(PAGES) + 1, "x"):
        go(page, f"?tab=filters&lesson={number}")
        said = f"lesson '{number}' is out of range: choose a whole number from 1 to {len(PAGES)}"
        expect(page.locator("#link-note")).to_contain_text(said)
        expect(page.locator(".lesson")).to_be_hidden()
