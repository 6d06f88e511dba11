"""The wall without a browser: its orders are those of the engine, and what it cannot show it says."""

import json
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

import cnnvis
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.wall import LENS_OF_TAB, LENSES, Looks, _draw, draw_wall
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.photos import DEFAULT_PHOTO

LAYER, DIGEST = ARCHITECTURE.find("conv2_1"), DEFAULT_PHOTO.digest
LOOKS = Looks("pictures", "index", "auto", 0, "network", "map")


def channels(**looks: str) -> list[int]:
    """The channels in the order of the tiles; each shows its own tile of the sheet."""
    items = json.loads(draw_wall(LAYER, DIGEST, replace(LOOKS, **looks))[0])["items"]
    assert all(tile == channel and layer == "conv2_1" for tile, layer, channel, _ in items)
    return [channel for _, _, channel, _ in items]


@pytest.mark.parametrize("lens", LENSES)
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
    value, _ = draw_wall(pool, DIGEST, LOOKS)
    assert "conv2_2-atlas" in value and json.loads(value)["items"][3][1:3] == ["pool2", 3]
    assert "56 × 56 values" in draw_wall(pool, DIGEST, replace(LOOKS, lens="maps"))[1]
    chained = draw_wall(pool, DIGEST, replace(LOOKS, lens="maps", pipeline="conv_chain"))[1]
    assert "maps of conv2_2 on the photo" in chained and "the convolutions alone" in chained
    assert "pool2 has no weights" in draw_wall(pool, DIGEST, replace(LOOKS, lens="kernels"))[1]


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
    value, caption = draw_wall(LAYER, digest, replace(LOOKS, **looks))
    assert said in caption and caption.count(said) == 1 and sheet in value
    assert [item[2] for item in json.loads(value)["items"]] == list(range(128))


def test_an_atlas_without_a_similarity_layout_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = replace(cnnvis.atlas_sheet("conv2_1"), arrangement=None)
    monkeypatch.setattr(cache, "atlas_sheet", lambda layer: sheet)
    assert "This atlas has no similarity layout." in draw_wall(LAYER, DIGEST, replace(LOOKS, order="likeness"))[1]


def test_without_an_atlas_the_wall_has_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    for order in ("index", "robust"):
        value, caption = draw_wall(LAYER, DIGEST, replace(LOOKS, order=order))
        assert "filters-signed" in value and caption.count("<b>") == 1


def test_the_wall_is_sent_again_only_when_it_shows_something_else() -> None:
    def drawn(shown: str, channel: int = 0, tab: str = "atlas", lens: str = "", photo: str = DIGEST) -> object:
        choice = Choice(ARCHITECTURE.target("conv2_1", channel), tab)
        return _draw(choice, photo, lens, "index", "auto", 0, "network", "map", shown)[2]

    first = drawn("")
    assert isinstance(first, str) and drawn(first, 9) == gr.skip() and drawn(first, photo="") == gr.skip()
    assert drawn(first, tab="maximize") == gr.skip() and drawn(first, tab="learn") == gr.skip()
    assert drawn(first, tab="filters") not in (first, gr.skip())
    maps = drawn(first, lens="maps")
    assert drawn(str(maps), lens="maps") == gr.skip() and drawn(str(maps), lens="maps", photo="") != gr.skip()
    assert set(LENS_OF_TAB) == {"atlas", "filters", "maps", "maximize"}
