"""Pictures given by their address: fetched by the page itself, from public addresses, within limits.

Gradio would fetch them too, however large and slow they are. This can go when `max_file_size` holds for addresses too,
with a limit of time.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import httpx
from gradio_client.utils import async_traverse, is_file_obj_with_meta, is_http_url_like
from safehttpx import AsyncSecureTransport

from cnnvis.errors import PhotoError
from cnnvis.pictures.photo import MAX_PHOTO_BYTES
from cnnvis.ui.serving.files import bytes_file
from cnnvis.version import __version__

MAX_SECONDS = 10  # in all, redirects included
MAX_REDIRECTS = 3
UPLOAD = "save the picture and upload the file instead"
AT_ONCE = 1  # light work runs two at a time: a visitor waiting for an address must leave room for everybody else
NAT64 = ipaddress.ip_network("64:ff9b::/96")

_fetching = 0


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet, not to this machine, its network or its provider."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        elif ip.sixtofour or ip.teredo or ip in NAT64:  # these hide an IPv4 address that leads elsewhere
            return False
    return ip.is_global and not ip.is_multicast


async def fetch_inputs(inputs: list[Any]) -> list[Any]:
    """Replace the address of a picture, anywhere in an event's inputs, with the file that it leads to.

    Raises PhotoError, UnavailableError.
    """
    urls = [value["path"] for value in _files(inputs) if is_http_url_like(value["path"])]
    if not urls:
        return inputs
    if len(urls) > 1:
        raise PhotoError(f"{len(urls)} addresses were given as pictures: give one.")
    path = await asyncio.to_thread(bytes_file, await fetch(urls[0]), "fetched")

    async def fetched(value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "path": path, "url": None} if value["path"] == urls[0] else value

    replaced: list[Any] = await async_traverse(inputs, fetched, is_file_obj_with_meta)
    return replaced


async def fetch(url: str, allowed: Callable[[str], bool] = is_public) -> bytes:
    """Fetch at most 15 MB within 10 s, from IP addresses that are `allowed`. Raises PhotoError."""
    global _fetching
    if _fetching >= AT_ONCE:
        raise PhotoError(f"another picture is being fetched: try again in a few seconds, or {UPLOAD}.")
    _fetching += 1
    try:
        async with asyncio.timeout(MAX_SECONDS):
            for _ in range(MAX_REDIRECTS + 1):
                content, url = await _ask(url, allowed)
                if content is not None:
                    return content
        raise PhotoError(f"the picture's address redirects too often: {UPLOAD}.")
    except TimeoutError as error:
        raise PhotoError(f"the picture's address took longer than {MAX_SECONDS} s: {UPLOAD}.") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        raise PhotoError(f"the picture's address cannot be reached: check it, or {UPLOAD}.") from error
    finally:
        _fetching -= 1


async def _ask(url: str, allowed: Callable[[str], bool]) -> tuple[bytes | None, str]:
    """One request: the content, or None and the address to ask next."""
    target = httpx.URL(url)
    if target.scheme not in ("http", "https"):
        raise PhotoError(f"the picture's address is not http or https: {UPLOAD}.")
    # Connect to the IP address that was checked, whatever the name resolves to a moment later.
    transport = AsyncSecureTransport(await _allowed_address(target, allowed))
    headers = {"User-Agent": f"cnnvis/{__version__}", "Accept": "image/*", "Accept-Encoding": "identity"}
    async with (
        httpx.AsyncClient(transport=transport, trust_env=False, headers=headers, timeout=MAX_SECONDS) as client,
        client.stream("GET", target) as response,
    ):
        if response.has_redirect_location:
            return None, str(target.join(response.headers["location"]))
        if response.status_code != 200:
            raise PhotoError(f"the picture's address returned {response.status_code}: check it, or {UPLOAD}.")
        content = bytearray()
        async for chunk in response.aiter_raw():  # not decoded: a compressed response may be a bomb
            content += chunk
            if len(content) > MAX_PHOTO_BYTES:
                limit = f"{MAX_PHOTO_BYTES // 1_000_000} MB"
                raise PhotoError(f"the picture at that address is larger than {limit}: choose a smaller one.")
        return bytes(content), url


async def _allowed_address(url: httpx.URL, allowed: Callable[[str], bool]) -> str:
    """The first IP address of a host. Raises PhotoError if any of its addresses is not allowed."""
    port = url.port or (443 if url.scheme == "https" else 80)
    resolved = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = [str(socket_address[0]) for *_, socket_address in resolved]
    if not addresses or not all(map(allowed, addresses)):
        raise PhotoError(f"the picture's address is not public: {UPLOAD}.")
    return addresses[0]


def _files(value: Any) -> list[dict[str, Any]]:
    """Every file in nested inputs, as Gradio's clients describe them."""
    if is_file_obj_with_meta(value):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [file for part in parts for file in _files(part)]
