"""The quiz in a real browser: by keyboard, by mouse, and what must stay hidden before an answer."""

import csv
import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import cnnvis

LINK = "?tab=quiz&seed=7&layer=conv5_1&questions=5"

LISTENS = """
window.told = {};
let asked = 0;
const plain = window.fetch;
window.fetch = async (...what) => {
  const answer = await plain(...what);
  const number = asked++;
  answer.clone().body?.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({
    write(words) { window.told[number] = (window.told[number] ?? "") + words; },
  })).catch(() => {});  // leaving the page breaks the stream off
  return answer;
};
"""  # `window.told`: the answers to the page's requests, as they come


def answers() -> list[str]:
    return [question.answer for question in cnnvis.quiz(7, "conv5_1", 5)]


def begins_at_its_top(page: Page) -> None:
    """The question, or the result, begins in the upper part of the window, below the header."""
    top = page.locator("#quiz .quiz").bounding_box()["y"]
    header = page.locator("#header").bounding_box()
    assert header["y"] + header["height"] <= top < page.viewport_size["height"] / 3


def test_on_a_phone_a_question_and_the_result_are_what_one_sees(visit: Any) -> None:
    page: Page = visit(390, 844, query=f"{LINK}&reference=both", is_mobile=True, has_touch=True)
    page.get_by_role("button", name="Start").tap()
    for _ in range(5):
        expect(page.locator(".keys")).to_be_hidden()  # there is no keyboard
        begins_at_its_top(page)
        assert page.locator(".quiz-sides").bounding_box()["y"] < 600
        page.locator(".quiz-side").first.tap()
        for part in (".quiz-verdict > p b", ".quiz-next"):
            expect(page.locator(part).first).to_be_in_viewport(ratio=1)
        page.locator(".quiz-next").tap()
    expect(page.locator("#quiz h3")).to_be_in_viewport(ratio=1)
    expect(page.locator("#quiz table")).to_be_in_viewport(ratio=1)
    begins_at_its_top(page)


def test_a_quiz_by_keyboard_alone(visit: Any) -> None:
    page: Page = visit(width=360, scheme="dark", query=f"{LINK}&reference=photos&__theme=dark")
    page.locator("#quiz .quiz-next").focus()
    page.keyboard.press("Enter")
    for number, answer in enumerate(answers(), 1):
        expect(page.locator("#quiz")).to_contain_text(f"Question {number} of 5")
        expect(page.locator(".keys")).to_be_visible()
        expect(page.locator(".quiz-shown img")).to_have_count(9)
        page.keyboard.press({"left": "ArrowLeft", "right": "ArrowRight"}[answer])
        page.keyboard.press("Enter")
        expect(page.locator(".quiz-verdict")).to_contain_text("Correct.")
        expect(page.locator(".quiz-said")).to_have_text("Correct.")
        expect(page.locator(".quiz-maps figure")).to_have_count(2)
        page.keyboard.press("Enter")
    expect(page.locator("#quiz h3")).to_have_text("5 of 5 correct")
    expect(page.locator("#quiz td").nth(1)).to_have_text("57 to 100 %")  # Wilson's interval for 5 of 5
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_quiz_by_mouse_keeps_an_honest_count(visit: Any) -> None:
    page: Page = visit(query=f"{LINK}&reference=both")
    page.get_by_role("button", name="Start").click()
    for number, answer in enumerate(answers()):
        wrong = number == 1
        picked = {"left": "right", "right": "left"}[answer] if wrong else answer
        page.locator(f'.quiz-side[data-side="{picked}"]').click()
        verdict = f"Not this one: it is the one on the {answer}." if wrong else "Correct."
        expect(page.locator(".quiz-verdict")).to_contain_text(verdict)
        page.locator(".quiz-verdict .quiz-next").click()
    expect(page.locator("#quiz h3")).to_have_text("4 of 5 correct")
    expect(page.locator("#quiz tbody tr")).to_contain_text(["65 ± 5 %", "92 ± 2 %"])
    with page.expect_download() as loaded:
        page.get_by_role("button", name="Download the answers").click()
    assert loaded.value.suggested_filename == "quiz-conv5_1-7.csv"
    lines = list(csv.DictReader(loaded.value.path().read_text(encoding="utf-8").splitlines()))
    assert list(lines[0])[:5] == ["question", "channel", "answer", "correct", "seconds"]
    assert [line["correct"] for line in lines] == ["true", "false", "true", "true", "true"]
    assert [int(line["channel"]) for line in lines] == [asked.channel for asked in cnnvis.quiz(7, "conv5_1", 5)]
    page.get_by_role("button", name="The same questions again").click()
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#quiz")).to_contain_text("Question 1 of 5")


def test_nothing_gives_away_an_answer_before_the_visitor_has_answered(visit: Any) -> None:
    # It listens from the start: the question may come in a stream that was opened long before it.
    page: Page = visit(query="?tab=learn&layer=conv5_1", script=LISTENS)
    page.locator("#network-value").wait_for()
    page.locator(".kernel-answer h4").first.wait_for()
    page.evaluate("window.told = {}")
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url + (request.post_data or "")))
    page.get_by_role("tab", name="Quiz").click()
    page.get_by_role("button", name="Start").click()
    page.locator(".quiz-side").first.wait_for()
    told += page.evaluate("Object.values(window.told)")
    assert any("data:image" in words and "first" in words for words in told)  # the question is among them
    told += [page.locator(part).inner_html() for part in ("#quiz", "#about-choice", "#header", "#share")]
    for side in ("left", "right"):
        exemplar = getattr(cnnvis.quiz(0, "conv5_1")[0], side)
        for secret in (exemplar.title, exemplar.file, f"{exemplar.value:.4g}"):
            assert not any(secret in words for words in told)
    assert not any(re.search(r'"answer\W+(left|right)', words) for words in told)
    expect(page.locator("#wall")).to_be_hidden()
    assert "answer" not in page.url


def test_a_channel_can_be_looked_at_and_the_quiz_goes_on(visit: Any) -> None:
    page: Page = visit(query=LINK)
    page.get_by_role("button", name="Start").click()
    page.locator(".quiz-side").first.click()
    channel = cnnvis.quiz(7, "conv5_1", 5)[0].channel
    page.get_by_role("button", name=f"See all about channel {channel}").click()
    expect(page.locator("#atlas-filter h3")).to_have_text(f"conv5_1 channel {channel}")
    page.get_by_role("tab", name="Quiz").click()
    page.locator(".quiz-verdict .quiz-next").click()
    expect(page.locator("#quiz")).to_contain_text("Question 2 of 5")


def test_another_seed_asks_other_questions_and_the_link_has_it(visit: Any) -> None:
    page: Page = visit(query=LINK)
    page.locator("#quiz-seed input").fill("8")
    page.locator("#quiz-seed input").press("Enter")
    page.wait_for_function("location.search.includes('seed=8')")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#quiz")).to_contain_text(f"channel {cnnvis.quiz(8, 'conv5_1', 5)[0].channel} of conv5_1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_same_questions_for_a_whole_class(visit: Any, scheme: str) -> None:
    """Two visitors with one link see the same pictures; prepared/test_quiz.py compares seeds."""
    sources = []
    for _ in range(2):
        page: Page = visit(query=LINK, scheme=scheme)
        page.get_by_role("button", name="Start").click()
        sources.append(page.locator("#quiz img").evaluate_all("all => all.map((image) => image.src)"))
    assert sources[0] == sources[1] and len(json.dumps(sources[0])) > 1000
