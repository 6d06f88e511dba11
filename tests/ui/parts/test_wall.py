"""The wall without a browser: its orders are those of the engine, and what it cannot show it says."""

import json
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import cnnvis
from cnnvis.errors import UnavailableError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.wall import LENS_OF_TAB, LENSES, Looks, _draw, draw_wall, first_wall
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import file_at, sweep
from cnnvis.ui.serving.photos import DEFAULT_PHOTO

LAYER, DIGEST = ARCHITECTURE.find("conv2_1"), DEFAULT_PHOTO.digest
LOOKS = Looks()


def channels(**looks: str) -> list[int]:
    """The channels in the order of the tiles; each shows its own tile of the sheet."""
    shown = draw_wall(LAYER, DIGEST, replace(LOOKS, **looks))
    assert shown["layer"] == "conv2_1" and len(shown["notes"]) == 128
    return list(shown["channels"])


@pytest.mark.parametrize("lens", [lens for lens in LENSES if lens != "concepts"])
def test_every_order_is_the_same_under_every_lens(vgg16: VGG16, lens: str) -> None:
    photo = DEFAULT_PHOTO.path
    norms = cnnvis.filter_sheet(vgg16, "conv2_1").norm
    atlas = cnnvis.atlas_sheet("conv2_1")
    assert atlas.arrangement
    expected = {
        "index": list(range(128)),
        "norm": sorted(range(128), key=lambda channel: -norms[channel]),
        "robust": sorted(range(128), key=lambda channel: -atlas.tiles[channel].robust),
        "likeness": atlas.arrangement["channels"],
        "unusual": cnnvis.map_sheet(vgg16, photo, "conv2_1", order="unusual").order,
        "strength": cnnvis.map_sheet(vgg16, photo, "conv2_1", order="strength").order,
    }
    assert {order: channels(lens=lens, order=order) for order in expected} == expected


def test_a_relu_or_pool_has_its_convolutions_pictures_and_maps_of_its_own() -> None:
    pool = ARCHITECTURE.find("pool2")
    shown = draw_wall(pool, DIGEST, LOOKS)
    assert "conv2_2-atlas" in shown["src"] and (shown["layer"], shown["channels"][3]) == ("pool2", 3)
    assert "56 × 56 values" in draw_wall(pool, DIGEST, replace(LOOKS, lens="maps"))["caption"]
    chained = draw_wall(pool, DIGEST, replace(LOOKS, lens="maps", pipeline="conv_chain"))["caption"]
    assert "maps of conv2_2 on the photo" in chained and "the convolutions alone" in chained
    assert "pool2 has no weights" in draw_wall(pool, DIGEST, replace(LOOKS, lens="kernels"))["caption"]


def test_a_slow_line_gets_a_small_sheet_of_the_same_pictures_first() -> None:
    shown = draw_wall(LAYER, DIGEST, LOOKS)
    paths = [file_at(shown[name]) for name in ("src", "soon")]
    assert paths[0] and paths[1] and 8 * paths[1].stat().st_size < paths[0].stat().st_size
    with Image.open(paths[0]) as sheet, Image.open(paths[1]) as small:
        assert small.size == (sheet.width // 4, sheet.height // 4)
        shrunk = sheet.convert("L").resize(small.size, Image.Resampling.BOX)
        assert np.corrcoef(np.ravel(shrunk), np.ravel(small.convert("L")))[0, 1] > 0.95
    assert draw_wall(LAYER, DIGEST, replace(LOOKS, lens="kernels"))["soon"] == ""


@pytest.mark.parametrize(
    ("digest", "looks", "said", "sheet"),
    [
        ("", {"lens": "maps"}, "Choose a photo", "conv2_1-atlas"),
        ("0" * 64, {"lens": "maps"}, "no longer on the server", "conv2_1-atlas"),
        ("", {"order": "unusual"}, "Choose a photo", "conv2_1-atlas"),
        (DIGEST, {"order": "unusual", "pipeline": "conv_chain"}, "needs VGG&#x27;s own pipeline", "conv2_1-atlas"),
    ],
)
def test_what_cannot_be_shown_is_said_and_the_rest_stands(
    digest: str, looks: dict[str, str], said: str, sheet: str
) -> None:
    shown = draw_wall(LAYER, digest, replace(LOOKS, **looks))
    assert shown["said"].count(said) == 1 and sheet in shown["src"]
    assert shown["channels"] == list(range(128))


def test_an_atlas_without_a_similarity_layout_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = replace(cnnvis.atlas_sheet("conv2_1"), arrangement=None)
    monkeypatch.setattr(cache, "atlas_sheet", lambda layer: sheet)
    shown = draw_wall(LAYER, DIGEST, replace(LOOKS, order="likeness"))
    assert "This atlas has no similarity layout." in shown["said"]


def test_without_an_atlas_the_wall_has_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    for order in ("index", "robust"):
        shown = draw_wall(LAYER, DIGEST, replace(LOOKS, order=order))
        assert "filters-signed" in shown["src"] and shown["said"].count("make it with") == 1


def test_the_first_wall_is_the_one_that_a_visitor_without_an_address_asks_for() -> None:
    first = first_wall()
    assert first is not None
    sheet = Path(file_at(json.loads(first)["src"]) or "")
    sweep(seconds=-1)
    assert sheet.exists()  # however long the page runs
    (again,) = _draw(Choice(tab="atlas"), "", "index", "auto", 0, "network", "map", DIGEST)
    assert json.loads(first) == {**json.loads(again), "first": True}
    (value,) = _draw(Choice(tab="atlas", wall=json.loads(first)["key"]), "", "index", "auto", 0, "network", "map", "")
    assert value == gr.skip()


def test_with_a_full_disk_the_page_comes_without_a_wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    assert first_wall() is None
    with pytest.raises(UnavailableError, match="cannot store pictures"):
        draw_wall(LAYER, DIGEST, LOOKS)


def test_the_wall_is_sent_again_only_when_it_shows_something_else() -> None:
    def sent(shown: str, channel: int = 0, tab: str = "atlas", lens: str = "", photo: str = DIGEST) -> str:
        """The key of what is sent to a browser that shows `shown`; "" if nothing is."""
        choice = Choice(ARCHITECTURE.target("conv2_1", channel), tab, wall=shown)
        (value,) = _draw(choice, lens, "index", "auto", 0, "network", "map", photo)
        return "" if value == gr.skip() else str(json.loads(value)["key"])

    first = sent("")
    assert first == "conv2_1 pictures index auto 0 network map "  # sheet.js makes the same
    assert not (sent(first, 9) or sent(first, photo="") or sent(first, tab="maximize") or sent(first, tab="learn"))
    assert sent(first, tab="filters") not in (first, "")
    maps = sent(first, lens="maps")
    assert maps.endswith(f" map {DIGEST}") and not sent(maps, lens="maps") and sent(maps, lens="maps", photo="")
    assert set(LENS_OF_TAB) == {"atlas", "filters", "maps", "maximize"}
