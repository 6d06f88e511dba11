"""Take the README's screenshots of the page: docs/filters.webp and the others.

    python -m benchmarks.make_screenshots [FOLDER]

Needs Debian's chromium and the package playwright. Starts its own page.
"""

import io
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

import cnnvis
from benchmarks.page import FLAGS, chromium
from benchmarks.serving import ROOT, running

SCREEN, WIDE = (1280, 800), (1280, 1050)
PHONE, POST = (390, 1100), (860, 1100)
SHOWN_PX = 1000  # in the README
GAP_PX, BACKGROUND, QUALITY = 24, (248, 250, 252), 88
WELCOMED = "localStorage.setItem('cnnvis.welcomed', '1')"  # a first visitor's hints are not in the way
GROWN = "#stage a[href$='.gif']"


def opened(browser: Browser, url: str, size: tuple[int, int], scheme: str = "light") -> Page:
    """Open the page in a window of `size` and wait until its network is loaded."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
    page.add_init_script(WELCOMED)
    page.goto(url)
    page.locator("#network", has_text="is ready").wait_for(state="attached")
    return page


def taken(page: Page) -> Image.Image:
    """Take a screenshot once all pictures are there."""
    page.wait_for_timeout(2000)  # for the other pictures: server events never stop, so the connection is never idle
    return picture_of(page)


def picture_of(shown: Page | Locator) -> Image.Image:
    """Take a screenshot of a page, or a part of one, as it is now."""
    return Image.open(io.BytesIO(shown.screenshot())).convert("RGB")


def save(picture: Image.Image, path: Path) -> None:
    """Save the screenshot as wide as the README shows it."""
    high = round(picture.height * SHOWN_PX / picture.width)
    picture.resize((SHOWN_PX, high), Image.Resampling.LANCZOS).save(path, quality=QUALITY, method=6)


def photographs(browser: Browser, url: str) -> dict[str, Image.Image]:
    """Take all screenshots, by name."""
    pictures = {"atlas": taken(opened(browser, url, SCREEN))}
    page = opened(browser, f"{url}/?layer=conv3_1&channel=148", WIDE)
    pictures["filters"] = taken(page)
    pictures["maps"] = taken(seeing(browser, f"{url}/?tab=maps&layer=conv5_1&channel=295&row=5&column=4", WIDE))
    pictures["seen"] = seen(browser, url)
    pictures["concepts"] = concepts(browser, url)
    pictures["why"] = why(browser, url)
    pictures["exemplars"] = exemplars(browser, url)
    page = opened(browser, f"{url}/?tab=maximize&layer=conv4_3&channel=307", (1280, 1240))
    page.locator("#start").click()
    page.locator(GROWN).wait_for()
    pictures["maximize"] = taken(page)
    page = opened(browser, f"{url}/?tab=learn&layer=conv3_1&channel=148", WIDE)
    page.locator("#sums h3").wait_for()
    pictures["learn"] = taken(page)
    page = opened(browser, f"{url}/?tab=quiz&layer=conv5_1&seed=7", WIDE)
    page.get_by_role("button", name="Start").click()
    page.locator(".quiz-side").first.click()
    page.locator(".quiz-maps").wait_for()
    pictures["quiz"] = taken(page)
    pictures["phone-and-embed"] = phone_and_post(browser, url)
    pictures["site-and-card"] = without_server(browser)
    return pictures


def why(browser: Browser, url: str) -> Image.Image:
    """The tree of what makes a value."""
    page = opened(browser, f"{url}/?tab=maps&layer=conv4_1&channel=371&row=8&column=8", (1280, 1000))
    page.locator("#why .tree li").first.wait_for()
    page.locator("#silence").click()
    page.locator("#silenced", has_text="draws").wait_for()
    page.wait_for_timeout(1000)
    return picture_of(page.locator("#reasons"))


def seeing(browser: Browser, url: str, size: tuple[int, int], scheme: str = "light") -> Page:
    """The tab Feature maps once the dictionary and the groups are there, and what is seen at the place has grown."""
    page = opened(browser, url, size, scheme)
    page.locator("#groups [data-group]").nth(5).wait_for()
    page.locator("#place-start").click()
    page.locator("#place-stage a[href$='.gif']").wait_for()
    page.evaluate("scrollTo(0, 0)")
    return page


def seen(browser: Browser, url: str) -> Image.Image:
    """What three photos show at one place each: two laptops, light and dark, and two phones."""
    views = (("chelsea.jpg&layer=conv5_1&row=9&column=9", SCREEN, "light"),
             ("coffee.jpg&layer=conv4_3&row=12&column=12", SCREEN, "dark"),
             ("rocket.jpg&layer=conv5_1&row=6&column=7", (390, 788), "light"),
             ("coffee.jpg&layer=conv5_1&row=5&column=6", (390, 788), "dark"))  # fmt: skip
    pictures = [taken(seeing(browser, f"{url}/?tab=maps&photo={photo}", size, look)) for photo, size, look in views]
    both = Image.new("RGB", (SCREEN[0] + GAP_PX + 390, 2 * SCREEN[1] + GAP_PX), BACKGROUND)
    for number, picture in enumerate(pictures):
        both.paste(picture, (number // 2 * (SCREEN[0] + GAP_PX), number % 2 * (SCREEN[1] + GAP_PX)))
    return both


def concepts(browser: Browser, url: str) -> Image.Image:
    """One concept on a laptop, and another on a phone in dark mode."""
    view = f"{url}/?tab=atlas&layer=conv5_1&lens=concepts&of="
    laptop = taken(opened(browser, f"{view}concept6", SCREEN))
    phone = taken(opened(browser, f"{view}concept13&photo=hubble.jpg", (390, SCREEN[1]), "dark"))
    both = Image.new("RGB", (SCREEN[0] + GAP_PX + 390, SCREEN[1]), BACKGROUND)
    both.paste(laptop)
    both.paste(phone, (SCREEN[0] + GAP_PX, 0))
    return both


def exemplars(browser: Browser, url: str) -> Image.Image:
    """The exemplars of two channels side by side, with weaker photos below."""
    columns = []
    for channel in ("conv5_1&channel=170", "conv5_3&channel=17"):
        page = opened(browser, f"{url}/?tab=maps&layer={channel}", (1100, 1050))
        page.locator("#exemplars img").first.wait_for()
        page.locator("#weaker-button").click()
        page.locator("#weaker svg").wait_for()
        columns.append([picture_of(page.locator(part)) for part in ("#exemplars", "#weaker")])
    width = max(part.width for column in columns for part in column)
    height = max(upper.height + GAP_PX + lower.height for upper, lower in columns)
    both = Image.new("RGB", (2 * width + GAP_PX, height), BACKGROUND)
    for left, (upper, lower) in zip((0, width + GAP_PX), columns, strict=True):
        both.paste(upper, (left, 0))
        both.paste(lower, (left, upper.height + GAP_PX))
    return both


def phone_and_post(browser: Browser, url: str) -> Image.Image:
    """A phone in dark mode, and beside it the page embedded in examples/embed.html."""
    phone = opened(browser, f"{url}/?tab=maps&layer=conv3_3&channel=60&photo=coffee.jpg", PHONE, "dark")
    left = taken(phone)
    page = browser.new_page(viewport={"width": POST[0], "height": POST[1]})
    page.set_content(
        (ROOT / "examples" / "embed.html").read_text(encoding="utf-8").replace("http://127.0.0.1:7860", url)
    )
    page.frame_locator("iframe >> nth=0").locator("#wall .sheet").wait_for()
    both = Image.new("RGB", (left.width + POST[0], left.height))
    both.paste(left)
    both.paste(taken(page), (left.width, 0))
    return both


def without_server(browser: Browser) -> Image.Image:
    """A site on a laptop, and a card on a phone in dark mode."""
    with TemporaryDirectory() as folder:
        cnnvis.make_site(folder, ["conv5_1"])
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
        Thread(target=server.serve_forever, daemon=True).start()
        laptop = browser.new_page(viewport={"width": SCREEN[0], "height": SCREEN[1]})
        laptop.goto(f"http://127.0.0.1:{server.server_port}/?tab=maps&layer=conv5_1&channel=376")
        laptop.locator("#here .entry").first.wait_for()
        left = taken(laptop)
        server.shutdown()
    card = cnnvis.card("conv5_1", 260, photo=ROOT / "examples" / "chelsea.jpg", theme="dark")
    phone = browser.new_page(viewport={"width": 390, "height": SCREEN[1]})
    phone.set_content(card.html)
    both = Image.new("RGB", (left.width + GAP_PX + 390, left.height), BACKGROUND)
    both.paste(left)
    both.paste(taken(phone), (left.width + GAP_PX, 0))
    return both


def main(folder: str = "docs") -> None:
    """Take the screenshots and save them."""
    with running() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name, picture in photographs(browser, served.url).items():
            save(picture, Path(folder) / f"{name}.webp")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
