"""The public endpoints: a frozen schema, wrong values, reproducible records, and clients in other languages."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers import ROOT
from PIL import Image

from cnnvis.maximization.recipes import RECIPES
from cnnvis.network.architecture import CONVOLUTIONS, LAYERS

PHOTO = ROOT / "examples" / "coffee.jpg"
LAYER_NAMES = tuple(layer.name for layer in LAYERS)


# Every public endpoint: names, order, types and defaults of what it takes, and what it returns.
API = """
layers() -> list
filters(layer: convolution = 'conv1_1', view: auto|rgb|signed|gray = 'auto', input_channel: number = 0) \
-> picture, record
feature_maps(image: file, layer: layer = 'conv1_1', pipeline: network|conv_chain = 'network', \
order: index|strength|unusual = 'index', contrast: map|layer = 'map') -> picture, record
feature_map(image: file, layer: layer = 'conv1_1', channel: number = 0, pipeline: network|conv_chain = 'network') \
-> picture, overlay, record
exemplars(layer: convolution = 'conv5_3', channel: number = 0, count: number = 9) -> picture, record
atlas(layer: convolution = 'conv5_3') -> picture, record
wiring(layer: convolution = 'conv3_1', channel: number = 0, count: number = 8) -> record
why(image: file, layer: convolution = 'conv3_1', channel: number = 0, row: number = None, column: number = None, \
count: number = 5, depth: number = 3) -> record
quiz(seed: number = 0, layer: convolution = 'conv5_1', questions: number = 10, \
reference: picture|photos|both = 'picture') -> record
quiz_answers(seed: number = 0, layer: convolution = 'conv5_1', questions: number = 10, \
reference: picture|photos|both = 'picture') -> record
maximize(layer: layer|class = 'conv3_1', channel: number = 0, recipe: fourier|erhan|maco|deepdream = 'fourier', \
steps: number = 0, size: number = 224, seed: number = 0, seconds: number = 0.0, \
objective: channel|centre|negative = 'channel', image: file = None) -> picture, record
"""
CHOICES = {CONVOLUTIONS: "convolution", LAYER_NAMES: "layer", (*LAYER_NAMES, "class"): "layer|class"}


def signature(name: str, endpoint: dict[str, Any]) -> str:
    """An endpoint as a line of API."""
    takes = []
    for item in endpoint["parameters"]:
        words = tuple(item["type"].get("enum", ()))
        kind = CHOICES.get(words) or "|".join(words) or item["type"].get("title") or item["type"]["type"]
        default = f" = {item['parameter_default']!r}" if item["parameter_has_default"] else ""
        takes.append(f"{item['parameter_name']}: {kind.replace('ImageData', 'file')}{default}")
    gives = [item["label"] if item["label"] != "1st" else "list" for item in endpoint["returns"]]
    return f"{name.removeprefix('/')}({', '.join(takes)}) -> {', '.join(gives)}"


def test_the_endpoints_take_and_return_what_programs_rely_on(page: Any) -> None:
    endpoints = page.get_api_info()["named_endpoints"]
    assert [signature(*item) for item in endpoints.items()] == API.strip().splitlines()
    assert all(len(endpoint["description"]) > 40 for endpoint in endpoints.values())


def test_the_pages_own_handlers_are_private(page: Any) -> None:
    public = {item.api_name for item in page.fns.values() if item.api_visibility == "public"}
    assert public == {line.partition("(")[0] for line in API.strip().splitlines()}


UNREAD = "image cannot be read: give an uploaded file, or the http address of one; in a program, handle_file("
NO_LAYER, NO_CHANNEL = "does not exist. ", "does not exist in conv"
OUT_OF_RANGE, UNKNOWN = "is out of range: choose ", "is unknown: choose one of "
# For each parameter a value that all endpoints refuse, and what the error says besides its name. What else people may
# send, the engine's own tests ask it: whatever the value, the endpoints hand it on as it came.
WRONG: dict[str, tuple[str, Any]] = {
    "layer": (NO_LAYER, {}),
    "channel": (NO_CHANNEL, "x"),
    "input_channel": (NO_CHANNEL, -1),
    "view": (UNKNOWN, "blue"),
    "pipeline": (UNKNOWN, []),
    "order": (UNKNOWN, 5),
    "contrast": (UNKNOWN, None),
    "image": (UNREAD, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}),
    "recipe": (UNKNOWN, "x"),
    "steps": (OUT_OF_RANGE, None),
    "size": (OUT_OF_RANGE, 10**9),
    "seed": (OUT_OF_RANGE, -1),
    "seconds": (OUT_OF_RANGE, "x"),
    "count": (OUT_OF_RANGE, 1.5),
    "objective": (UNKNOWN, "x"),
    "questions": (OUT_OF_RANGE, True),
    "reference": (UNKNOWN, "x"),
    "row": (OUT_OF_RANGE, 1e9),
    "column": (OUT_OF_RANGE, "x"),
    "depth": (OUT_OF_RANGE, 0),
}
NO_IMAGES: list[Any] = [
    "chelsea.jpg", "/etc/passwd", 5, [], {}, {"path": None}, {"path": str(PHOTO)}, "data:image/png;base64,xx",
    {"url": "http://127.0.0.1:1/x.png", "path": "x"},
]  # fmt: skip
TAKES = {line.partition("(")[0]: re.findall(r"(\w+): ", line) for line in API.strip().splitlines() if "()" not in line}
CASES = [(name, given, *WRONG[given]) for name, takes in TAKES.items() for given in takes]
CASES += [("feature_map", "image", UNREAD, value) for value in NO_IMAGES]
# Values of an unusual type that still make sense: torchvision's index, numbers as floats and as text.
ODD = [("filters", {"layer": 5}, "conv2_1"), ("filters", {"layer": "conv1_2", "input_channel": "7"}, "conv1_2"),
       ("maximize", {"layer": "10", "channel": 3.0, "seed": "4"}, "conv3_1")]  # fmt: skip


@pytest.fixture(scope="module")
def uploaded(http: httpx.Client) -> dict[str, Any]:
    with PHOTO.open("rb") as file:
        (path,) = http.post("/upload", files={"files": file}).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def asked_over_http(http: httpx.Client, endpoint: str, asked: dict[str, Any]) -> tuple[str, Any]:
    """Call an endpoint without a client. Returns the last event, "complete" or "error", and its data."""
    cheap = {"steps": 1, "size": 64} if endpoint == "maximize" else {}
    posted = http.post(f"/call/v2/{endpoint}", json={**cheap, **asked})
    assert posted.status_code == 200, posted.text
    text = http.get(f"/call/{endpoint}/{posted.json()['event_id']}").text
    *_, event, data = [line for line in text.splitlines() if line.startswith(("event: ", "data: "))]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize(("endpoint", "name", "sentence", "value"), CASES, ids=lambda value: repr(value)[:40])
def test_a_wrong_value_is_refused_with_a_clear_message(
    http: httpx.Client, uploaded: dict[str, Any], capfd: pytest.CaptureFixture[str], endpoint: str, name: str,
    sentence: str, value: Any,
) -> None:  # fmt: skip
    asked = {"image": uploaded} if (endpoint.startswith("feature") or endpoint == "why") else {}
    event, told = asked_over_http(http, endpoint, {**asked, name: value})
    assert event == "error"
    assert told["error"].startswith(f"{name} ") and sentence in told["error"]
    assert str(ROOT) not in told["error"]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_plain_path_is_answered_with_the_function_that_uploads_it(client: Client) -> None:
    with pytest.raises(AppError, match=r"handle_file\(path"):
        client.predict(image=str(PHOTO), layer="conv1_1", api_name="/feature_maps")


@pytest.mark.parametrize(("endpoint", "asked", "layer"), ODD)
def test_a_value_of_an_unusual_type_is_understood_if_it_makes_sense(
    http: httpx.Client, endpoint: str, asked: dict[str, Any], layer: str
) -> None:
    event, (_, record) = asked_over_http(http, endpoint, asked)
    assert (event, record["layer"]) == ("complete", layer)


def test_a_sheet_is_drawn_while_an_ascent_runs(page: Any) -> None:
    """Light work must not wait for heavy work."""
    ascent, sheet = Client(page.local_url, verbose=False), Client(page.local_url, verbose=False)
    job = ascent.submit(layer="conv4_1", channel=7, steps=512, size=224, api_name="/maximize")
    next(iter(job))
    _, record = sheet.predict(layer="conv5_3", api_name="/filters")
    assert record["layer"] == "conv5_3"
    assert not job.done()
    job.cancel()


def test_a_result_can_be_reproduced_from_its_record(client: Client) -> None:
    job = client.submit(layer="block3_conv1", channel=7, recipe="maco", steps=5, size=96, seed=9, api_name="/maximize")
    *_, (first, record) = list(job)
    names = [name for name in TAKES["maximize"] if name not in ("image", "seconds", "objective")]
    asked = {name: record[name] for name in names} | {"objective": record["settings"]["objective"]}
    *_, (second, _) = list(client.submit(**asked, api_name="/maximize"))
    with Image.open(first) as one, Image.open(second) as two:
        assert one.tobytes() == two.tobytes()


def test_a_running_ascent_can_be_cancelled(client: Client) -> None:
    job = client.submit(layer="conv3_1", channel=7, steps=512, size=224, api_name="/maximize")
    for _ in job:
        if len(job.outputs()) >= 3:
            job.cancel()
            break
    *_, (_, record) = list(client.submit(layer="conv1_1", steps=1, size=64, api_name="/maximize"))
    assert record["step"] == 1  # the queue is free again


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_python_example_runs(page: Any, tmp_path: Path) -> None:
    said = run(sys.executable, "examples/client.py", page.local_url, str(tmp_path))
    assert "cancelled" in said
    assert (tmp_path / "filters.png").exists()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_example_runs(page: Any, tmp_path: Path) -> None:
    said = run("bash", "examples/curl.sh", page.local_url.rstrip("/"), str(tmp_path))
    assert "step 12, activation" in said
    with Image.open(tmp_path / "filters.png") as sheet:
        assert sheet.format == "PNG"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_javascript_example_runs(page: Any, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "client.mjs", tmp_path)
    run("npm", "install", "--silent", "--prefix", str(tmp_path), "@gradio/client")
    said = run("node", str(tmp_path / "client.mjs"), page.local_url)
    assert "31 layers, the last one pool5" in said
    assert "step 12 of 12" in said


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "deepdream"])
def test_every_recipe_that_starts_from_noise_runs_over_http(client: Client, recipe: str) -> None:
    *_, (_, record) = list(client.submit(layer="conv1_1", recipe=recipe, steps=2, size=64, api_name="/maximize"))
    assert record["recipe"] == recipe


def test_deepdream_runs_over_http_and_needs_a_photo(client: Client) -> None:
    job = client.submit(
        layer="conv1_1", recipe="deepdream", steps=2, size=64, image=handle_file(PHOTO), api_name="/maximize"
    )
    *_, (_, record) = list(job)
    assert record["build"]["start_sha256"]
    with pytest.raises(AppError, match="starts from a photo: give one"):
        client.predict(layer="conv1_1", recipe="deepdream", steps=2, size=64, api_name="/maximize")
