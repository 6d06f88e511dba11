"""Accessibility: the automatic rules of WCAG 2.1 AA in every tab, forced colours, 200 % zoom, reduced motion."""

import pytest
from playwright.sync_api import expect

from .conftest import SIDEWAYS, go, missing

# What to wait for in each view, and then what to click, each with what to wait for after it.
VIEWS = {
    "atlas": ("#atlas-filter .next", {}),
    "filters": ("#reads button", {"#more > button": "#filter-facts table"}),
    "maps": ("#wall .sheet button", {"#canvas .place": "#why .tree li"}),
    "maximize": ("#start", {"#start": "#stage a[href$='.gif']"}),
    "learn": ("#learn-around h3", {"#slide": "#sliding img", ".kernel-each": ".kernel-answer h4"}),
    "quiz": (".quiz-next", {".quiz-next": ".quiz-side", ".quiz-side": ".quiz-maps"}),
    "filters&lesson=7": (".lesson h2", {".lesson-option": ".lesson-answer b"}),
}


def test_no_tab_breaks_an_accessibility_rule(visit) -> None:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("the package axe-playwright-python is not installed")
    page, broken = visit(query="?tab=atlas&layer=conv2_1&channel=4"), []
    for tab, (first, clicks) in VIEWS.items():
        go(page, f"?tab={tab}&layer=conv2_1&channel=4")
        page.locator(first).first.wait_for()
        for button, shown in clicks.items():
            page.locator(button).first.click()
            page.locator(shown).first.wait_for()
        page.add_style_tag(content="* { transition: none !important; }")  # no colour is seen half faded in
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            dark = "dark => document.body.classList.toggle('dark', dark)"  # as Gradio at its start
            page.evaluate(dark, scheme == "dark")
            rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
            for rule in Axe().run(page, options=rules).response["violations"]:
                broken += [f"{tab} {scheme} {rule['id']}: {node['html'][:200]}" for node in rule["nodes"]]
    assert not broken


TABS = {  # what shows that a tab has been drawn
    "atlas": "#atlas-filter .nine img",
    "filters": "#like button",
    "maps": "#why .tree li",
    "maximize": "#preview img",
    "learn": ".kernel-answer h4",
    "quiz": ".quiz-next",
}


def outline(page, selector: str) -> list[str]:
    """The outlines of what matches and is shown."""
    parts = page.locator(selector).locator("visible=true")
    return list(parts.evaluate_all("parts => parts.map((part) => getComputedStyle(part).outlineStyle)"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_forced_colours_what_is_chosen_is_marked(visit, scheme: str) -> None:
    page = visit(scheme=scheme, query="?tab=atlas&layer=conv2_1&channel=4", forced_colors="active")
    for tab, drawn in TABS.items():
        go(page, f"?tab={tab}&layer=conv2_1&channel=4&row=20&column=20")
        page.locator(drawn).first.wait_for()
        chosen = {"#tabs [role=tab]": "selected", ".choice [data-step]": "pressed"}
        if tab == "learn":
            chosen["#network-map button"] = "current"
        elif tab != "quiz":
            chosen |= {"#wall .sheet button": "pressed", "#lens button": "pressed"}
        for part, state in chosen.items():
            assert outline(page, f"{part}[aria-{state}=true]") == ["solid"], (tab, part)
            assert set(outline(page, f"{part}:not([aria-{state}=true])")) == {"none"}, (tab, part)
        if tab == "maps":
            assert outline(page, ".place-cursor") == ["solid"]


# What of the controls and pictures is neither in the window's width nor in something that scrolls sideways by itself.
CUT = """() => [...document.querySelectorAll('button, input, select, img, h3, table')].filter((part) => {
  const box = part.getBoundingClientRect(), hidden = getComputedStyle(part).visibility === 'hidden';
  if (!box.width || hidden || part.closest('.visually-hidden, #wall, [role=tablist]')) return false;
  return box.left < -1 || box.right > innerWidth + 1;
}).map((part) => part.outerHTML.slice(0, 160))"""
COVERED = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return box.bottom > innerHeight || box.top < 0; }"""


def test_at_200_percent_nothing_is_cut_and_panels_can_be_scrolled(visit) -> None:
    page = visit(640, 400, query="?tab=atlas&layer=conv4_1&channel=7", device_scale_factor=2)
    for tab, drawn in TABS.items():
        go(page, f"?tab={tab}&layer=conv4_1&channel=7&row=8&column=8")
        page.locator(drawn).first.wait_for()
        assert page.evaluate(SIDEWAYS) <= 0 and page.evaluate(CUT) == [], tab
        assert page.locator("#header").bounding_box()["height"] <= 90
    for panel in ("#photo-panel", "#share"):
        page.locator(f"#header [data-panel={panel[1:]}]").click()
        page.locator(f"{panel}.open").wait_for()
        assert not page.evaluate(COVERED, panel)
        last = page.locator(f"{panel} button").last
        last.scroll_into_view_if_needed()
        expect(last).to_be_in_viewport(ratio=1)


def test_with_reduced_motion_nothing_moves_by_itself(visit) -> None:
    page = visit(query="?tab=maximize&layer=conv2_1&channel=4&steps=3&size=64", reduced_motion="reduce")
    page.evaluate("""() => { window.moved = new Set(); setInterval(() => document.getAnimations().forEach((one) =>
        one.effect.target && window.moved.add(one.effect.target.outerHTML.slice(0, 160))), 20); }""")
    page.locator("#start").click()
    page.locator("#stage a[href$='.gif']").wait_for()
    for tab, drawn in TABS.items():
        go(page, f"?tab={tab}&layer=conv2_1&channel=5&row=8&column=8")
        page.locator(drawn).first.wait_for()
    assert page.evaluate("[...window.moved]") == []
    smooth = "[...document.querySelectorAll('*')].some((part) => getComputedStyle(part).scrollBehavior === 'smooth')"
    assert not page.evaluate(smooth)
