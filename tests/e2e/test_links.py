"""Addresses in a real browser: links restore views, bad values are reported, and other pages can embed views."""

import re
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest
from helpers import ROOT
from playwright.sync_api import Page, Route, expect

from .conftest import go

VIEWS = {
    "tab=atlas&layer=conv4_2&channel=33": ("#atlas-filter h3", "conv4_2 channel 33"),
    "tab=filters&layer=conv3_2&channel=77": ("#filter-heading", "conv3_2 · filter 77"),
    "tab=maps&layer=relu4_1&channel=9&photo=coffee.jpg": ("#map-facts", "relu4_1 channel 9"),
    "tab=maps&layer=conv2_2&channel=3&pipeline=conv_chain": ("#wall-caption", "the convolutions alone"),
    "tab=maximize&layer=conv4_1&channel=5&recipe=maco&steps=9&size=96&seed=3": ("#target", "conv4_1 · channel 5"),
    "tab=learn&layer=conv2_1&channel=4": ("#sums", "conv2_1 filter 4"),
}


@pytest.mark.parametrize("query", VIEWS)
def test_a_link_restores_its_view_and_can_be_copied(visit, url: str, query: str) -> None:
    canonical = query.replace("tab=filters&", "")  # the default is left out
    page = visit(query=f"?{query}")
    slot, text = VIEWS[query]
    page.locator(slot, has_text=text).wait_for()
    expect(page.locator("#link textarea, #link input").first).to_have_value(f"{url}/?{canonical}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Share").click()
    page.locator("#copy-link").click()
    page.get_by_role("button", name="Link copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{url}/?{canonical}"
    assert page.evaluate("location.search") == f"?{canonical}"
    assert page.locator("#link-note").count() == 0
    if "recipe" in query:
        page.get_by_role("button", name="Share").click()  # its panel covers what is beneath
        page.get_by_role("button", name="Options: recipe").click()
        expect(page.get_by_label("maco")).to_be_checked()
        values = [page.locator(f"#{name} input").first.input_value() for name in ("seed", "steps", "size")]
        assert values == ["3", "9", "96"]


def test_the_address_follows_the_visitors_choices(visit, url: str) -> None:
    page = visit(query="?tab=filters&__theme=dark")
    page.locator('#wall button[data-channel="12"]').click()
    page.wait_for_function("location.search.includes('channel=12')")
    assert page.evaluate("location.search") == "?channel=12&__theme=dark"
    page.get_by_role("tab", name="Feature maps").click()
    page.wait_for_function("location.search.includes('tab=maps')")
    expect(page.locator("#link textarea, #link input").first).to_have_value(f"{url}/?tab=maps&channel=12")
    again = visit(query=page.evaluate("location.search"))  # like a reload
    again.locator("#map-facts", has_text="conv1_1 channel 12").wait_for()
    assert again.locator("body.dark").count() == 1


# Safari before 17 and Firefox before 119.
OLD = """delete URLSearchParams.prototype.size;
for (const name of Object.getOwnPropertyNames(Element.prototype)) {
  if (/^aria[A-Z]/.test(name)) delete Element.prototype[name];
}"""
REFUSES = "history.pushState = history.replaceState = () => { throw new DOMException('refused', 'SecurityError'); };"


def test_an_old_browser_keeps_a_links_address(visit, url: str) -> None:
    query = "?tab=maps&layer=conv3_1&channel=7"
    page = visit(query=query, script=OLD)
    assert page.evaluate("[new URLSearchParams('a=1').size, document.body.ariaSelected]") == [None, None]
    page.locator("#map-facts", has_text="conv3_1 channel 7").wait_for()
    expect(page.locator("#link textarea, #link input").first).to_have_value(f"{url}/{query}")
    assert page.evaluate("location.search") == query
    page.get_by_role("tab", name="Filters").click()
    page.wait_for_url("**/?layer=conv3_1&channel=7")
    expect(page.locator("#tabs [role=tab][aria-selected=true]")).to_have_attribute("data-tab-id", "filters")


def test_where_the_address_cannot_change_the_link_is_still_true(visit, url: str) -> None:
    page = visit(query="?tab=filters&layer=conv2_1", script=REFUSES)
    link = page.locator("#link textarea, #link input").first
    page.locator('#wall button[data-channel="12"]').click()
    expect(link).to_have_value(f"{url}/?layer=conv2_1&channel=12")
    page.get_by_role("tab", name="Atlas").click()
    expect(link).to_have_value(f"{url}/?tab=atlas&layer=conv2_1&channel=12")
    page.get_by_role("button", name="Lesson", exact=True).click()  # it goes from view to view all the same
    for number in (1, 2):
        expect(page.locator(".lesson")).to_contain_text(f"page {number} of")
        expect(link).to_have_value(re.compile(rf"lesson={number}$"))
        page.locator(".lesson-on").click()
    assert page.evaluate("location.search") == "?tab=filters&layer=conv2_1"


BAD = [
    ("tab=dream", "tab 'dream' is unknown"),
    ("layer=conv9_9", "layer 'conv9_9' does not exist"),
    ("channel=9999", "channel '9999' does not exist"),
    ("recipe=<script>alert(1)</script>", "is unknown: choose one of fourier"),
    ("steps=many", "steps 'many' is out of range"),
    ("size=1", "size '1' is out of range"),
    ("seed=x", "seed 'x' is out of range"),
    ("pipeline=tf", "pipeline 'tf' is unknown"),
    ("photo=/etc/passwd", "photo '/etc/passwd' is unknown"),
]


def test_a_bad_value_shows_the_default_with_a_notice(visit) -> None:
    page = visit(query=f"?{BAD[-1][0]}")
    page.locator("#link-note", has_text=BAD[-1][1]).wait_for()
    for bad, said in BAD:
        go(page, f"?{bad}")
        page.locator("#link-note", has_text=said).wait_for()
        page.get_by_role("heading", name="conv1_1 · filter 0").wait_for()


@pytest.fixture
def blog(url: str, tmp_path: Path, request: pytest.FixtureRequest):
    """A page of examples/ on another origin. Its frames point to the page under test."""
    text = (ROOT / "examples" / getattr(request, "param", "embed.html")).read_text(encoding="utf-8")
    assert text.count("http://127.0.0.1:7860/") >= 2
    (tmp_path / "index.html").write_text(text.replace("http://127.0.0.1:7860/", f"{url}/"), encoding="utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_another_page_can_embed_two_live_views(browser, blog: str) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 1400}, color_scheme="dark")
    errors, hosts = [], set()
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("request", lambda request: hosts.add(urlparse(request.url).hostname))
    page.goto(blog)
    frames = [page.frame_locator("iframe").nth(i) for i in (0, 1)]
    for i, frame in enumerate(frames):
        page.locator("iframe").nth(i).scroll_into_view_if_needed()
        frame.locator(".embedded body, html.embedded").first.wait_for(state="attached")
    frames[0].locator("#wall .sheet button").first.wait_for()
    frames[1].locator("#start").click()
    frames[1].locator("#score-card summary").wait_for()
    for frame in frames:
        for gone in ("#header", "footer", "#link", "[role=tablist]", "#welcome"):
            assert not frame.locator(gone).first.is_visible(), gone
        assert frame.locator("#whole-page a").get_attribute("href").startswith("http://127.0.0.1")
    assert not errors
    assert hosts <= {"127.0.0.1", None, ""}
    page.close()


@pytest.mark.parametrize("blog", ["lesson.html"], indirect=True)
def test_a_worksheet_has_three_live_views(browser, blog: str) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 1400})
    page.goto(blog)
    for i, part in enumerate(("#filter-large img", "#atlas-filter .nine img", ".quiz-next")):
        page.locator("iframe").nth(i).scroll_into_view_if_needed()
        page.frame_locator("iframe").nth(i).locator(part).first.wait_for()
    assert not page.frame_locator("iframe").first.locator(".lesson-open").is_visible()
    page.close()


