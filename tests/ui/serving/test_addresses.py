"""Pictures given by their address: fetched from public hosts within limits, and from nowhere else."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from helpers import EXAMPLES

from cnnvis.errors import PhotoError
from cnnvis.ui.serving import addresses
from cnnvis.ui.serving.addresses import fetch, fetch_inputs, is_public

CAT = EXAMPLES / "chelsea.jpg"
PHOTO = CAT.read_bytes()
LOCAL = ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
         "224.0.0.1", "255.255.255.255", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
         "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"]  # fmt: skip
INTERNET = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"]


class Site(BaseHTTPRequestHandler):
    """A web server with a photo, and every trick that an address may lead to."""

    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        name, _, rest = self.path[1:].partition("/")
        getattr(self, f"send_{name}")(rest)

    def head(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def send_photo(self, _: str) -> None:
        self.head(200, Content_Type="image/jpeg")
        self.wfile.write(PHOTO)

    def send_to(self, target: str) -> None:
        self.head(302, Location=target)

    def send_round(self, _: str) -> None:
        self.head(301, Location="/round/")

    def send_missing(self, _: str) -> None:
        self.head(404)

    def send_endless(self, _: str) -> None:
        self.head(200, Content_Type="image/jpeg")
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"x" * 1_000_000)

    def send_bomb(self, _: str) -> None:
        self.head(200, Content_Encoding="gzip")
        self.wfile.write(b"\x1f\x8b" + b"x" * 100)

    def send_slowly(self, _: str) -> None:
        self.head(200)
        with suppress(OSError):
            for _ in range(40):
                self.wfile.write(b"x")
                time.sleep(0.1)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    Site.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(work: Any) -> Any:
    """Run a coroutine on another thread: on this one, the browser of tests/e2e may keep a loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def get(url: str, allowed: Any = lambda _: True) -> Any:
    return run(fetch(url, allowed))


def test_a_picture_is_fetched(site: str) -> None:
    assert get(f"{site}/photo") == PHOTO
    assert get(f"{site}/to//photo") == PHOTO  # over a redirect, relative to the address
    assert get(f"{site}/bomb")[:2] == b"\x1f\x8b"  # left packed, so that no bomb goes off


def test_only_addresses_of_the_internet_are_public() -> None:
    addresses = [*LOCAL, *INTERNET]
    assert [address for address in addresses if is_public(address)] == INTERNET


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f000001", "127.1"])
def test_this_machine_is_never_asked(site: str, host: str) -> None:
    with pytest.raises(PhotoError, match=r"not public|cannot be reached"):
        run(fetch(f"http://{host}:{site.rpartition(':')[2]}/photo"))
    assert Site.requests == []


@pytest.mark.parametrize("target", ["169.254.169.254/latest/meta-data", "10.0.0.1/x.jpg", "[::1]/x", "2.localhost/"])
def test_every_redirect_is_checked_again(site: str, target: str) -> None:
    with pytest.raises(PhotoError, match=r"not public|cannot be reached"):
        get(f"{site}/to/http://{target}", lambda address: address == "127.0.0.1" and not Site.requests)
    assert len(Site.requests) == 1


@pytest.mark.parametrize(("path", "sentence"), [
    ("missing", "returned 404"),
    ("endless", "larger than 15 MB"),
    ("round/", "redirects too often"),
    ("to/file:///etc/passwd", "not http or https"),
    ("to/ftp://example.com/x.jpg", "not http or https"),
])  # fmt: skip
def test_what_cannot_be_fetched_is_refused_in_a_sentence(site: str, path: str, sentence: str) -> None:
    with pytest.raises(PhotoError, match=sentence) as refused:
        get(f"{site}/{path}")
    assert "127.0.0.1" not in str(refused.value)


def test_a_byte_now_and_then_is_refused_in_time(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(PhotoError, match=r"took longer than 0\.5 s"):
        get(f"{site}/slowly")
    assert time.monotonic() - began < 2


@pytest.mark.slow
def test_one_picture_is_fetched_at_a_time_and_the_next_may_follow(site: str) -> None:
    async def two() -> list[Any]:
        both = fetch(f"{site}/slowly", lambda _: True), fetch(f"{site}/photo", lambda _: True)
        return await asyncio.gather(*both, return_exceptions=True)

    slow, refused = run(two())
    assert slow == b"x" * 40
    assert "another picture is being fetched" in str(refused)
    assert get(f"{site}/photo") == PHOTO


def test_an_address_that_leads_nowhere_is_refused(site: str) -> None:
    for url in ("http://nowhere.invalid/x.jpg", "http://", "https://127.0.0.1:1/x", "http://[::bad", "http://a b/"):
        with pytest.raises(PhotoError, match="cannot be reached"):
            get(url)


def file(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def test_inputs_without_an_address_stay_as_they_are() -> None:
    inputs = ["conv1_1", None, {"a": [file("/tmp/x.png")]}, 3]
    assert run(fetch_inputs(inputs)) is inputs


def test_an_address_is_found_wherever_it_hides_and_two_are_refused() -> None:
    local = file("http://127.0.0.1/x")
    for hidden in ([local], [{"a": [{"b": local}]}], [[file("http://[::1]")]]):
        with pytest.raises(PhotoError, match="not public"):
            run(fetch_inputs(hidden))
    with pytest.raises(PhotoError, match="2 addresses were given"):
        run(fetch_inputs([file("http://8.8.8.8/x"), {"a": file("https://8.8.8.8/y")}]))


# Through the page


def test_an_endpoint_takes_a_picture_by_its_address(client: Client, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**file(f"{site}/photo"), "url": f"{site}/photo"}
    with pytest.raises(Exception, match="not public: save the picture and upload the file"):
        client.predict(given, "conv1_1", api_name="/feature_maps")
    assert Site.requests == []
    monkeypatch.setattr(addresses.fetch, "__defaults__", (lambda _: True,))
    _, record = client.predict(given, "conv1_1", api_name="/feature_maps")
    assert record == client.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")[1]


@pytest.mark.parametrize(
    "path",
    ["file:///etc/passwd", "/etc/passwd", "../../etc/passwd", "C:\\x", "\\\\host\\x", "//x/y", str(EXAMPLES / "x")],
)
def test_no_path_of_the_server_is_a_picture(page: Any, path: str) -> None:
    """Called without gradio_client, which would upload the file from its own disk."""
    call = f"{page.local_url}gradio_api/call/feature_maps"
    event = httpx.post(call, json={"data": [file(path), "conv1_1", "network", "index", "map"]}).json()["event_id"]
    events = httpx.get(f"{call}/{event}", timeout=30).text
    assert "event: error" in events and "image cannot be read" in events
    assert "passwd" not in events and "root" not in events
    assert httpx.get(f"{page.local_url}gradio_api/file={path}").status_code in (403, 404)


def test_the_folder_of_uploads_is_not_listed(client: Client, page: Any) -> None:
    client.predict(handle_file(CAT), "conv1_1", api_name="/feature_maps")
    for end in ("", "/", "/."):
        listing = httpx.get(f"{page.local_url}gradio_api/file={os.environ['GRADIO_TEMP_DIR']}{end}")
        assert listing.status_code in (403, 404)
