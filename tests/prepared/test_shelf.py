"""The shelf: exemplars are the places that the feature maps show, and their patches are what the network sees there."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from PIL import Image

import cnnvis
from cnnvis.__main__ import main
from cnnvis.errors import ChannelError, LayerError, SettingError, ShelfError
from cnnvis.network.architecture import ARCHITECTURE, find_layer
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.prepared.shelf import BARS, load_shelf, spread
from cnnvis.prepared.shelf_making import make_shelf
from cnnvis.prepared.tiles import GREY, TILE_PX

RECORDS = {"below/chelsea.jpg": {"title": "Chelsea", "author": "Stéfan van der Walt", "licence": "CC0-1.0"}}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    for path in sorted(EXAMPLES.glob("*.jpg")):
        shutil.copy(path, folder / ("below" if path.stem == "chelsea" else ""))
    return folder


@pytest.fixture(scope="module")
def shelf(vgg16: VGG16, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf") / "five.shelf"
    make_shelf(vgg16, photos, folder, records=RECORDS)
    return folder


@pytest.mark.parametrize(("layer", "channel"), [("conv1_2", 5), ("conv3_1", 200), ("conv4_3", 307), ("conv5_3", 17)])
def test_an_exemplar_is_where_the_feature_map_is_largest(
    vgg16: VGG16, photos: Path, shelf: Path, layer: str, channel: int
) -> None:
    found = cnnvis.exemplars(layer, channel, 5, shelf)
    assert (found.layer, found.channel, found.photos, found.shelf) == (layer, channel, 5, photos.name)
    values = []
    for one in found.exemplars:
        maps = cnnvis.feature_maps(vgg16, one.file, layer).values[channel]
        assert one.value == pytest.approx(float(maps.max()), rel=1e-4)
        assert float(maps[one.row, one.column]) == pytest.approx(one.value, rel=1e-4)
        values.append(float(maps.max()))
    assert [one.value for one in found.exemplars] == sorted((one.value for one in found.exemplars), reverse=True)
    for one in found.exemplars:
        assert one.deviations == pytest.approx((one.value - np.mean(values)) / np.std(values), abs=1e-3)


def test_a_tile_is_the_patch_that_the_cell_sees_at_its_true_scale(vgg16: VGG16, shelf: Path) -> None:
    """Changing the photo outside the patch changes nothing in the cell, if the patch was not moved."""
    layer = "conv3_2"
    (one,) = cnnvis.exemplars(layer, 9, 1, shelf).exemplars
    picture = crop_like_training(cnnvis.open_photo(one.file))
    field = find_layer(layer).receptive_field
    left, top, right, bottom = one.box
    assert (right - left, bottom - top) == (field, field) and 0 <= left < right <= 224 and 0 <= top < bottom <= 224
    alone = Image.new("RGB", picture.size, GREY)
    alone.paste(picture.crop((left, top, right, bottom)), (left, top))
    with torch.inference_mode():
        value = cut(vgg16, layer)(to_tensor(alone))[0, 9, one.row, one.column]
    assert float(value) == pytest.approx(one.value, rel=1e-4)
    tile = cnnvis.exemplars(layer, 9, 1, shelf).picture.crop((0, 0, TILE_PX, TILE_PX))
    expected = picture.crop((left, top, right, bottom)).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(tile), np.asarray(expected))


def test_credits_travel_with_the_photo(shelf: Path, tmp_path: Path) -> None:
    found = cnnvis.exemplars("conv5_3", 17, 5, shelf)
    (cat,) = [one for one in found.exemplars if one.file.endswith("chelsea.jpg")]
    assert (cat.title, cat.author, cat.licence, cat.source) == ("Chelsea", "Stéfan van der Walt", "CC0-1.0", "")
    found.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved:
        record = json.loads(saved.text["cnnvis"])  # type: ignore[attr-defined]
    assert record["exemplars"][0].keys() == vars(cat).keys()
    assert "Stéfan van der Walt" in {one["author"] for one in record["exemplars"]}


def test_a_photo_that_has_gone_is_said_in_its_place(vgg16: VGG16, photos: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(photos, mine)
    make_shelf(vgg16, mine, tmp_path / "my.shelf")
    before = cnnvis.exemplars("conv1_1", 3, 2, tmp_path / "my.shelf")
    Path(before.exemplars[0].file).unlink()
    after = cnnvis.exemplars("conv1_1", 3, 2, tmp_path / "my.shelf")
    assert after.exemplars == before.exemplars
    first, second = (np.asarray(after.picture)[:TILE_PX, start : start + TILE_PX] for start in (0, TILE_PX + 2))
    assert (first == GREY).all(2).mean() > 0.8 > (second == GREY).all(2).mean()


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"layer": "relu1_1", "channel": 0}, LayerError),
        ({"layer": "conv1_1", "channel": 64}, ChannelError),
        ({"layer": "conv1_1", "channel": 0, "count": 0}, SettingError),
        ({"layer": "conv1_1", "channel": 0, "count": 17}, SettingError),
        ({"layer": "conv1_1", "channel": 0, "count": True}, SettingError),
    ],
)
def test_wrong_arguments_are_refused(shelf: Path, asked: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        cnnvis.exemplars(**asked, shelf=shelf)


def test_a_shelf_that_cannot_be_used_is_refused_in_a_sentence(shelf: Path, tmp_path: Path) -> None:
    def copied(name: str) -> Path:
        copy = tmp_path / name
        shutil.copytree(shelf, copy)
        return copy

    with pytest.raises(ShelfError, match=r"no shelf\.json: make one"):
        load_shelf(tmp_path / "nothing")
    begun = tmp_path / "begun"
    (begun / "chunks").mkdir(parents=True)
    with pytest.raises(ShelfError, match="was interrupted: start it again"):
        load_shelf(begun)
    (copied("one") / "photos.json").write_text("[")
    with pytest.raises(ShelfError, match=r"unreadable photos\.json"):
        load_shelf(tmp_path / "one")
    (copied("two") / "index.safetensors").write_bytes(b"x")
    with pytest.raises(ShelfError, match="unreadable index"):
        cnnvis.exemplars("conv1_1", 0, shelf=tmp_path / "two")
    about = copied("three") / "shelf.json"
    about.write_text(about.read_text().replace('"weights_sha256": "', '"weights_sha256": "0'))
    with pytest.raises(ShelfError, match="made with other weights"):
        load_shelf(tmp_path / "three")


@pytest.mark.parametrize(("layer", "channel"), [("conv1_2", 5), ("conv5_3", 17)])
def test_the_spread_is_that_of_the_maxima(vgg16: VGG16, shelf: Path, layer: str, channel: int) -> None:
    opened = load_shelf(shelf)
    found = spread(opened, ARCHITECTURE.target(layer, channel))
    assert found is not None
    maps = [cnnvis.feature_maps(vgg16, photo["file"], layer).values[channel] for photo in opened.photos]
    maxima = np.array([float(one.max()) for one in maps])
    assert found.values == pytest.approx(
        [np.percentile(maxima, p, method="nearest") for p in found.percentiles], rel=1e-3
    )
    assert [maxima[photo] for photo in found.photos] == pytest.approx(found.values, rel=1e-3)
    assert sum(found.counts) == len(maxima) and (found.low, found.high) == pytest.approx(
        (maxima.min(), maxima.max()), rel=1e-3
    )
    assert found.photos[0] == opened.exemplars(ARCHITECTURE.target(layer, channel), 1)[0].photo


def test_a_shelf_without_all_maxima_has_no_spread(shelf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shelf, copy)
    (copy / "maxima.safetensors").write_bytes(b"x")
    with pytest.raises(ShelfError, match="unreadable maxima"):
        spread(load_shelf(copy), ARCHITECTURE.target("conv1_1", 0))
    (copy / "maxima.safetensors").unlink()
    assert spread(load_shelf(copy), ARCHITECTURE.target("conv1_1", 0)) is None


# The command line


def test_the_command_line_makes_shows_and_describes(
    photos: Path, shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "broken.png").write_bytes(b"x")
    mine = tmp_path / "my.shelf"
    assert main(["shelf", "make", str(photos), "-o", str(mine), "--top", "3"]) == 0
    (photos / "broken.png").unlink()
    said = capsys.readouterr().out
    assert "5 photos indexed" in said and "left out: broken.png: the file is not a readable picture" in said
    monkeypatch.setenv("CNNVIS_SHELF", str(mine))
    assert (
        main(["shelf", "show", "conv5_3", "17", "--count", "2", "-o", str(tmp_path / "sheet.png"), "--json", "-"]) == 0
    )
    record = json.loads(capsys.readouterr().out)
    assert [one["value"] for one in record["exemplars"]] == [
        one.value for one in cnnvis.exemplars("conv5_3", 17, 2, shelf).exemplars
    ]
    assert main(["shelf", "info"]) == 0
    assert "count           5" in capsys.readouterr().out
    for wrong in (
        ["make", str(tmp_path / "none"), "-o", str(mine)],
        ["make", str(photos), "-o", str(mine), "--top", "x"],
    ):
        assert main(["shelf", *wrong]) == 2


# The page and its endpoint


def test_the_endpoint_gives_the_same_record(client: Any, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="count 17 is out of range: choose 1 to 16"):
        client.predict("conv5_3", 17, 17, api_name="/exemplars")
    monkeypatch.setenv("CNNVIS_SHELF", str(shelf))
    picture, record = client.predict("conv5_3", 17, 3, api_name="/exemplars")
    assert record == cnnvis.exemplars("conv5_3", 17, 3).record()
    with Image.open(picture) as sheet:
        assert json.loads(sheet.text["cnnvis"]) == record  # type: ignore[attr-defined]
    monkeypatch.setenv("CNNVIS_SHELF", str(shelf / "gone"))
    with pytest.raises(Exception, match=r"shelf 'gone' has no shelf\.json: make one"):
        client.predict("conv5_3", 17, 3, api_name="/exemplars")


def test_the_page_shows_exemplars_with_their_credits(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnvis.ui.parts.choice import Choice
    from cnnvis.ui.parts.exemplars import best_three, exemplar_photo, exemplar_row, weaker_photos

    monkeypatch.setenv("CNNVIS_SHELF", str(shelf))
    choice = Choice(ARCHITECTURE.target("pool5", 17))  # a pool's exemplars are its convolution's
    row = exemplar_row(choice.target)
    found = cnnvis.exemplars("conv5_3", 17, 5).exemplars
    assert row.count("<button") == 5 and "5 of 5 photos that excite conv5_3 channel 17 most" in row
    assert "Chelsea (Stéfan van der Walt, CC0-1.0)" in row
    assert [f"{one.value:.2f} ({one.deviations:+.1f})".replace("-", "−") in row for one in found] == [True] * 5
    assert best_three(choice).count("<img") == 3
    weaker = weaker_photos(choice.target)
    assert weaker.count("<img") == 5 and weaker.count("<rect") == BARS
    assert "25th percentile" in weaker and "conv5_3 channel 17 on each of 5 photos" in weaker
    photo = exemplar_photo(load_shelf(), found[0])
    assert photo.path.read_bytes() == Path(found[0].file).read_bytes() and len(photo.digest) == 64
    monkeypatch.setenv("CNNVIS_SHELF", str(shelf / "gone"))
    assert "make one" in weaker_photos(choice.target)
    assert "make one" in exemplar_row(choice.target) and best_three(choice) == ""
