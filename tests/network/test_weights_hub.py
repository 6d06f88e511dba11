"""The weights on the Hugging Face Hub: the cache, a single download, and behaviour without a network."""

import hashlib
import json
import math
import mmap
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import huggingface_hub.constants
import pytest
from helpers import EXAMPLES, ROOT
from safetensors.torch import load_file

from cnnvis.network.weights import BUNDLED, HUB_FILE, HUB_REPO, HUB_REVISION, read_weights

SHAPES = {"pre_logits.fc1": (4096, 512, 7, 7), "pre_logits.fc2": (4096, 4096, 1, 1), "head.fc": (1000, 4096)}


def cache_folder() -> Path:
    """The weights' folder in the Hub's cache."""
    return Path(huggingface_hub.constants.HF_HUB_CACHE, f"models--{HUB_REPO.replace('/', '--')}")


def plant(content: bytes) -> None:
    """Put a file into the Hub's cache as the weights."""
    path = cache_folder() / "snapshots" / HUB_REVISION / HUB_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def test_a_cached_hub_file_is_preferred_to_the_bundled_one() -> None:
    plant(BUNDLED.read_bytes())
    assert read_weights()[1].source == "hub"


def test_a_broken_cached_hub_file_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    plant(BUNDLED.read_bytes()[:1000])
    assert read_weights()[1].source == "bundled"
    assert "'model.safetensors' is truncated" in caplog.text and "Using the bundled file" in caplog.text


def test_an_unreadable_hub_cache_is_ignored() -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "snapshots").touch()  # a file where a folder belongs: even root cannot read it
    assert read_weights()[1].source == "bundled"


class FakeHub(ThreadingHTTPServer):
    """A Hub that answers the two requests for a file over real sockets."""

    def __init__(self, port: int, body: Any) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.body, self.promised = body, len(body)
        self.requests: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self.answer(self.server.promised, b"")

    def do_GET(self) -> None:
        self.answer(len(self.server.body), self.server.body)

    def answer(self, length: int, body: bytes) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        known = self.path == f"/{HUB_REPO}/resolve/{HUB_REVISION}/{HUB_FILE}"
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", HUB_REVISION)
        self.send_header("ETag", f'"{"e" * 64}"')
        self.send_header("Content-Length", str(length if known else 0))
        self.end_headers()
        self.wfile.write(body if known else b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, to keep the test output clean."""


READER = """
import json, os, sys
from cnnvis.errors import WeightsError
from cnnvis.analysis.maps import top_classes
from cnnvis.network.weights import load_whole_vgg16, read_weights
for line in sys.stdin:
    choice, *photo = line.split() or [""]
    os.environ["CNNVIS_WEIGHTS"] = choice
    try:
        if photo:
            net = load_whole_vgg16("cpu")
            parameters = sum(parameter.numel() for parameter in net.parameters())
            answer = [parameters, top_classes(net, photo[0], 1000)[-1][1]]
        else:
            answer = read_weights()[1].as_dict()
    except WeightsError as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""


class Elsewhere:
    """A separate Python with its own Hub cache: huggingface_hub reads its settings only once, when imported."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.cache = home / "cache"
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        env |= {"HF_ENDPOINT": f"http://127.0.0.1:{self.port}", "HF_HUB_CACHE": str(self.cache), "HF_HOME": str(home)}
        env |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        command = [sys.executable, "-c", READER]
        self.python = Popen(command, env=env, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)

    def read(self, choice: str) -> Any:
        """Read the weights with this CNNVIS_WEIGHTS, and return their origin as JSON, or the error message.

        With a photo after it, load the whole network; return its parameters and the share of the photo's last class.
        """
        assert self.python.stdin and self.python.stdout
        print(choice, file=self.python.stdin, flush=True)
        return json.loads(self.python.stdout.readline())


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """One process for all tests, because torch takes seconds to import."""
    elsewhere = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    with elsewhere.python:
        yield elsewhere
        elsewhere.python.communicate()


@pytest.fixture
def elsewhere(process: Elsewhere) -> Elsewhere:
    """The other process, with an empty cache."""
    shutil.rmtree(process.cache, ignore_errors=True)
    return process


@pytest.fixture
def hub(elsewhere: Elsewhere) -> Iterator[FakeHub]:
    """A Hub for the other process, with a file of the convolutions alone."""
    with FakeHub(elsewhere.port, BUNDLED.read_bytes()) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.slow
def test_the_hub_file_is_downloaded_only_once(hub: FakeHub, elsewhere: Elsewhere) -> None:
    first = elsewhere.read("hub")
    assert (first["source"], first["file"]) == ("hub", HUB_FILE)
    assert first["sha256"] == hashlib.sha256(hub.body).hexdigest()
    assert sum(request.startswith("GET") and "resolve" in request for request in hub.requests) == 1
    hub.requests.clear()
    assert [elsewhere.read("hub"), elsewhere.read("")] == [first, first]
    assert hub.requests == []


def test_no_network_is_used_unless_the_hub_is_chosen(hub: FakeHub, elsewhere: Elsewhere) -> None:
    assert elsewhere.read("")["source"] == "bundled"
    assert hub.requests == []


def test_an_interrupted_download_leaves_no_file_behind(hub: FakeHub, elsewhere: Elsewhere) -> None:
    complete = hub.body
    hub.body = complete[: len(complete) // 2]
    refused = elsewhere.read("hub")
    assert "could not be downloaded (OSError)" in refused and "/" not in refused.replace(HUB_REPO, "")
    assert not list(elsewhere.cache.rglob(HUB_FILE))
    assert elsewhere.read("")["source"] == "bundled"
    hub.body = complete
    assert elsewhere.read("hub")["sha256"] == hashlib.sha256(complete).hexdigest()


def test_a_missing_network_is_reported_at_once(elsewhere: Elsewhere) -> None:
    assert elsewhere.read("")["source"] == "bundled"
    start = time.monotonic()
    refused = elsewhere.read("hub")
    assert "could not be downloaded (ConnectError)" in refused and "unset CNNVIS_WEIGHTS" in refused
    assert time.monotonic() - start < 5  # hf_hub_download alone takes 23 s


def full_size(path: Path) -> None:
    """Create a file with timm's layout and size: 553 MB of zeros, sparse, so it takes no space on the disk."""
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(BUNDLED).items()}
    shapes |= {f"{name}.weight": shape for name, shape in SHAPES.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in SHAPES.items()}
    header, offset = {}, 0
    for name, shape in sorted(shapes.items()):
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)


@pytest.mark.slow
def test_the_whole_network_can_be_loaded_from_the_hub(elsewhere: Elsewhere, tmp_path: Path) -> None:
    path = tmp_path / "full.safetensors"
    full_size(path)
    assert path.stat().st_size > 553_000_000
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body,
        FakeHub(elsewhere.port, body) as server,
    ):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        parameters, least = elsewhere.read(f"hub {EXAMPLES / 'chelsea.jpg'}")
        server.shutdown()
    assert parameters == 138_357_544  # torchvision's VGG16
    assert least == pytest.approx(1 / 1000)  # with zero weights, all classes are equally likely
