"""The shelf: exemplars are the cells that the feature maps show, and their patches are what the network sees there."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from helpers import EXAMPLES
from PIL import Image

import cnnvis
from cnnvis.__main__ import main
from cnnvis.cli.exports import encode_rows
from cnnvis.errors import ChannelError, LayerError, PhotoError, SettingError, ShelfError
from cnnvis.network.architecture import ARCHITECTURE, find_layer
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.prepared.shelf import BARS, Shelf, draw_exemplars, load_shelf, shelf_of, spread
from cnnvis.prepared.shelf_making import make_shelf
from cnnvis.prepared.tiles import GREY, TILE_PX
from cnnvis.prepared.unfinished import MARK, NAME

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
    sheet = cnnvis.exemplars(layer, channel, 5, shelf)
    assert (sheet.layer, sheet.channel, sheet.photos, sheet.shelf) == (layer, channel, 5, photos.name)
    maxima = []
    for exemplar in sheet.exemplars:
        values = cnnvis.feature_maps(vgg16, photos / exemplar.file, layer).values[channel]
        maxima.append(float(values.max()))
        assert exemplar.value == pytest.approx(maxima[-1], rel=1e-4)
        assert float(values[exemplar.row, exemplar.column]) == pytest.approx(exemplar.value, rel=1e-4)
    assert maxima == sorted(maxima, reverse=True)
    deviations = [exemplar.deviations for exemplar in sheet.exemplars]
    assert deviations == pytest.approx((np.array(maxima) - np.mean(maxima)) / np.std(maxima), abs=1e-3)


def test_a_tile_is_the_patch_that_the_cell_sees_at_its_true_scale(vgg16: VGG16, shelf: Path) -> None:
    """Changing the photo outside the patch changes nothing in the cell, if the patch was not moved."""
    layer = "conv3_2"
    sheet = cnnvis.exemplars(layer, 9, 1, shelf)
    (exemplar,) = sheet.exemplars
    picture = crop_like_training(cnnvis.open_photo(load_shelf(shelf).path(exemplar.photo)))
    field = find_layer(layer).receptive_field
    left, top, right, bottom = exemplar.box
    assert (right - left, bottom - top) == (field, field) and 0 <= left < right <= 224 and 0 <= top < bottom <= 224
    patch, alone = picture.crop((left, top, right, bottom)), Image.new("RGB", picture.size, GREY)
    alone.paste(patch, (left, top))
    with torch.inference_mode():
        value = cut(vgg16, layer)(to_tensor(alone))[0, 9, exemplar.row, exemplar.column]
    assert float(value) == pytest.approx(exemplar.value, rel=1e-4)
    expected = patch.resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
    assert sheet.picture.crop((0, 0, TILE_PX, TILE_PX)).tobytes() == expected.tobytes()


def test_credits_travel_with_the_photo(shelf: Path, tmp_path: Path) -> None:
    sheet = cnnvis.exemplars("conv5_3", 17, 5, shelf)
    (cat,) = [exemplar for exemplar in sheet.exemplars if exemplar.file == "below/chelsea.jpg"]
    assert (cat.title, cat.author, cat.licence, cat.source) == ("Chelsea", "Stéfan van der Walt", "CC0-1.0", "")
    sheet.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved:
        record = json.loads(saved.text["cnnvis"])  # type: ignore[attr-defined]
    assert record["exemplars"][0].keys() == vars(cat).keys()
    assert "Stéfan van der Walt" in {exemplar["author"] for exemplar in record["exemplars"]}


def test_a_missing_photo_gets_a_grey_tile(vgg16: VGG16, photos: Path, tmp_path: Path) -> None:
    copies, shelf = shutil.copytree(photos, tmp_path / "copies"), tmp_path / "my.shelf"
    make_shelf(vgg16, copies, shelf)
    before = cnnvis.exemplars("conv1_1", 3, 2, shelf)
    (copies / before.exemplars[0].file).unlink()
    after = cnnvis.exemplars("conv1_1", 3, 2, shelf)
    assert after.exemplars == before.exemplars
    first, second = (np.asarray(after.picture)[:TILE_PX, start : start + TILE_PX] for start in (0, TILE_PX + 2))
    assert (first == GREY).all(2).mean() > 0.8 > (second == GREY).all(2).mean()


def test_wrong_arguments_are_refused(shelf: Path) -> None:
    with pytest.raises(LayerError):
        cnnvis.exemplars("relu1_1", 0, shelf=shelf)
    with pytest.raises(ChannelError):
        cnnvis.exemplars("conv1_1", 64, shelf=shelf)
    for count in (0, 17, True):
        with pytest.raises(SettingError):
            cnnvis.exemplars("conv1_1", 0, count, shelf)


def test_a_shelf_that_cannot_be_used_is_refused_in_a_sentence(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(ShelfError, match=r"no shelf\.json: make one"):
        load_shelf(tmp_path / "nothing")
    (tmp_path / "begun" / NAME).mkdir(parents=True)
    (tmp_path / "begun" / NAME / MARK).touch()
    with pytest.raises(ShelfError, match=r"no shelf\.json: run `shelf make` again; finished work is kept"):
        load_shelf(tmp_path / "begun")
    about = (shelf / "shelf.json").read_bytes().replace(b'"weights_sha256": "', b'"weights_sha256": "0')
    for name, content, words in (
        ("photos.json", b"[", r"unreadable photos\.json: rebuild it"),
        ("index.safetensors", b"x", "unreadable index: rebuild it"),
        ("shelf.json", about, "made with different weights: make one"),
    ):
        copy = shutil.copytree(shelf, tmp_path / name)
        (copy / name).write_bytes(content)
        with pytest.raises(ShelfError, match=words):
            cnnvis.exemplars("conv1_1", 0, shelf=copy)


def test_a_shelf_made_again_is_read_again(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    """In the same process, and without mixing the old list with the new index."""
    target = tiny.architecture.target("conv1_1", 0)
    few, folder = shutil.copytree(photos, tmp_path / "few"), tmp_path / "my.shelf"
    make_shelf(tiny, few, folder)
    before, unread = shelf_of(tiny, folder), Shelf(folder)
    assert shelf_of(tiny, folder) is before and len(before.exemplars(target, 9)) == 5
    for path in sorted(few.glob("*.jpg"))[:3]:
        path.unlink()
    make_shelf(tiny, few, folder, records={"below/chelsea.jpg": {"title": "another"}})
    again = shelf_of(tiny, folder)
    assert {exemplar.file for exemplar in again.exemplars(target, 9)} == {"below/chelsea.jpg", "rocket.jpg"}
    assert {exemplar.title for exemplar in again.exemplars(target, 9)} == {"another", ""}
    assert len(before.exemplars(target, 9)) == 5  # what was read belongs together
    for read in (unread.layer, unread.layer_maxima):
        with pytest.raises(ShelfError, match=r"'my\.shelf' is being made again: try again in a moment"):
            read(target.layer)


def test_no_path_of_the_machine_leaves_it(tiny: VGG16, vgg16: VGG16, shelf: Path, tmp_path: Path) -> None:
    sheet = cnnvis.exemplars("conv5_3", 17, 5, shelf)
    files = {exemplar.file for exemplar in sheet.exemplars}
    assert files == {"below/chelsea.jpg", *(path.name for path in EXAMPLES.glob("*.jpg") if path.stem != "chelsea")}
    sheet.save(tmp_path / "sheet.png")
    table = encode_rows(sheet.record()["exemplars"])
    for content in ((tmp_path / "sheet.png").read_bytes(), json.dumps(sheet.record()).encode(), table):
        assert str(shelf.parents[1]).encode() not in content
    older = shutil.copytree(shelf, tmp_path / "older")  # its record does not say where its photos are
    about = json.loads((older / "shelf.json").read_text())
    (older / "shelf.json").write_text(json.dumps({name: about[name] for name in about if name != "root"}))
    assert {exemplar.file for exemplar in cnnvis.exemplars("conv5_3", 17, 5, older).exemplars} == files
    listed = json.loads((older / "photos.json").read_text())
    (older / "photos.json").write_text(json.dumps([*listed[:-1], {"file": "/elsewhere/behind/a-link.jpg"}]))
    assert "a-link.jpg" in {Shelf(older).file(number).rpartition("/")[2] for number in range(5)}


def test_a_name_that_is_not_utf8_can_be_shown_and_written(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xe9t\xe9")
    odd.mkdir()
    shutil.copy(photos / "rocket.jpg", odd / os.fsdecode(b"caf\xe9.jpg"))
    make_shelf(tiny, odd, tmp_path / "my.shelf")
    made = shelf_of(tiny, tmp_path / "my.shelf")
    sheet = draw_exemplars(made, tiny.architecture.target("conv1_1", 0), 1)
    assert (sheet.exemplars[0].file, sheet.shelf) == (r"caf\xe9.jpg", r"\xe9t\xe9")
    assert made.open(0).size == (224, 224)
    assert rb"caf\xe9.jpg" in encode_rows(sheet.record()["exemplars"])
    orjson.dumps(sheet.record())  # as endpoints write it


@pytest.mark.parametrize(("layer", "channel"), [("conv1_2", 5), ("conv5_3", 17)])
def test_the_spread_is_that_of_the_maxima(vgg16: VGG16, shelf: Path, layer: str, channel: int) -> None:
    opened, target = load_shelf(shelf), ARCHITECTURE.target(layer, channel)
    shown = spread(opened, target)
    assert shown is not None
    maps = [cnnvis.feature_maps(vgg16, photo["file"], layer).values[channel] for photo in opened.photos]
    maxima = np.array([float(values.max()) for values in maps])
    expected = [np.percentile(maxima, percentile, method="nearest") for percentile in shown.percentiles]
    assert shown.values == pytest.approx(expected, rel=1e-3)
    assert maxima[shown.photos] == pytest.approx(shown.values, rel=1e-3)
    assert (shown.low, shown.high) == pytest.approx((maxima.min(), maxima.max()), rel=1e-3)
    assert sum(shown.counts) == len(maxima) and shown.photos[0] == opened.exemplars(target, 1)[0].photo


def test_a_shelf_without_all_maxima_has_no_spread(shelf: Path, tmp_path: Path) -> None:
    copy, target = shutil.copytree(shelf, tmp_path / "copy"), ARCHITECTURE.target("conv1_1", 0)
    (copy / "maxima.safetensors").write_bytes(b"x")
    with pytest.raises(ShelfError, match="unreadable maxima"):
        spread(load_shelf(copy), target)
    (copy / "maxima.safetensors").unlink()
    assert spread(load_shelf(copy), target) is None


# The command line


def test_the_command_line_makes_shows_and_describes(
    photos: Path, shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "broken.png").write_bytes(b"x")
    (photos / "notes.txt").write_text("no picture")
    made, sheet = str(tmp_path / "my.shelf"), str(tmp_path / "sheet.png")
    assert main(["shelf", "make", str(photos), "-o", made, "--top", "3"]) == 0
    (photos / "broken.png").unlink()
    said = capsys.readouterr().out
    assert "5 photos indexed" in said and "left out: broken.png: the file is not a readable picture" in said
    assert "left out besides: 1 × not a picture (--list-skipped names them)" in said
    assert main(["shelf", "make", str(photos), "-o", made, "--top", "3", "--list-skipped"]) == 0
    assert "left out: notes.txt: not a picture" in capsys.readouterr().out
    monkeypatch.setenv("CNNVIS_SHELF", made)
    assert main(["shelf", "show", "conv5_3", "17", "--count", "2", "-o", sheet, "--json", "-"]) == 0
    shown = [exemplar["value"] for exemplar in json.loads(capsys.readouterr().out)["exemplars"]]
    assert shown == [exemplar.value for exemplar in cnnvis.exemplars("conv5_3", 17, 2, shelf).exemplars]
    assert main(["shelf", "info"]) == 0
    assert "count           5" in capsys.readouterr().out
    for wrong in ([str(tmp_path / "none"), "-o", made], [str(photos), "-o", made, "--top", "x"]):
        assert main(["shelf", "make", *wrong]) == 2


# The page and its endpoint


def test_the_endpoint_gives_the_same_record(client: Any, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="count 17 is out of range: choose a whole number from 1 to 16"):
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
    from cnnvis.ui.parts.exemplars import exemplar_photo, exemplar_row, weaker_photos

    monkeypatch.setenv("CNNVIS_SHELF", str(shelf))
    choice = Choice(ARCHITECTURE.target("pool5", 17))  # a pool's exemplars are its convolution's
    row = exemplar_row(choice)
    exemplars = cnnvis.exemplars("conv5_3", 17, 5).exemplars
    assert row.count("<button") == 5 and "5 of 5 photos that excite conv5_3 channel 17 most" in row
    assert "Chelsea (Stéfan van der Walt, CC0-1.0)" in row
    figures = [f"{exemplar.value:.2f} ({exemplar.deviations:+.1f} standard".replace("-", "−") for exemplar in exemplars]
    assert all(words in row for words in figures)
    weaker = weaker_photos(choice.target)
    assert weaker.count("<img") == 5 and weaker.count("<rect") == BARS
    assert "25th percentile" in weaker and "conv5_3 channel 17 on each of 5 photos" in weaker
    photo = exemplar_photo(load_shelf(), exemplars[0])
    assert photo.path.read_bytes() == load_shelf().path(exemplars[0].photo).read_bytes() and len(photo.digest) == 64
    moved = shutil.copytree(shelf, shelf.with_name("moved"))
    listed = json.loads((moved / "photos.json").read_text(encoding="utf-8"))
    (moved / "photos.json").write_text(
        json.dumps([{**about, "file": str(moved)} for about in listed]), encoding="utf-8"
    )
    monkeypatch.setenv("CNNVIS_SHELF", str(moved))  # there are folders where its photos were
    assert exemplar_row(choice).count("<button") == 5 and "photo unavailable" in weaker_photos(choice.target)
    with pytest.raises(PhotoError):
        exemplar_photo(load_shelf(), exemplars[0])
    monkeypatch.setenv("CNNVIS_SHELF", str(shelf / "gone"))
    assert "make one" in weaker_photos(choice.target)
    assert "make one" in exemplar_row(choice)
