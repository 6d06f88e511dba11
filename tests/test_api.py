"""The endpoints as programs meet them: a frozen schema, wrong types, records that reproduce, other languages."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from cnnvis.recipes import RECIPES

ROOT = Path(__file__).parents[1]
SCHEMA = Path(__file__).parent / "api_schema.json"
PHOTO = ROOT / "examples" / "coffee.jpg"


def schema(page: Any) -> dict[str, Any]:
    """Names, descriptions, parameters with defaults and types, and results of every public endpoint."""
    kept = ("parameter_name", "parameter_has_default", "parameter_default", "label", "type", "python_type")
    return {
        name: {
            "description": endpoint["description"],
            "parameters": [{key: item[key] for key in kept if key in item} for item in endpoint["parameters"]],
            "returns": [{key: item[key] for key in ("label", "python_type")} for item in endpoint["returns"]],
        }
        for name, endpoint in page.get_api_info()["named_endpoints"].items()
    }


def test_the_api_is_the_frozen_one(page: Any) -> None:
    """After a deliberate change: `python -m tests.test_api > tests/api_schema.json`."""
    assert json.loads(json.dumps(schema(page))) == json.loads(SCHEMA.read_text())


def test_handlers_of_the_page_are_private(page: Any) -> None:
    public = {item.api_name for item in page.fns.values() if item.api_visibility == "public"}
    assert public == {"layers", "filters", "feature_maps", "feature_map", "maximize"}


WRONG: dict[str, list[Any]] = {
    "layer": [None, 5, True, 1.5, [], {}, "", "conv", "x" * 10_000, "конв"],
    "channel": [None, "x", "", [], {}, 1.5, -1, 1e300, True],
    "input_channel": [None, "x", [], {}, 1.5, -1],
    "view": [None, 5, [], "blue"],
    "pipeline": [None, 5, [], "x"],
    "order": [None, 5, "x"],
    "contrast": [None, 5, "x"],
    "image": ["chelsea.jpg", "/etc/passwd", 5, [], {}, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
              {"path": None}, {"url": "http://127.0.0.1:1/x.png", "path": "x"}, "data:image/png;base64,xx"],
    "recipe": [None, 5, [], "x"],
    "steps": [None, "x", [], {}, -1, 1.5, 1e9],
    "size": [None, "x", [], 0, 10**9],
    "seed": [None, "x", -1, 1e40],
    "seconds": [None, "x", [], -1, 1e9],
    "objective": [None, 5, [], "x"],
}  # fmt: skip
TAKES = {
    "filters": ["layer", "view", "input_channel"],
    "feature_maps": ["image", "layer", "pipeline", "order", "contrast"],
    "feature_map": ["image", "layer", "channel", "pipeline"],
    "maximize": ["layer", "channel", "recipe", "steps", "size", "seed", "seconds", "objective", "image"],
}
CASES = [(name, given, value) for name, takes in TAKES.items() for given in takes for value in WRONG[given]]


@pytest.fixture(scope="module")
def uploaded(page: Any) -> dict[str, Any]:
    with PHOTO.open("rb") as file:
        (path,) = httpx.post(f"{page.local_url}gradio_api/upload", files={"files": file}).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(("endpoint", "name", "value"), CASES, ids=lambda value: repr(value)[:40])
def test_a_wrong_type_is_refused_in_words(
    page: Any, uploaded: dict[str, Any], capfd: pytest.CaptureFixture[str], endpoint: str, name: str, value: Any
) -> None:
    """Never a traceback in the log, never an error without a word; some wrong values are right in their own way."""
    asked = {"steps": 1, "size": 64} if endpoint == "maximize" else {}
    if endpoint.startswith("feature"):
        asked["image"] = uploaded
    posted = httpx.post(f"{page.local_url}gradio_api/call/v2/{endpoint}", json={**asked, name: value}, timeout=30)
    if posted.status_code >= 400:
        assert posted.status_code in (400, 403, 404, 422), posted.text
    else:
        stream = f"{page.local_url}gradio_api/call/{endpoint}/{posted.json()['event_id']}"
        text = httpx.get(stream, timeout=60).text
        *_, event, data = [line for line in text.splitlines() if line.startswith(("event: ", "data: "))]
        if event == "event: error":
            said = json.loads(data.removeprefix("data: "))
            assert said and said.get("error"), text
            assert "upstream" not in said["error"]
            assert str(ROOT) not in said["error"]
        else:
            assert event == "event: complete"
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_result_is_reproduced_from_its_own_record(client: Client) -> None:
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


def test_the_python_example(page: Any, tmp_path: Path) -> None:
    said = run(sys.executable, "examples/client.py", page.local_url, str(tmp_path))
    assert "cancelled" in said
    assert (tmp_path / "filters.png").exists()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_example(page: Any, tmp_path: Path) -> None:
    said = run("bash", "examples/curl.sh", page.local_url.rstrip("/"), str(tmp_path))
    assert "step 12, activation" in said
    with Image.open(tmp_path / "filters.png") as sheet:
        assert sheet.format == "PNG"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_javascript_example(page: Any, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "client.mjs", tmp_path)
    run("npm", "install", "--silent", "--prefix", str(tmp_path), "@gradio/client")
    said = run("node", str(tmp_path / "client.mjs"), page.local_url)
    assert "31 layers, the last one pool5" in said
    assert "step 12 of 12" in said


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "deepdream"])
def test_every_recipe_runs_over_the_wire(client: Client, recipe: str) -> None:
    *_, (_, record) = list(client.submit(layer="conv1_1", recipe=recipe, steps=2, size=64, api_name="/maximize"))
    assert record["recipe"] == recipe


def test_deepdream_runs_over_the_wire(client: Client) -> None:
    job = client.submit(
        layer="conv1_1", recipe="deepdream", steps=2, size=64, image=handle_file(PHOTO), api_name="/maximize"
    )
    *_, (_, record) = list(job)
    assert record["build"]["start_sha256"]
    with pytest.raises(AppError, match="give one to start from"):
        client.predict(layer="conv1_1", recipe="deepdream", steps=2, size=64, api_name="/maximize")


if __name__ == "__main__":
    from cnnvis.ui import build_page

    print(json.dumps(schema(build_page()), indent=1))
