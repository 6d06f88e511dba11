"""The weights: where they come from, what is refused and how, and one network for everybody."""

import copy
import hashlib
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cnnvis import weights
from cnnvis.errors import SettingError, WeightsError
from cnnvis.vgg import CONVOLUTIONS, cut, find_layer
from cnnvis.weights import BUNDLED, HUB_FILE, HUB_REPO, HUB_REVISION, load_vgg16, pick_device, read_weights

Choose = Callable[[object], None]
HEAD = {f"{name}.weight": torch.zeros(1) for name in ("head.fc", "pre_logits.fc1", "pre_logits.fc2")}  # timm's names


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's CNNVIS_WEIGHTS nor their Hub cache has a say here."""
    monkeypatch.delenv("CNNVIS_WEIGHTS", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def stored() -> dict[str, Tensor]:
    """The bundled file's 26 tensors as they are stored, in float16."""
    return load_file(BUNDLED)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Choose:
    """Sets CNNVIS_WEIGHTS."""
    return lambda choice: monkeypatch.setenv("CNNVIS_WEIGHTS", str(choice))


@pytest.fixture
def another(tmp_path: Path, choose: Choose) -> Path:
    """The bundled file under a name of its own, chosen: a network that no other test has loaded."""
    path = tmp_path / "another.safetensors"
    path.symlink_to(BUNDLED)
    choose(path)
    return path


def first_layer(stored: dict[str, Tensor], **changes: Tensor) -> dict[str, Tensor]:
    """Two good tensors and nothing else, or what `changes` makes of them."""
    start = {part: stored[f"features.0.{part}"] for part in ("weight", "bias")} | changes
    return {f"features.0.{part}": tensor for part, tensor in start.items()}


def refusal(path: Path | None = None) -> str:
    """The sentence that read_weights refuses with, checked for what must not be in it."""
    with pytest.raises(WeightsError) as caught:
        read_weights()
    sentence = str(caught.value)
    assert path is None or path.name in sentence
    assert "/" not in sentence.replace(HUB_REPO, "")
    assert sentence.endswith(".") and "!" not in sentence and "\n" not in sentence
    return sentence


# The bundled file


def test_bundled_values() -> None:
    state, origin = read_weights()
    kernel = torch.tensor(
        [
            [-0.5537306, 0.1427047, 0.5289615],
            [-0.58312404, 0.35655147, 0.76566225],
            [-0.69022113, -0.04801885, 0.48409155],
        ]
    )
    biases = torch.tensor([0.403388, 0.37779424, 0.46436158])
    for found, known in ((state["features.0.weight"][0, 0], kernel), (state["features.0.bias"][:3], biases)):
        torch.testing.assert_close(found, known, rtol=2**-11, atol=0)  # half a step of float16
    assert sum(tensor.numel() for tensor in state.values()) == 14_714_688
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert (origin.source, origin.path, origin.stored_as, origin.full) == ("bundled", BUNDLED, "float16", False)


def test_bundled_file_states_its_licence() -> None:
    licence = BUNDLED.with_name("LICENSE-vgg16.txt").read_text()
    with safe_open(BUNDLED, framework="pt") as file:
        assert "BSD-3-Clause" in file.metadata()["about"]
    assert "Soumith Chintala" in licence
    assert hashlib.sha256(BUNDLED.read_bytes()).hexdigest() in licence


def test_empty_choice_is_no_choice(choose: Choose) -> None:
    choose("  ")
    assert read_weights()[1].source == "bundled"


def test_damaged_bundled_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = tmp_path / "vgg16_features.safetensors"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1799d0093a34\nsize 29431896\n")
    monkeypatch.setattr(weights, "BUNDLED", pointer)
    assert "install cnnvis again" in refusal(pointer)


# The network


def test_layers_bit_equal_to_torchvision(another: Path) -> None:
    net = copy.deepcopy(load_vgg16("cpu")).to(memory_format=torch.contiguous_format)
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    features.load_state_dict({key.removeprefix("features."): tensor for key, tensor in read_weights()[0].items()})
    photo = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    normal = torchvision.transforms.functional.normalize(photo, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        for name in ("conv1_1", "relu3_3", "conv5_1", "pool5"):
            theirs = features[: find_layer(name).index + 1](normal.clone())
            assert torch.equal(cut(net, name)(photo), theirs), name


def test_network_is_ready_for_use(another: Path) -> None:
    before = torch.random.get_rng_state()
    net = load_vgg16("cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not net.training and not any(module.training for module in net.modules())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert all(getattr(net, name).weight.is_contiguous(memory_format=torch.channels_last) for name in CONVOLUTIONS)
    assert net.origin.path == another and "another.safetensors" in repr(net)


def test_network_loaded_in_inference_mode_still_gives_gradients(another: Path) -> None:
    with torch.inference_mode():
        net = load_vgg16("cpu")
    photo = torch.rand(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(cut(net, "conv3_1")(photo).mean(), photo)
    assert gradient.abs().sum() > 0


def test_threads_share_one_reading(another: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = []
    digest = hashlib.file_digest

    def counted(*arguments: Any) -> Any:
        readings.append(arguments)
        return digest(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    together = threading.Barrier(8)

    def visitor(_: int) -> int:
        together.wait()
        return id(load_vgg16("cpu"))

    with ThreadPoolExecutor(8) as pool:
        nets = set(pool.map(visitor, range(8)))
    assert len(nets) == 1 and len(readings) == 1


@pytest.mark.parametrize("there", [True, False])
def test_pick_device(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(there))
    assert pick_device() == torch.device("cuda" if there else "cpu")
    assert pick_device(torch.device("cpu")) == torch.device("cpu")
    if there:
        assert pick_device("cuda:0") == torch.device("cuda", 0)
    for absent in ("cuda:1", "toaster", "") if there else ("cuda", "cuda:0", torch.device("cuda")):
        with pytest.raises(SettingError, match=r"device .* choose one of .*cpu"):
            pick_device(absent)


# A file of one's own


def test_origin_says_where_from_without_folders(another: Path) -> None:
    _, origin = read_weights()
    sha256 = hashlib.sha256(BUNDLED.read_bytes()).hexdigest()
    expected = {"source": "file", "file": another.name, "sha256": sha256, "stored_as": "float16", "full": False}
    assert json.loads(json.dumps(origin.as_dict())) == expected
    assert str(origin) == f"file another.safetensors, float16, sha256 {sha256[:12]}"


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torchvision_pth(zipped: bool, stored: dict[str, Tensor], tmp_path: Path, choose: Choose) -> None:
    path = tmp_path / "vgg16.pth"
    head = {f"classifier.{number}.weight": torch.zeros(1) for number in (0, 3, 6)}
    torch.save(stored | head, path, _use_new_zipfile_serialization=zipped)
    choose(path)
    state, origin = read_weights()
    assert state.keys() == stored.keys() and origin.full
    assert all(torch.equal(state[key], tensor.float()) for key, tensor in stored.items())


def test_tensors_do_not_hang_on_the_file(stored: dict[str, Tensor], tmp_path: Path, choose: Choose) -> None:
    path = tmp_path / "vgg16.safetensors"
    save_file({key: tensor.float() for key, tensor in stored.items()}, path)
    choose(path)
    state, origin = read_weights()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert origin.stored_as == "float32"
    assert all(torch.equal(state[key], tensor.float()) for key, tensor in stored.items())


# What is refused


@pytest.mark.parametrize("name", ["weights.bin", "weights", "Hub"])
def test_unknown_suffix(name: str, tmp_path: Path, choose: Choose) -> None:
    choose(tmp_path / name)
    assert "neither .safetensors nor .pth" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["missing.safetensors", "missing.pth"])
def test_missing_file(name: str, tmp_path: Path, choose: Choose) -> None:
    choose(tmp_path / name)
    assert "does not exist: name another in CNNVIS_WEIGHTS, or unset it" in refusal(tmp_path / name)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy", "empty safetensors", "empty pth", "folder"])
def test_truncated(kind: str, stored: dict[str, Tensor], tmp_path: Path, choose: Choose) -> None:
    path = tmp_path / ("weights.safetensors" if "safetensors" in kind or kind == "folder" else "weights.pth")
    if kind == "folder":
        path.mkdir()
    elif kind == "safetensors":
        save_file(first_layer(stored), path)
    else:
        torch.save(first_layer(stored), path, _use_new_zipfile_serialization=kind == "zip")
    if kind != "folder":
        os.truncate(path, 0 if "empty" in kind else path.stat().st_size // 2)
    choose(path)
    assert "truncated, damaged" in refusal(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "has no features.2.weight"),
        ({"weight": torch.zeros(64, 3, 5, 5)}, "has features.0.weight of shape (64, 3, 5, 5), not (64, 3, 3, 3)"),
        ({"bias": torch.zeros(63)}, "has features.0.bias of shape (63,), not (64,)"),
        ({"bias": torch.full((64,), torch.nan)}, "values in features.0.bias that are not finite numbers"),
        ({"bias": torch.full((64,), 1e300, dtype=torch.float64)}, "values in features.0.bias"),
        ({"weight": torch.zeros(64, 3, 3, 3, dtype=torch.int8)}, "values in features.0.weight"),
        ({"weight": torch.zeros(1), "bias": torch.zeros(63)}, "features.0.weight of shape (1,)"),
    ],
)
def test_first_thing_wrong(
    changes: dict[str, Tensor],
    found: str,
    suffix: str,
    stored: dict[str, Tensor],
    tmp_path: Path,
    choose: Choose,
) -> None:
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(first_layer(stored, **changes), path)
    choose(path)
    assert found in refusal(path)


class Malicious:
    """A pickle that makes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle"])
def test_malicious_pickle_is_not_run(kind: str, tmp_path: Path, choose: Choose) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "executed"
    state = {"features.0.weight": Malicious(mark)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    choose(path)
    assert "damaged" in refusal(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if kind != "plain pickle" else pickle.loads(path.read_bytes())
    assert mark.exists(), "the file would not have done anything anyway"


def test_pickle_of_something_else(tmp_path: Path, choose: Choose) -> None:
    path = tmp_path / "weights.pth"
    torch.save([torch.zeros(1)], path)
    choose(path)
    assert "no weights file" in refusal(path)


# The Hub


def cache_folder() -> Path:
    """Where the Hub's cache keeps our repository."""
    return Path(huggingface_hub.constants.HF_HUB_CACHE, f"models--{HUB_REPO.replace('/', '--')}")


def plant(content: bytes) -> None:
    """Put a file where the Hub's cache keeps ours."""
    path = cache_folder() / "snapshots" / HUB_REVISION / HUB_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def test_cached_hub_file_comes_before_the_bundled_one(stored: dict[str, Tensor]) -> None:
    plant(BUNDLED.read_bytes())
    assert read_weights()[1].source == "hub"


def test_broken_cached_hub_file_is_stepped_over(caplog: pytest.LogCaptureFixture) -> None:
    plant(BUNDLED.read_bytes()[:1000])
    assert read_weights()[1].source == "bundled"
    assert "'model.safetensors' is truncated" in caplog.text and "the bundled file is used" in caplog.text


def test_unreadable_hub_cache_is_no_cache() -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "snapshots").touch()  # a file where a folder should be: as unreadable for root as for anyone
    assert read_weights()[1].source == "bundled"


class FakeHub(ThreadingHTTPServer):
    """The two requests that the Hub answers for a file, over real sockets."""

    def __init__(self, port: int, body: bytes) -> None:
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
        """Nothing: a test's output is its own."""


READER = """
import json, os, sys
from cnnvis.errors import WeightsError
from cnnvis.weights import read_weights
for line in sys.stdin:
    os.environ["CNNVIS_WEIGHTS"] = line.strip()
    try:
        answer = read_weights()[1].as_dict()
    except WeightsError as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""


class Elsewhere:
    """A Python of its own with a Hub cache of its own: huggingface_hub reads its settings once, when imported."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.cache = home / "cache"
        settings = {"HF_ENDPOINT": f"http://127.0.0.1:{self.port}", "HF_HUB_CACHE": str(self.cache)}
        others = {"HF_HOME": str(home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        self.python = subprocess.Popen(
            [sys.executable, "-c", READER],
            env=inherited | settings | others,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def read(self, choice: str) -> Any:
        """The origin of the weights with this CNNVIS_WEIGHTS, as JSON, or the refusal's sentence."""
        assert self.python.stdin and self.python.stdout
        print(choice, file=self.python.stdin, flush=True)
        return json.loads(self.python.stdout.readline())


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """One process for all tests of the Hub: torch takes seconds to import."""
    elsewhere = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    with elsewhere.python:
        yield elsewhere
        elsewhere.python.communicate()


@pytest.fixture
def elsewhere(process: Elsewhere) -> Elsewhere:
    """The other process, with nothing in its cache."""
    shutil.rmtree(process.cache, ignore_errors=True)
    return process


@pytest.fixture
def hub(elsewhere: Elsewhere, stored: dict[str, Tensor], tmp_path: Path) -> Iterator[FakeHub]:
    """A Hub for the other process, whose file holds a classifier too."""
    save_file(stored | HEAD, tmp_path / "served.safetensors")
    with FakeHub(elsewhere.port, (tmp_path / "served.safetensors").read_bytes()) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_hub_downloads_once(hub: FakeHub, elsewhere: Elsewhere) -> None:
    first = elsewhere.read("hub")
    assert (first["source"], first["file"], first["full"]) == ("hub", HUB_FILE, True)
    assert first["sha256"] == hashlib.sha256(hub.body).hexdigest()
    assert sum(request.startswith("GET") and "resolve" in request for request in hub.requests) == 1
    hub.requests.clear()
    assert [elsewhere.read("hub"), elsewhere.read("")] == [first, first]
    assert hub.requests == []


def test_nothing_chosen_asks_no_network(hub: FakeHub, elsewhere: Elsewhere) -> None:
    assert elsewhere.read("")["source"] == "bundled"
    assert hub.requests == []


def test_interrupted_download_leaves_nothing_to_stumble_over(hub: FakeHub, elsewhere: Elsewhere) -> None:
    whole = hub.body
    hub.body = whole[: len(whole) // 2]
    refused = elsewhere.read("hub")
    assert "could not be downloaded (OSError)" in refused and "/" not in refused.replace(HUB_REPO, "")
    assert not list(elsewhere.cache.rglob(HUB_FILE))
    assert elsewhere.read("")["source"] == "bundled"
    hub.body = whole
    assert elsewhere.read("hub")["sha256"] == hashlib.sha256(whole).hexdigest()


def test_no_network_is_said_at_once(elsewhere: Elsewhere) -> None:
    assert elsewhere.read("")["source"] == "bundled"
    start = time.monotonic()
    refused = elsewhere.read("hub")
    assert "could not be downloaded (ConnectError)" in refused and "unset CNNVIS_WEIGHTS" in refused
    assert time.monotonic() - start < 5  # hf_hub_download alone needs 23 s
