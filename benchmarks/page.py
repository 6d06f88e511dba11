"""Measure how fast the page responds, warm, in a real browser on this machine: medians of several visits.

    python -m benchmarks.page [--visits 3] [--json FILE] [--beside /tmp/base] [--mbit 2]

Needs Debian's chromium and the package playwright. Starts its own page; with `--beside`, also another checkout's, whose
times and ratios it prints. Each time runs from the visitor's action until the browser has painted the result. With
`--mbit`, only the opening of the page is timed, on a line of so many Mbit/s with a delay of 40 ms.
"""

import shutil
import statistics
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.report import medians, parser_of, write
from benchmarks.serving import ROOT, running

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Runs in the browser: the seconds from `act` until `done` holds (checked before every repaint) and it has repainted.
WAIT = """([act, done]) => new Promise((resolve) => {
  const begun = performance.now(), ready = new Function('return ' + done);
  const end = () => resolve((performance.now() - begun) / 1000);
  new Function(act)();
  const look = () => requestAnimationFrame(ready() ? () => setTimeout(end) : look);
  look();
})"""
TILE = """[...document.querySelectorAll('#wall [data-channel], #atlas-sheet [data-channel]')]
  .find((tile) => tile.dataset.channel === '%d').click()"""
CHOOSE = """const list = document.querySelector('.choice-layer');
  list.value = '%s';
  list.dispatchEvent(new Event('change'));"""
# Up to commit 3d678db each tab had a sheet of its own; since then one wall stands beside them all.
SHEETS = {"atlas": "#atlas-sheet", "filters": "#filter-sheet", "maps": "#map-sheet"}
SPRITES = {"atlas": "-atlas", "filters": "-filters-", "maps": "-maps"}  # part of the sprite's address
PAINTED = """(() => { const sheet = document.querySelector('#wall .sheet, %s .sheet');
  return sheet && sheet.style.getPropertyValue('--sprite').includes('%s%s') && window.loaded(sheet); })()"""
# A sprite is painted once the browser has loaded it: then an <img> with the same address is complete.
LOADED = """window.sprites = {}; window.loaded = (sheet, name = '--sprite') => {
  const url = sheet.style.getPropertyValue(name).slice(4, -1).replaceAll('"', '');
  if (!url) return false;
  window.sprites[url] ??= Object.assign(new Image(), {src: url});
  return window.sprites[url].complete; };"""

# A small sheet is seen before the other has come.
SIGHT = "window.loaded(document.querySelector('#wall .sheet') ?? document.body, '--soon')"
GROWN = "(document.querySelector('#stage img')?.alt || '').includes('activation')"
EDIT = """window.before = document.querySelector('.kernel-answer h4');
  const cell = document.querySelector('.kernel-weights input');
  cell.value = %d;
  cell.dispatchEvent(new InputEvent('input', {bubbles: true}));"""
EDITED = """document.querySelector('.kernel-answer h4') !== window.before
  && [...document.querySelectorAll('.kernel-answer img')].every((image) => image.complete)"""


def chromium() -> str:
    """Find the browser."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    return path or sys.exit(f"none of {', '.join(BROWSERS)} is installed")


def timed(page: Page, act: str, done: str) -> float:
    """Seconds from running `act` in the page until `done` holds and is painted."""
    seconds: float = page.evaluate(WAIT, [act, done])
    return seconds


def clicked(page: Page, button: str, done: str) -> float:
    """Seconds from a click on `button` until `done` holds and is painted."""
    return timed(page, f"document.querySelector({button!r}).click()", done)


def painted(tab: str, layer: str = "") -> str:
    """The condition that a tab's sheet of a layer is painted."""
    return PAINTED % (SHEETS[tab], layer, SPRITES[tab])


def first_sheet() -> str:
    """The condition that the sheet which a visitor sees first is painted."""
    return f"{painted('atlas')} || {painted('filters')}"


def switch(page: Page, tab: str, layer: str) -> float:
    """Seconds from choosing a layer until its sheet is painted."""
    return timed(page, CHOOSE % layer, painted(tab, layer))


def visit(page: Page, url: str) -> dict[str, float]:
    """Visit the page and measure everything once. Commit a264c94 has no atlas and no wiring."""
    page.add_init_script(LOADED)
    begun = time.perf_counter()
    page.goto(url)
    page.wait_for_function(first_sheet())
    times = {"first sheet visible": time.perf_counter() - begun}
    page.locator("#network", has_text="is ready").wait_for()
    if page.locator("#atlas-sheet, #wall").count():
        times |= walls(page) | concepts(page)
        times |= own_kernel(page, url)
    # An ascent of its own number of steps could end before it is stopped.
    page.goto(f"{url}?tab=filters&steps=512")
    page.wait_for_function(painted("filters", "conv1_1"))
    page.locator("#network", has_text="is ready").wait_for()
    times["filter sheet, conv1_2"] = switch(page, "filters", "conv1_2")
    times["filter sheet, conv5_3 (512)"] = switch(page, "filters", "conv5_3")
    if page.locator("#relations").count():
        rows = "document.querySelector('#relations [data-of]')?.dataset.of === 'conv5_3 channel 1'"
        times["wiring rows, conv5_3"] = clicked(page, ".choice-next", rows)
    page.get_by_role("tab", name="Feature maps").click()
    page.wait_for_function(painted("maps", "conv5_3"))
    times["feature-map sheet, conv4_3 (512)"] = switch(page, "maps", "conv4_3")
    times["feature-map sheet, conv5_3 (512)"] = switch(page, "maps", "conv5_3")
    page.get_by_role("tab", name="Activation maximization").click()
    page.locator("#start").wait_for()
    times["first growing picture, conv5_3"] = clicked(page, "#start", GROWN)
    page.wait_for_timeout(1500)
    came = "document.querySelector('#stage .stage-slider').max"
    before, begun = int(page.evaluate(f"+{came}")), time.perf_counter()
    page.wait_for_timeout(3000)
    times["pictures a second, conv5_3"] = (int(page.evaluate(f"+{came}")) - before) / (time.perf_counter() - begun)
    times["Stop until it says so, conv5_3"] = stopped(page)
    return times


