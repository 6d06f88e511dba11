"""The public endpoints: their schema, wrong values, reproducible records, and clients in other languages."""

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
# Every public endpoint: the names, order, types and defaults of its parameters, and what it returns.
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
groups(image: file, layer: convolution = 'conv5_1', count: number = 6) -> picture, record
mosaic(image: file, layer: convolution = 'conv5_1') -> picture, record
concepts(layer: conv4_3|conv5_1|conv5_2|conv5_3 = 'conv5_3', concept: number = None) -> picture, record
wiring(layer: convolution = 'conv3_1', channel: number = 0, count: number = 8) -> record
why(image: file, layer: convolution = 'conv3_1', channel: number = 0, row: number = None, column: number = None, \
count: number = 5, depth: number = 3) -> record
dictionary(image: file, layer: convolution = 'conv5_1', row: number = None, column: number = None, \
count: number = 6) -> record
quiz(seed: number = 0, layer: convolution = 'conv5_1', questions: number = 10, \
reference: picture|photos|both = 'picture', about: channels|concepts = 'channels') -> record
quiz_answers(seed: number = 0, layer: convolution = 'conv5_1', questions: number = 10, \
reference: picture|photos|both = 'picture', about: channels|concepts = 'channels') -> record
maximize(layer: layer|class = 'conv3_1', channel: number = 0, recipe: fourier|erhan|maco|deepdream = 'fourier', \
steps: number = 0, size: number = 0, seed: number = 0, seconds: number = 0.0, \
objective: channel|centre|negative = 'channel', image: file = None, direction: string = None, \
colour: string = None) -> picture, record
"""
CHOICES = {CONVOLUTIONS: "convolution", LAYER_NAMES: "layer", (*LAYER_NAMES, "class"): "layer|class"}


def signature(name: str, endpoint: dict[str, Any]) -> str:
    """An endpoint as a line of API."""
    takes = []
    for parameter in endpoint["parameters"]:
        words = tuple(parameter["type"].get("enum", ()))
        kind = CHOICES.get(words) or "|".join(words) or parameter["type"].get("title") or parameter["type"]["type"]
        default = f" = {parameter['parameter_default']!r}" if parameter["parameter_has_default"] else ""
        takes.append(f"{parameter['parameter_name']}: {kind.replace('ImageData', 'file')}{default}")
    gives = [output["label"] if output["label"] != "1st" else "list" for output in endpoint["returns"]]
    return f"{name.removeprefix('/')}({', '.join(takes)}) -> {', '.join(gives)}"


def test_the_endpoints_take_and_return_what_programs_rely_on(page: Any) -> None:
    endpoints = page.get_api_info()["named_endpoints"]
    assert [signature(*endpoint) for endpoint in endpoints.items()] == API.strip().splitlines()
    assert all(len(endpoint["description"]) > 40 for endpoint in endpoints.values())


def test_the_pages_own_handlers_are_private(page: Any) -> None:
    public = {event.api_name for event in page.fns.values() if event.api_visibility == "public"}
    assert public == {line.partition("(")[0] for line in API.strip().splitlines()}


UNREAD = "image cannot be read: give an uploaded file, or the http address of one; in a program, handle_file("
# For each parameter, a value that every endpoint refuses, by what the error says after the parameter's name. The
# engine's own tests try more values: the endpoints pass on what they were given.
WRONG: dict[str, dict[str, Any]] = {
    "does not exist. ": {"layer": {}},
    "does not exist in conv": {"channel": "x", "input_channel": -1},
    "is unknown: choose one of ": {"view": "blue", "pipeline": [], "order": 5, "contrast": None, "recipe": "x",
                                   "objective": "x", "reference": "x", "about": "x"},
    "is out of range: choose ": {"steps": None, "size": 10**9, "seed": -1, "seconds": "x", "count": 1.5, "depth": 0,
                                 "questions": True, "row": 1e9, "column": "x", "concept": -1},
    UNREAD: {"image": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}},
    "cannot be read: give channels and their weights": {"direction": "[17]"},
    "cannot be read: write it like #a08060": {"colour": "much"},
}  # fmt: skip
NO_IMAGES: list[Any] = [
    str(PHOTO), "/etc/passwd", 5, [], {}, {"path": None}, {"path": str(PHOTO)}, "data:image/png;base64,xx",
    {"url": "http://127.0.0.1:1/x.png", "path": "x"},
]  # fmt: skip
TAKES = {line.partition("(")[0]: re.findall(r"(\w+): ", line) for line in API.strip().splitlines() if "()" not in line}
VALUES = {name: (words, value) for words, values in WRONG.items() for name, value in values.items()}
CASES = [(endpoint, name, *VALUES[name]) for endpoint, takes in TAKES.items() for name in takes]
CASES += [("feature_map", "image", UNREAD, value) for value in NO_IMAGES]
# Values of an unusual type that still make sense: torchvision's index, numbers as floats and as text.
ODD = [("filters", {"layer": 5}, "conv2_1"), ("filters", {"layer": "conv1_2", "input_channel": "7"}, "conv1_2"),
       ("maximize", {"layer": "10", "channel": 3.0, "seed": "4"}, "conv3_1")]  # fmt: skip


@pytest.fixture(scope="module")
def uploaded(http: httpx.Client) -> dict[str, Any]:
    with PHOTO.open("rb") as file:
        (path,) = http.post("/upload", files={"files": file}).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def call(http: httpx.Client, endpoint: str, given: dict[str, Any]) -> tuple[str, Any]:
    """Call an endpoint without a client. Returns the last event, "complete" or "error", and its data."""
    cheap = {"steps": 1, "size": 64} if endpoint == "maximize" else {}
    posted = http.post(f"/call/v2/{endpoint}", json={**cheap, **given})
    assert posted.status_code == 200, posted.text
    text = http.get(f"/call/{endpoint}/{posted.json()['event_id']}").text
    *_, event, data = [line for line in text.splitlines() if line.startswith(("event: ", "data: "))]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize(("endpoint", "name", "words", "value"), CASES, ids=lambda value: repr(value)[:40])
def test_a_wrong_value_is_refused_with_a_clear_message(
    http: httpx.Client, uploaded: dict[str, Any], capfd: pytest.CaptureFixture[str], endpoint: str, name: str,
    words: str, value: Any,
) -> None:  # fmt: skip
    photo = {"image": uploaded} if "image" in TAKES[endpoint] and endpoint != "maximize" else {}
    event, data = call(http, endpoint, {**photo, name: value})
    assert event == "error"
    assert data["error"].startswith(f"{name} ") and words in data["error"]
    assert str(ROOT) not in data["error"]
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(("endpoint", "given", "layer"), ODD)
def test_a_value_of_an_unusual_type_is_understood_if_it_makes_sense(
    http: httpx.Client, endpoint: str, given: dict[str, Any], layer: str
) -> None:
    event, (_, record) = call(http, endpoint, given)
    assert (event, record["layer"]) == ("complete", layer)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_runs_over_http_deepdream_from_a_photo_alone(client: Client, recipe: str) -> None:
    small = {"layer": "conv1_1", "recipe": recipe, "steps": 2, "size": 64, "api_name": "/maximize"}
    photo = {"image": handle_file(PHOTO)} if recipe == "deepdream" else {}
    if photo:
        with pytest.raises(AppError, match="starts from a photo: give one"):
            client.predict(**small)
    *_, (_, record) = list(client.submit(**small, **photo))
    assert record["recipe"] == recipe and bool(record["build"].get("start_sha256")) == bool(photo)


def test_a_result_can_be_reproduced_from_its_record(client: Client) -> None:
    job = client.submit(layer="block3_conv1", channel=7, recipe="maco", steps=5, size=96, seed=9, api_name="/maximize")
    *_, (first, record) = list(job)
    names = [name for name in TAKES["maximize"] if name not in ("image", "seconds", "objective", "direction", "colour")]
    again = {name: record[name] for name in names} | {"objective": record["settings"]["objective"]}
    *_, (second, _) = list(client.submit(**again, api_name="/maximize"))
    with Image.open(first) as picture, Image.open(second) as repeated:
        assert picture.tobytes() == repeated.tobytes()


# The examples of clients


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_python_example_runs(page: Any, tmp_path: Path) -> None:
    assert "cancelled" in run(sys.executable, "examples/client.py", page.local_url, str(tmp_path))
    assert (tmp_path / "filters.png").exists()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_example_runs(page: Any, tmp_path: Path) -> None:
    printed = run("bash", "examples/curl.sh", page.local_url.rstrip("/"), str(tmp_path))
    assert "step 12, activation" in printed
    with Image.open(tmp_path / "filters.png") as sheet:
        assert sheet.format == "PNG"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_javascript_example_runs(page: Any, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "client.mjs", tmp_path)
    run("npm", "install", "--silent", "--prefix", str(tmp_path), "@gradio/client")
    printed = run("node", str(tmp_path / "client.mjs"), page.local_url)
    assert "31 layers, the last one pool5" in printed and "step 12 of 12" in printed
