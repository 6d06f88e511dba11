"""What VGG16 sees in a photo, without a browser: what is sent for pointing, the groups, and what grows."""

import io
import json
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import cnnvis
from cnnvis.errors import PhotoError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.shelf import load_shelf
from cnnvis.prepared.tiles import BEST_PX, scale_box
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.photos import DEFAULT_PHOTO, EXAMPLES
from cnnvis.ui.tabs.maps.seen import NAMED, aimed, places_value, seen, through

CAT, DIGEST = DEFAULT_PHOTO.path, DEFAULT_PHOTO.digest


def picked(layer: str, channel: int = 5, of: str = "") -> dict[str, object]:
    return Choice(ARCHITECTURE.target(layer, channel), of=of).value()


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_3", "conv5_1"])
def test_what_is_pointed_at_is_what_the_dictionary_says(vgg16: VGG16, layer: str) -> None:
    text = places_value(cache.places(vgg16, DEFAULT_PHOTO, ARCHITECTURE.find(layer)))
    assert len(text) <= 200_000
    data = json.loads(text)
    draw = np.random.default_rng(0)
    for row, column in draw.integers(0, data["places"], (10, 2)).tolist():
        entry = cnnvis.dictionary(vgg16, CAT, layer, row, column, NAMED)
        start = NAMED * (row * data["places"] + column)
        named = data["channels"]
        assert named["numbers"][start : start + NAMED] == [channel.channel for channel in entry.channels]
        assert named["above"][start : start + NAMED] == pytest.approx(
            [channel.above for channel in entry.channels], abs=0.051
        )
        down, right = divmod(named["cells"][start], data["side"])
        assert [row * data["side"] + down, column * data["side"] + right] == entry.cell
    most = cnnvis.dictionary(vgg16, CAT, layer)
    assert data["lead"] == [most.row, most.column]


def test_the_sheet_of_best_photos_has_every_channels_strongest(vgg16: VGG16) -> None:
    layer = ARCHITECTURE.find("conv5_1")
    size, webp = cache.best_sheet(layer)
    assert len(webp) <= 350_000
    sheet = np.asarray(Image.open(io.BytesIO(webp)).convert("RGB"), float)
    for channel in (0, 17, 511):
        best = cnnvis.exemplars("conv5_1", channel, 1).exemplars[0]
        piece = load_shelf().open(best.photo).crop(scale_box(best, layer)).resize((BEST_PX, BEST_PX), 3)
        row, column = divmod(channel, size[0] // BEST_PX)
        mine = sheet[row * BEST_PX : (row + 1) * BEST_PX, column * BEST_PX : (column + 1) * BEST_PX]
        assert np.abs(mine - np.asarray(piece, float)).mean() < 8  # WebP of quality 75


def test_six_groups_each_with_its_channels(vgg16: VGG16) -> None:
    value, shown = seen(picked("pool5"), DIGEST, "network")
    assert json.loads(value.value)["layer"] == "conv5_3"
    found = cnnvis.groups(vgg16, CAT, "conv5_3", NAMED).groups
    for number, group in enumerate(found, 1):
        part = shown.partition(f'data-group="group{number}"')[2].partition("</section>")[0]
        assert f"{100 * group.share:.0f} %" in part
        assert all(f'data-channel="{member.channel}"' in part for member in group.channels[:3])


@pytest.mark.parametrize(("digest", "pipeline"), [("", "network"), (DIGEST, "conv_chain")])
def test_without_a_photo_or_in_the_chain_nothing_can_be_pointed_at(digest: str, pipeline: str) -> None:
    value, shown = seen(picked("conv4_1"), digest, pipeline)
    assert (value.value, shown) == ("", "")


def test_without_a_shelf_the_dictionary_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vgg16: VGG16) -> None:
    for name in ("spread", "mean_activation"):
        monkeypatch.setattr(cache.load_vgg16(), name, None)
    value, shown = seen(picked("conv4_1"), DIGEST, "network")
    assert isinstance(value, gr.HTML) and (value.value, shown) == ("", "")
    assert "need a photo shelf made with these weights" in value.props["wrong"]


def test_a_place_and_a_group_grow_their_directions(vgg16: VGG16) -> None:
    place, colour = aimed(Choice.read(picked("conv4_3", of="place")), DIGEST, 5, 9)
    expected = cnnvis.dictionary(vgg16, CAT, "conv4_3", 5, 9)
    assert dict(place.direction) == expected.direction and str(place) == "conv4_3 place-5-9"
    assert colour == expected.colour
    shallow, _ = aimed(Choice.read(picked("conv2_1", of="place")), DIGEST, 22, 39)  # cells, four to a place
    assert dict(shallow.direction) == cnnvis.dictionary(vgg16, CAT, "conv2_1", 5, 9).direction
    group, none = aimed(Choice.read(picked("conv5_1", of="group2")), DIGEST, None, None)
    assert dict(group.direction) == cnnvis.groups(vgg16, CAT, "conv5_1", NAMED).groups[1].direction
    assert none == ""
    last, _ = aimed(Choice.read(picked("conv5_1", of="group8")), DIGEST, None, None)
    assert dict(last.direction) == cnnvis.groups(vgg16, CAT, "conv5_1", 8).groups[7].direction
    outside, _ = aimed(Choice.read(picked("conv5_1", of="place")), DIGEST, 100, 3)  # of a larger map
    assert dict(outside.direction) == cnnvis.dictionary(vgg16, CAT, "conv5_1").direction
    assert aimed(Choice.read(picked("relu4_3")), "", None, None)[0].channel == 5
    with pytest.raises(PhotoError, match="Choose a photo"):
        aimed(Choice.read(picked("conv4_3", of="place")), "", 5, 9)
    assert Choice.read({"layer": "conv4_3", "channel": 5, "of": "<script>"}).of == ""


def test_one_place_in_the_last_layer_of_every_block(vgg16: VGG16) -> None:
    photo = EXAMPLES["astronaut.jpg"]
    shown = through(picked("conv5_1"), photo.digest, 4, 7)
    for layer, side in (("conv1_2", 8), ("conv3_3", 2), ("conv4_3", 1), ("conv5_3", 1)):
        stride = ARCHITECTURE.find(layer).stride
        at = [px // (side * stride) for px in (72, 120)]  # the middle of the cell, in px of the photo
        entry = cnnvis.dictionary(vgg16, photo.path, layer, *at)
        row, column = entry.cell
        wanted = f'data-row="{row}" data-column="{column}" type="button" class="wire" data-layer="{layer}"'
        assert f'{wanted} data-channel="{entry.channels[0].channel}"' in shown
    assert through(picked("conv5_1"), photo.digest, None, None) == through(picked("conv5_1"), photo.digest, 14, 0) == ""
