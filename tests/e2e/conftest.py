"""The page in a separate process, and a real browser that reports every error on it."""

import functools
import io
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
from PIL import Image

from benchmarks.serving import running

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOLDER = "a b (1)#'ü"
PATIENCE_MS = 60_000  # for whatever a test waits for: a busy machine is not a fault
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"  # px beyond the window


def picture_at(page, source: str) -> Image.Image:
    """A picture that the page links to or shows, from its relative address."""
    address = page.evaluate("source => new URL(source, location.href).href", source)
    with urllib.request.urlopen(address, timeout=20) as answer:
        return Image.open(io.BytesIO(answer.read()))


def missing(reason: str) -> None:
    """Skip the test for lack of a browser, or fail it if CNNVIS_E2E=required, as in .ci/run."""
    if os.environ.get("CNNVIS_E2E") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        missing(f"none of {', '.join(BROWSERS)} is installed")
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing("the package playwright is not installed")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the running page's log and, under FOLDER, its files."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def url(browser: object, served: Path) -> Iterator[str]:
    """The address of the running page, where it is hard to run. It starts only if there is a browser.

    Its folder's name has all that an address, a style and a shell give a meaning to; the proxies do not exist; and
    what it prints cannot all be encoded.
    """
    log, dead = served / "log.txt", "127.0.0.1:9"
    hard = {"http_proxy": f"http://{dead}", "HTTPS_PROXY": f"http://{dead}", "ALL_PROXY": f"socks5://{dead}"}
    hard |= {"PYTHONIOENCODING": "cp1251", "PYTHONWARNDEFAULTENCODING": "1"}
    with running(log=log, GRADIO_TEMP_DIR=str(served / FOLDER), **hard) as page:
        yield page.url
    said = log.read_text(encoding="cp1251")
    assert "Traceback" not in said
    assert not re.search(r"cnnvis/\S+ EncodingWarning", said)  # files are read and written as UTF-8 everywhere


@pytest.fixture(scope="session")
def profile(browser):
    """A function from a kind of window to the browser's profile for it, whose pages share what they have loaded."""
    return functools.cache(lambda **kind: browser.new_context(**kind))


@pytest.fixture
def visit(profile, url):
    """A function that opens the page in a new window: `visit(width=390, scheme="dark", query="?tab=maps")`.

    Without a query it opens the Filters tab; an empty one opens the atlas, as for a new visitor.
    `script` runs in the page before its own scripts. Further arguments say what kind of window, as in Playwright's
    `new_context`.

    The test fails if the console shows an error, or if the page sends a request to another host.
    """
    wrong: list[str] = []
    pages = []

    def seen(request) -> None:
        parts = urlparse(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            wrong.append(f"asked {request.url}")

    def opened(width=1280, height=900, scheme="light", query="?tab=filters", script="", **kind):
        page = profile(color_scheme=scheme, **kind).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.add_init_script(f"localStorage.clear();{script}")
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", seen)
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{url}/{query}")
        page.locator("#network", has_text="is ready").wait_for(state="attached")
        page.locator("#photo-chip img").wait_for(state="attached")  # the page, and what its address names, is drawn
        return page

    yield opened
    for page in pages:
        page.close()
    assert not wrong


def go(page, query: str) -> None:
    """Show another view in an open page, as Back and Forward do: much faster than opening one."""
    page.evaluate(
        "query => { history.pushState(null, '', query); dispatchEvent(new PopStateEvent('popstate')); }", query
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all browser tests as slow: `pytest -m "not slow"` leaves them out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("slow")
