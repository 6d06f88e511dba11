"""Accessibility: axe-core checks every tab, light and dark, against the automatic rules of WCAG 2.1 AA."""

import pytest

from .conftest import missing

TABS = {
    "atlas": "#atlas-filter .next",
    "filters": "#filter-facts table",
    "maps": "#map-sheet button",
    "maximize": "#start",
    "learn": "#sums h3",
    "quiz": ".quiz-next",
    "filters&lesson=7": ".lesson h2",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_a_tab_breaks_no_accessibility_rule(visit, tab: str, scheme: str) -> None:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("the package axe-playwright-python is not installed")
    axe = Axe()
    page = visit(scheme=scheme, query=f"?tab={tab}&layer=conv2_1&channel=4")
    page.locator(TABS[tab]).first.wait_for()
    if tab == "maximize":
        page.locator("#start").click()
        page.locator("#stage a", has_text="GIF").wait_for()
    if tab == "maps":
        page.locator("#why-place .place").click()
        page.locator("#why .tree li").first.wait_for()
    if tab == "learn":
        page.locator("#slide").click()
        page.locator("#sliding img").wait_for()
        page.locator("#learn-steps h3").first.wait_for()
        page.locator(".kernel-answer h4").first.wait_for()
        page.locator(".kernel-each").check()
    if tab == "quiz":
        page.locator(".quiz-next").click()
        page.locator(".quiz-side").first.click()
        page.locator(".quiz-maps").wait_for()
    if "lesson" in tab:
        page.locator(".lesson-option").first.click()
    page.wait_for_timeout(300)  # until all colours have faded in
    found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).response["violations"]
    assert not [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]
