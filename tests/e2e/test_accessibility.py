"""Accessibility: axe-core checks every tab, light and dark, against the automatic rules of WCAG 2.1 AA."""

import pytest

from .conftest import missing

# What to wait for in each view, and then what to click, each with what to wait for after it.
VIEWS = {
    "atlas": ("#atlas-filter .next", {}),
    "filters": ("#reads button", {"#more > button": "#filter-facts table"}),
    "maps": ("#wall .sheet button", {"#why-place .place": "#why .tree li"}),
    "maximize": ("#start", {"#start": "#stage a[href$='.gif']"}),
    "learn": ("#learn-around h3", {"#slide": "#sliding img", ".kernel-each": ".kernel-answer h4"}),
    "quiz": (".quiz-next", {".quiz-next": ".quiz-side", ".quiz-side": ".quiz-maps"}),
    "filters&lesson=7": (".lesson h2", {".lesson-option": ".lesson-answer b"}),
}


@pytest.mark.parametrize("tab", VIEWS)
def test_a_tab_breaks_no_accessibility_rule(visit, tab: str) -> None:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("the package axe-playwright-python is not installed")
    page = visit(query=f"?tab={tab}&layer=conv2_1&channel=4")
    first, clicks = VIEWS[tab]
    page.locator(first).first.wait_for()
    for button, shown in clicks.items():
        page.locator(button).first.click()
        page.locator(shown).first.wait_for()
    page.add_style_tag(content="* { transition: none !important; }")  # no colour is seen half faded in
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(
            "dark => document.body.classList.toggle('dark', dark)", scheme == "dark"
        )  # as Gradio at its start
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
        violations = Axe().run(page, options=rules).response["violations"]
        assert not [f"{scheme} {rule['id']}: {node['html'][:200]}" for rule in violations for node in rule["nodes"]]