@pytest.mark.parametrize("query", ["", "?tab=learn&layer=conv4_1", "?utm_source=letter"])
def test_a_tab_chosen_while_the_page_opens_stays_open(browser, url: str, query: str) -> None:
    page = browser.new_page()
    page.goto(f"{url}/{query}")
    page.get_by_role("tab", name="Quiz").click()
    page.locator(".quiz-next").wait_for()
    page.locator("#network", has_text="is ready").wait_for()
    page.wait_for_url("**tab=quiz*")  # the last thing that opening it does
    assert page.get_by_role("tab", name="Quiz").get_attribute("aria-selected") == "true"
    page.close()


def opening(browser, address: str) -> tuple[Page, Callable[[], None]]:
    """A page whose answers are held back while it opens, and the function that lets them through."""
    page = browser.new_page()
    held: list[Route] = []
    page.route("**/queue/data*", lambda route: held.append(route), times=1)
    with page.expect_request("**/queue/data*"):
        page.goto(address)
    page.locator(".choice-layer").wait_for()
    return page, held[0].continue_


def test_a_channel_chosen_while_the_page_opens_stays_chosen(browser, url: str) -> None:
    page, go_on = opening(browser, f"{url}/?tab=filters&layer=conv2_1")
    page.locator(".choice-layer").select_option("conv1_2")
    go_on()
    page.locator("#filter-heading", has_text="conv1_2 · filter 63").wait_for()
    page.wait_for_url("**/?layer=conv1_2&channel=63")
    assert page.locator(".choice-layer").input_value() == "conv1_2"
    page.close()


def test_a_link_is_drawn_once(browser, url: str) -> None:
    page = browser.new_page()
    draws: list[str] = []
    page.on("request", lambda request: '"link":' in (request.post_data or "") and draws.append(request.post_data))
    page.goto(f"{url}/?tab=maps&layer=conv3_1")
    page.locator("#map-facts", has_text="conv3_1 channel 0").wait_for()
    link = page.locator("#link textarea, #link input").first
    expect(link).to_have_value(f"{url}/?tab=maps&layer=conv3_1")  # it follows the last draw
    assert len(draws) == 1  # although the script that opened its tab sent an event too
    page.get_by_role("tab", name="Filters").click()
    page.locator("#filter-heading", has_text="conv3_1").wait_for()
    assert len(draws) == 2
    page.close()


def test_a_setting_changed_while_the_page_opens_stays_changed(browser, url: str) -> None:
    page, go_on = opening(browser, f"{url}/?tab=maps&layer=conv2_1")
    page.get_by_role("button", name="Options: how maps").click()
    page.get_by_label("Chained").check()
    go_on()
    page.locator("#map-facts", has_text="conv2_1 channel 0").wait_for()
    page.wait_for_url("**pipeline=conv_chain*")
    assert page.get_by_label("Chained").is_checked()
    page.close()