def open_slowly(page: Page, url: str, mbit: float) -> dict[str, float]:
    """Seconds until the first wall is seen at all, and until it is sharp, on a slow line."""
    line, bytes_a_second = page.context.new_cdp_session(page), mbit * 125_000
    limits = {"downloadThroughput": bytes_a_second, "uploadThroughput": bytes_a_second, "latency": 40}
    line.send("Network.emulateNetworkConditions", {"offline": False, **limits})
    page.add_init_script(LOADED)
    begun = time.perf_counter()
    page.goto(url)
    page.wait_for_function(f"{SIGHT} || {first_sheet()}")
    seen = time.perf_counter() - begun
    page.wait_for_function(first_sheet())
    return {"first wall seen": seen, "first sheet visible": time.perf_counter() - begun}


def walls(page: Page) -> dict[str, float]:
    """Seconds until another layer's wall is painted, and until another channel's view is."""
    for layer in ("conv4_2", "conv5_3"):  # afterwards browser and server both have these sheets
        switch(page, "atlas", layer)
    shown = "document.querySelector('#atlas-filter h3').textContent.includes('channel %d')"
    return {
        "wall, conv4_2 (512)": switch(page, "atlas", "conv4_2"),
        "wall, conv5_3 (512)": switch(page, "atlas", "conv5_3"),
        "filter whole, conv5_3": statistics.median(
            timed(page, TILE % channel, shown % channel) for channel in (101, 102, 103)
        ),
    }


def concepts(page: Page) -> dict[str, float]:
    """Seconds until the wall shows another layer's concepts, and until one is shown whole; {} where there are none."""
    lens = '#lens [value="concepts"]'
    if not page.locator(lens).count():
        return {}
    shown = "document.querySelector('#atlas-filter h3').textContent.includes('Concept %d ')"
    there = PAINTED % (SHEETS["atlas"], "%s", "-concepts")
    clicked(page, lens, there % "conv5_3")
    for layer in ("conv5_1", "conv5_3"):  # afterwards browser and server both have these sheets
        timed(page, CHOOSE % layer, there % layer)
    times = {"wall of concepts, conv5_1": timed(page, CHOOSE % "conv5_1", there % "conv5_1")}
    click = "document.querySelector('#wall [data-of=\"concept%d\"]').click()"
    times["concept whole, conv5_1"] = statistics.median(timed(page, click % n, shown % n) for n in (5, 6, 7))
    clicked(page, '#lens [value="pictures"]', painted("atlas", "conv5_1"))
    return times


def own_kernel(page: Page, url: str) -> dict[str, float]:
    """Seconds from the edit of a weight, in the tab Learn, until its maps are painted; {} where there is none."""
    page.goto(f"{url}?tab=learn&layer=conv1_1")
    page.locator("#sums h3").wait_for()
    if not page.locator("#kernel").count():
        return {}
    page.locator(".kernel-answer h4").first.wait_for()
    return {"own kernel, an edit": statistics.median(timed(page, EDIT % weight, EDITED) for weight in (3, 4, 5))}


def stopped(page: Page) -> float:
    """Seconds from pressing Stop until the page says that it has stopped, when nothing grows any more.

    Stop waits for the snapshot being computed, one every 0.15 s: the median of five, spread evenly over that time.
    """
    says = "document.querySelector('#stage .stage-status').textContent"
    page.locator("#stop").click()
    times = []
    for pause in range(600, 750, 30):
        page.locator('#stage a[href$=".gif"]').wait_for()  # a264c94 mixes up two ascents while it scores the first
        page.wait_for_timeout(500)
        page.locator("#start").click()
        page.wait_for_function(f"!{says}.includes('stopped') && {GROWN}")
        page.wait_for_timeout(pause)
        times.append(clicked(page, "#stop", f"{says}.includes('stopped')"))
    return statistics.median(times)


def main() -> None:
    """Visit the page, print the medians, and write all times as JSON if asked."""
    parser = parser_of(__doc__)
    parser.add_argument("--visits", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="another checkout, to visit in alternation with this one")
    parser.add_argument("--mbit", type=float, help="only open the page, on a line of so many Mbit/s")
    options = parser.parse_args()
    measured = partial(open_slowly, mbit=options.mbit) if options.mbit else visit
    checkouts = [ROOT, *filter(None, [options.beside])]
    with ExitStack() as stack, sync_playwright() as playwright:
        pages = [stack.enter_context(running(checkout)) for checkout in checkouts]
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        visits: list[list[dict[str, float]]] = [[] for _ in pages]
        for number in range(options.visits + 1):
            order = 1 if number % 2 else -1  # going second may be warmer: each goes first in every other round
            for served, times in [*zip(pages, visits, strict=True)][::order]:
                page = browser.new_page()
                times.append(measured(page, served.url))
                page.close()
        browser.close()
    visits = [times[1:] for times in visits]  # the first is a warm-up
    usual, *others = summaries = [medians(times) for times in visits]
    for name, seconds in usual.items():
        ratios = "".join(f"{other[name]:8.2f}{seconds / other[name]:8.2f} ×" for other in others if name in other)
        print(f"{name:36}{seconds:8.2f}{ratios}")
    write(options.json, {"visits": visits, "medians": summaries})


if __name__ == "__main__":
    main()
