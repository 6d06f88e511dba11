"""Measure how fast the page responds, warm, in a real browser on this machine: medians of several visits.

    python -m benchmarks.page [--visits 3] [--json FILE] [--checkout FOLDER]

Needs Debian's chromium and the package playwright. Starts its own page. Each time runs from the visitor's action until
the browser has painted the result.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import ROOT, running

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Runs in the browser: the ms until `done` holds (checked before every repaint) and the browser has repainted.
WAIT = """([act, done]) => new Promise((resolve) => {
  const begun = performance.now(), ready = new Function('return ' + done);
  if (act) document.querySelector(act).click();
  const look = () => ready() ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)))
    : requestAnimationFrame(look);
  look();
})"""
PAINTED = """(() => { const sheet = document.querySelector('%s .sheet');
  return sheet && sheet.ariaLabel.includes('%s') && window.loaded(sheet); })()"""
# A sprite is painted once the browser has loaded it: then an <img> with the same address is complete.
LOADED = """window.sprites = {}; window.loaded = (sheet) => {
  const url = sheet.style.getPropertyValue('--sprite').slice(4, -1);
  window.sprites[url] ??= Object.assign(new Image(), {src: url});
  return window.sprites[url].complete; };"""

EDIT = """window.before = document.querySelector('.kernel-answer h4');
  const cell = document.querySelector('.kernel-weights input');
  cell.value = act;
  cell.dispatchEvent(new InputEvent('input', {bubbles: true}));"""
EDITED = """document.querySelector('.kernel-answer h4') !== window.before
  && [...document.querySelectorAll('.kernel-answer img')].every((image) => image.complete)"""

FIRST_SHEET = f"{PAINTED % ('#atlas-sheet', '')} || {PAINTED % ('#filter-sheet', '')}"


def chromium() -> str:
    """Find the browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or sys.exit(f"none of {', '.join(BROWSERS)} is installed")


def first_paint(page: Page, url: str) -> float:
    """Seconds from opening the address until the first sheet is painted: the atlas's, before it the filters'."""
    begun = time.perf_counter()
    page.goto(url)
    page.wait_for_function(FIRST_SHEET)
    return time.perf_counter() - begun


def timed(page: Page, act: str, done: str) -> float:
    """Seconds from a click on `act` until `done` holds and is painted."""
    elapsed: float = page.evaluate(WAIT, [act, done])
    return elapsed / 1000


def switch(page: Page, sheet: str, layer: str) -> float:
    """Seconds from choosing a layer until its sheet is painted."""
    page.locator(".choice-layer").evaluate("(list, layer) => { list.value = layer; }", layer)
    choose = "document.querySelector(act).dispatchEvent(new Event('change'))"
    act = WAIT.replace("document.querySelector(act).click()", choose)
    elapsed: float = page.evaluate(act, [".choice-layer", PAINTED % (sheet, layer)])
    return elapsed / 1000


def visit(page: Page, url: str) -> dict[str, float]:
    """Visit the page and measure everything once."""
    page.add_init_script(LOADED)
    times = {"first sheet visible": first_paint(page, url)}
    page.locator("#network", has_text="is ready").wait_for()
    if page.locator("#atlas-sheet").count():  # a264c94 has none
        times |= walls(page)
        times |= own_kernel(page, url)
    # An ascent of its own number of steps could end before it is stopped.
    page.goto(f"{url}?tab=filters&steps=512")
    page.wait_for_function(PAINTED % ("#filter-sheet", "conv1_1"))
    page.locator("#network", has_text="is ready").wait_for()
    times["filter sheet, conv1_2"] = switch(page, "#filter-sheet", "conv1_2")
    times["filter sheet, conv5_3 (512)"] = switch(page, "#filter-sheet", "conv5_3")
    if page.locator("#relations").count():  # a264c94 has none
        rows = "document.querySelector('#relations [data-of]')?.dataset.of === 'conv5_3 channel 1'"
        times["wiring rows, conv5_3"] = timed(page, ".choice-next", rows)
    page.get_by_role("tab", name="Feature maps").click()
    page.wait_for_function(PAINTED % ("#map-sheet", "conv5_3"))
    times["feature-map sheet, conv4_3 (512)"] = switch(page, "#map-sheet", "conv4_3")
    times["feature-map sheet, conv5_3 (512)"] = switch(page, "#map-sheet", "conv5_3")
    page.get_by_role("tab", name="Activation maximization").click()
    page.locator("#start").wait_for()
    grown = "(document.querySelector('#stage img')?.alt || '').includes('activation')"
    times["first growing picture, conv5_3"] = timed(page, "#start", grown)
    page.wait_for_timeout(1500)
    came = "document.querySelector('#stage .stage-slider').max"
    before, begun = int(page.evaluate(f"+{came}")), time.perf_counter()
    page.wait_for_timeout(3000)
    times["pictures a second, conv5_3"] = (int(page.evaluate(f"+{came}")) - before) / (time.perf_counter() - begun)
    times["Stop until it says so, conv5_3"] = stopped(page)
    return times


def walls(page: Page) -> dict[str, float]:
    """Seconds until another layer's wall is painted, and until another channel is shown whole."""
    for layer in ("conv4_2", "conv5_3"):  # both sheets are with the browser, and with the server
        switch(page, "#atlas-sheet", layer)
    whole = "document.querySelector('#atlas-filter h3').textContent.includes('channel %d')"
    return {
        "wall, conv4_2 (512)": switch(page, "#atlas-sheet", "conv4_2"),
        "wall, conv5_3 (512)": switch(page, "#atlas-sheet", "conv5_3"),
        "filter whole, conv5_3": statistics.median(
            timed(page, f'#atlas-sheet [data-channel="{channel}"]', whole % channel) for channel in (101, 102, 103)
        ),
    }


def own_kernel(page: Page, url: str) -> dict[str, float]:
    """Seconds from an edit of a weight, in the tab Learn, until its maps are painted; {} where there is none."""
    page.goto(f"{url}?tab=learn&layer=conv1_1")
    page.locator("#sums h3").wait_for()
    if not page.locator("#kernel").count():
        return {}
    page.locator(".kernel-answer h4").first.wait_for()
    edit = WAIT.replace("document.querySelector(act).click()", EDIT)
    return {"own kernel, an edit": statistics.median(page.evaluate(edit, [str(i), EDITED]) / 1000 for i in (3, 4, 5))}


def stopped(page: Page) -> float:
    """Seconds from pressing Stop until the page says that it has stopped. By then, nothing grows."""
    return timed(page, "#stop", "document.querySelector('#stage .stage-status').textContent.includes('stopped')")


def main() -> None:
    """Visit the page, print the medians, and write all times as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--visits", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="measure the page of another checkout")
    options = parser.parse_args()
    with running(options.checkout) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        visits = [visit(browser.new_page(), served.url) for _ in range(options.visits + 1)][
            1:
        ]  # the first is a warm-up
        browser.close()
    medians = {name: statistics.median(times[name] for times in visits) for name in visits[0]}
    for name, median in medians.items():
        print(f"{name:36} {median:6.2f}" + ("" if "a second" in name else " s"))
    if options.json:
        options.json.write_text(json.dumps({"visits": visits, "medians": medians}, indent=1) + "\n")


if __name__ == "__main__":
    main()
