"""The atlas on the page without a browser: what it shows if a layer, a photo or the shelf is missing."""

import re
import shutil
from pathlib import Path

import pytest

import cnnvis
from cnnvis.analysis.wiring import wiring
from cnnvis.network.architecture import ARCHITECTURE, Target
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.atlas import BUNDLED
from cnnvis.prepared.shelf import BUNDLED as SHELF
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.subject import filter_of
from cnnvis.ui.parts.wall import Looks, draw_wall
from cnnvis.ui.parts.wiring import relations
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.maximize.preview import preview_value
from cnnvis.views.channel import Channel, Own, large_picture
from cnnvis.views.known import stronger_photos
from cnnvis.views.wiring import readers_row, reads_row

LOOKS = Looks("pictures", "index", "auto", 0, "network", "map")


def target(layer: str = "conv2_1", channel: int = 5) -> Target:
    return ARCHITECTURE.target(layer, channel)


def test_a_layer_that_is_missing_is_said_and_everything_else_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in ("webp", "json"):
        shutil.copy(BUNDLED / f"conv1_2.{suffix}", tmp_path)  # an atlas of one layer
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    shown = draw_wall(target().layer, DEFAULT_PHOTO.digest, LOOKS)
    assert "The atlas has no sheet of conv2_1: make it with" in shown["said"] and "filters-signed" in shown["src"]
    view = filter_of(target()).view(DEFAULT_PHOTO.digest)
    assert "grow one picture" in view
    assert view.count("<figcaption>") == 10 and 'class="grown"' not in view
    assert view.count('class="wire"') == 12 and "data-go" in view
    related = relations(Choice(target()), "usual")
    assert 'id="reads"' in related and 'id="like-pictures"' not in related and 'id="like-weights"' in related
    assert preview_value(Choice(target())) == ""
    shown = draw_wall(target("conv1_2").layer, DEFAULT_PHOTO.digest, LOOKS)
    assert "conv1_2-atlas" in shown["src"] and "The 64 filters of conv1_2" in shown["caption"]


@pytest.mark.usefixtures("vgg16")  # loaded with the bundled shelf, as every later test expects
def test_without_a_shelf_the_picture_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_SHELF", str(tmp_path))
    view = filter_of(target()).view(DEFAULT_PHOTO.digest)
    assert 'class="grown"' in view and "<figure>" not in view and "make one" in view and "excite it more" not in view


@pytest.mark.usefixtures("vgg16")  # loaded with the bundled shelf, as every later test expects
def test_a_shelf_that_keeps_only_the_strongest_gives_no_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = target("conv5_1", 17)
    kept = load_shelf().layer(chosen.layer)["value"][17]
    assert stronger_photos(chosen, float(kept[8])) == (8, 352)
    assert "of the 352 photos excite it more" in filter_of(chosen).view(DEFAULT_PHOTO.digest)
    large = shutil.copytree(SHELF, tmp_path / "large", ignore=shutil.ignore_patterns("maxima*"))
    monkeypatch.setenv("CNNVIS_SHELF", str(large))
    assert stronger_photos(chosen, float(kept[8])) == (None, 352)
    assert stronger_photos(chosen, float(kept[0]) + 1) == (0, 352)
    assert stronger_photos(chosen, float(kept[-1]) - 1) is None
    assert "excite it more" not in filter_of(chosen).view(DEFAULT_PHOTO.digest)  # the cat is not among them
    own = Own("", "your photo", float(kept[8]), (None, 352))
    assert "among the strongest of the 352 photos" in Channel(chosen, "", "", ("", "")).view(own)


def test_without_a_photo_the_rest_stands() -> None:
    for digest in ("", "0" * 64):  # none was chosen, and one that has been deleted
        view = filter_of(target()).view(digest)
        assert 'class="own"' not in view and view.count("<figure") == 10 and "data-go" in view


def test_the_rows_are_the_wiring_and_name_the_other_end(vgg16: VGG16) -> None:
    for layer, channel in (("conv2_1", 5), ("relu4_2", 7), ("pool4", 300)):
        wired = wiring(vgg16, ARCHITECTURE.convolution_of(ARCHITECTURE.find(layer)).name, channel, 4)
        convolution = ARCHITECTURE.target(wired.layer, channel)
        for draw, wires in ((reads_row, wired.reads), (readers_row, wired.readers)):
            row = draw(vgg16, convolution, wires, cache.tile)
            starts = [row.index(f'data-layer="{wire.layer}" data-channel="{wire.channel}"') for wire in wires]
            assert starts == sorted(starts) and row.count("<button") == 4
            assert all(f"{100 * wire.share:.1f} %" in row for wire in wires)


def test_the_ends_of_the_network_are_colours_and_the_classifier(vgg16: VGG16) -> None:
    row = reads_row(vgg16, target("conv1_1", 3), wiring(vgg16, "conv1_1", 3, 4).reads, cache.tile)
    assert all(colour in row for colour in ("red", "green", "blue")) and "<button" not in row
    assert "Only the classifier reads it" in readers_row(vgg16, target("conv5_3", 3), [], cache.tile)


def test_similar_channels_are_others_of_the_layer() -> None:
    related = relations(Choice(target("relu3_1", 17)), "usual")
    for part in ("weights", "photos", "pictures"):
        row = related[related.index(f'id="like-{part}"') :].partition("</div></div>")[0]
        others = re.findall(r'data-layer="relu3_1" data-channel="(\d+)"', row)
        assert len(set(others)) == 8 and "17" not in others
    values = [float(value) for value in re.findall(r"correlation (-?[\d.]+)\" aria", related)]
    assert len(values) == 8 and values == sorted(values, reverse=True)


def test_what_the_dialog_says_of_the_picture_is_in_its_record() -> None:
    sheet = cnnvis.atlas_sheet("conv2_1")
    words = large_picture(target(), sheet, "grown.webp")
    assert f"{sheet.tiles[5].activation:.1f}, {sheet.tiles[5].robust:.1f} on copies" in words
    assert 'src="grown.webp"' in words
    assert 'data-name="conv2_1 channel 5"' in preview_value(Choice(target()))
