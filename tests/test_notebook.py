"""The tour runs from its first cell to its last and shows pictures, and `watch` grows a picture in a cell."""

import base64
import io
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers import ROOT
from IPython.display import DisplayHandle
from nbclient import NotebookClient
from PIL import Image

import cnnvis
from cnnvis.errors import ChannelError, SettingError
from cnnvis.network.vgg import VGG16

TOUR = ROOT / "examples" / "tour.ipynb"


@pytest.mark.slow
def test_the_tour_runs_and_shows_pictures() -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": TOUR.parent}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    # two of filters, one each of maps, a patch, the shelf, the atlas, mosaic and groups, three of the quiz, five rungs
    assert len(pictures) >= 16
    grown = [html for output in outputs if "data:image/png" in (html := output.get("data", {}).get("text/html", ""))]
    assert len(grown) == 1 and "robust" in grown[0]
    text = "".join(output.get("text", "") for output in outputs)
    assert "step 40: activation" in text and text.count("robust") == 5
    assert text.count("reads conv2_2 channel") == text.count("is read by conv3_2 channel") == 3
    assert re.search("(left|right): .+", text) and "conv3_1 60 0" in text
    assert "channel 295 is " in text  # an eye


def test_the_tour_installs_from_the_repositorys_address_in_colab_alone() -> None:
    address = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    code = [cell.source for cell in nbformat.read(TOUR, as_version=4).cells if cell.cell_type == "code"]
    guarded = re.search(
        r'^if "google.colab" in sys.modules:.*\n    %pip install --quiet git\+(\S+)\n', code[0], re.MULTILINE
    )
    assert guarded and guarded[1] == address
    assert "%pip" not in "".join(code[1:])


# Watching


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What a cell shows, one output after the other."""
    shown: list[dict[str, str]] = []

    def show(self: DisplayHandle, content: Any, raw: bool) -> None:
        assert raw
        shown.append(content)

    monkeypatch.setattr(DisplayHandle, "display", show)
    monkeypatch.setattr(DisplayHandle, "update", show)
    return shown


def test_watching_shows_each_snapshot_and_then_the_picture_with_its_score(
    tiny: VGG16, cell: list[dict[str, str]], tmp_path: Path
) -> None:
    grown = cnnvis.watch(tiny, "conv3_1", 3, "erhan", steps=4, size=64)
    *_, last = cnnvis.maximize(tiny, "conv3_1", 3, "erhan", steps=4, size=64)
    assert grown.picture.tobytes() == last.picture.tobytes()
    assert grown.score == cnnvis.score(tiny, last.picture, "conv3_1", 3)
    first, *growing, end = cell
    assert first == {"text/plain": "…"} and len(growing) >= 3
    (code,) = re.findall(r"base64,([^\"]+)", end["text/html"])
    picture = Image.open(io.BytesIO(base64.b64decode(code)))
    assert picture.format == "PNG" and picture.tobytes() == last.picture.tobytes()
    assert f"saved activation {grown.score.saved_activation:.4g}, robust {grown.score.robust:.4g}" in end["text/html"]
    (points,) = re.findall(r'points="([^"]+)"', end["text/html"])
    assert len(points.split()) == 4 and points.startswith("0.0,") and points.split()[-1].startswith("220.0,")
    assert grown._repr_png_() is None and repr(grown).startswith("<conv3_1 channel 3, erhan, step 4 of 4, saved")
    grown.save(tmp_path / "grown.png")
    with Image.open(tmp_path / "grown.png") as saved:
        assert json.loads(saved.text["cnnvis"])["robust"] == grown.score.robust  # type: ignore[attr-defined]


def test_interrupting_ends_the_ascent_and_keeps_the_picture(
    tiny: VGG16, cell: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(self: DisplayHandle, content: Any, raw: bool) -> None:
        cell.append(content)
        if "step 1 of" in content["text/plain"] and "robust" not in content["text/plain"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(DisplayHandle, "update", impatient)
    grown = cnnvis.watch(tiny, "conv3_1", 3, steps=200, size=64)
    assert grown.snapshot.step == 1 and not grown.snapshot.last
    assert "step 1 of 200" in cell[-1]["text/html"] and "robust" in cell[-1]["text/html"]


def test_watching_refuses_before_anything_is_shown(
    tiny: VGG16, cell: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ChannelError):
        cnnvis.watch(tiny, "conv3_1", 999)
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(SettingError, match="loop over maximize"):
        cnnvis.watch(tiny, "conv3_1", 3)
    assert cell == []
