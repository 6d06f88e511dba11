"""Resuming a shelf: whatever happened to the photos in between, the shelf is that of a making without interruptions."""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import EXAMPLES
from PIL import Image
from safetensors.numpy import load_file, save

from cnnvis.network.vgg import VGG16
from cnnvis.prepared import shelf_making
from cnnvis.prepared.shelf_indexing import Indexed
from cnnvis.prepared.shelf_making import make_shelf
from cnnvis.prepared.shelf_resuming import Today, usable_chunks
from cnnvis.prepared.unfinished import NAME, pieces

CHUNKS = 4  # of two photos each
PHOTOS = 8


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_making, "CHUNKS", CHUNKS)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for number in range(PHOTOS):
        draw(folder / ("below" if number > 5 else "") / f"{number}.png", number)
    return folder


def stop(*_: int) -> None:
    raise KeyboardInterrupt


def draw(path: Path, number: int) -> None:
    with Image.open(sorted(EXAMPLES.glob("*.jpg"))[number % 3]) as opened:
        opened.convert("RGB").crop((9 * number, 5 * number, 9 * number + 80, 5 * number + 80)).save(path)


def make(net: VGG16, photos: Path, shelf: Path, chunks: int = 1000) -> int:
    """Make a shelf, or stop after some chunks; return how many photos were indexed by now."""
    seen = [0]

    def progress(done: int, _: int) -> None:
        seen.append(done)
        if len(seen) > chunks:
            raise KeyboardInterrupt

    if chunks < 1000:
        with pytest.raises(KeyboardInterrupt):
            make_shelf(net, photos, shelf, top=5, progress=progress)
    else:
        make_shelf(net, photos, shelf, top=5, progress=progress)
    return len(seen) - 1


def contents(shelf: Path) -> dict[str, Any]:
    assert sorted(path.name for path in shelf.iterdir()) == [
        "index.safetensors", "maxima.safetensors", "photos.json", "shelf.json",
    ]  # fmt: skip
    return {**load_file(shelf / "index.safetensors"), **load_file(shelf / "maxima.safetensors")}


def assert_as_if_never_interrupted(net: VGG16, photos: Path, shelf: Path) -> None:
    make_shelf(net, photos, shelf.with_name("fresh"), top=5)
    arrays, expected = contents(shelf), contents(shelf.with_name("fresh"))
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        if name.rpartition(".")[2] in ("mean", "deviation", "usual"):
            assert array == pytest.approx(expected[name], rel=1e-6, abs=1e-6), name
        else:
            assert np.array_equal(array, expected[name]), name
    assert (shelf / "photos.json").read_bytes() == (shelf.with_name("fresh") / "photos.json").read_bytes()


def add_one(photos: Path) -> None:
    draw(photos / "0-before-all.png", 20)


def touch(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        os.utime(path, (1, 1))


def move(photos: Path) -> None:
    (photos / "0.png").rename(photos / "00.png")
    (photos / "below").rename(photos / "deeper")


def add_a_copy(photos: Path) -> None:
    """Two files with the same content are two photos, of which the first ranks first."""
    shutil.copy(photos / "1.png", photos / "0-copy.png")


def remove(photos: Path) -> None:
    (photos / "1.png").unlink()


def change(photos: Path) -> None:
    draw(photos / "1.png", 30)


def swap(photos: Path) -> None:
    """Equal values go by number: a chunk whose photos are in another order ranks them differently."""
    (photos / "0.png").rename(photos / "9.png")


@pytest.mark.parametrize(
    ("event", "chunks"),
    [(add_one, 3), (touch, 2), (move, 2), (add_a_copy, 3), (remove, 3), (change, 3), (swap, 3)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_only_what_no_chunk_covers_is_indexed(
    tiny: VGG16, photos: Path, tmp_path: Path, event: Callable[[Path], None], chunks: int
) -> None:
    """Two chunks of four were finished. Each photo added, and each chunk with one gone or changed, costs one more."""
    shelf = tmp_path / "my.shelf"
    assert make(tiny, photos, shelf, 2) == 2
    event(photos)
    shelf_making.CHUNKS = -(-len(list(photos.rglob("*.png"))) // 2)  # still two photos a chunk
    assert make(tiny, photos, shelf) == chunks
    assert_as_if_never_interrupted(tiny, photos, shelf)


def test_whatever_happens_in_between_does_not_show(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    """Photos come, go, change, are copied and renamed between four interruptions; some are not pictures."""
    chance, shelf = random.Random(5), tmp_path / "my.shelf"
    (photos / "5-broken.png").write_bytes(b"no picture")
    (photos / "7-empty.png").write_bytes(b"")
    for turn in range(4):
        make(tiny, photos, shelf, 1)
        for number in range(2):
            there = sorted(photos.rglob("*.png"))
            new = photos / f"{chance.randrange(10)}-{turn}{number}.png"
            match chance.randrange(5):
                case 0:
                    draw(new, chance.randrange(9))
                case 1:
                    chance.choice(there).unlink()
                case 2:
                    chance.choice(there).rename(new)
                case 3:
                    shutil.copy(chance.choice(there), new)
                case 4:
                    draw(chance.choice(there), chance.randrange(9))
    make(tiny, photos, shelf)
    assert_as_if_never_interrupted(tiny, photos, shelf)


def test_a_chunk_in_another_order_is_indexed_again(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    """Of equal values the lower number ranks first, and the other may not be in the chunk's table at all."""
    with Image.open(photos / "0.png") as same:
        same.save(photos / "1.png", compress_level=0)  # another file with the same pixels
    with pytest.raises(KeyboardInterrupt):
        make_shelf(tiny, photos, tmp_path / "my.shelf", top=1, progress=stop)
    swap(photos)
    for shelf in ("my.shelf", "fresh"):
        make_shelf(tiny, photos, tmp_path / shelf, top=1)
    arrays, expected = contents(tmp_path / "my.shelf"), contents(tmp_path / "fresh")
    assert all(np.array_equal(arrays[name], expected[name]) for name in expected if name.endswith(("photo", "low")))


@pytest.mark.parametrize("sha256", ["", "0" * 64])
def test_what_could_not_be_read_is_tried_again(photos: Path, tmp_path: Path, sha256: str) -> None:
    """A permission or a disk may be mended without the file's time changing; what was read and is no photo stays so."""
    status = (photos / "3.png").stat()
    photo = Indexed("3.png", status.st_size, status.st_mtime_ns, sha256, "a reason")
    about = {"parameters": {}, "with_maxima": True, "photos": [asdict(photo)]}
    (tmp_path / "chunk").write_bytes(save({}, {"about": json.dumps(about)}))
    today = Today(photos, ["1.png", "3.png"])
    usable = usable_chunks([tmp_path / "chunk"], today, {}, True)
    assert [chunk.reasons for chunk in usable] == ([{1: "a reason"}] if sha256 else [])
    assert today.free == ({0} if sha256 else {0, 1})


def test_a_damaged_chunk_is_indexed_again(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    """A machine that lost power may leave one."""
    shelf = tmp_path / "my.shelf"
    make(tiny, photos, shelf, 3)
    kept = pieces(shelf / NAME)
    kept[0].write_bytes(kept[0].read_bytes()[:1000])
    kept[1].write_bytes(b"")
    assert make(tiny, photos, shelf) == 3
    assert_as_if_never_interrupted(tiny, photos, shelf)


def test_other_settings_do_not_use_the_chunks(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    make(tiny, photos, tmp_path / "my.shelf", 2)
    seen = []
    make_shelf(tiny, photos, tmp_path / "my.shelf", top=4, progress=lambda done, _: seen.append(done))
    assert seen == [2, 4, 6, 8]
    assert contents(tmp_path / "my.shelf")["conv1_1.photo"].shape[1] == 4


def test_a_shelf_that_grew_too_large_for_all_maxima_uses_its_chunks(
    tiny: VGG16, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tiny, photos, tmp_path / "my.shelf", 2)
    monkeypatch.setattr(shelf_making, "MAX_WITH_MAXIMA", PHOTOS - 1)
    assert make(tiny, photos, tmp_path / "my.shelf") == 2
    assert not (tmp_path / "my.shelf" / "maxima.safetensors").exists()
    make(tiny, photos, tmp_path / "other", 2)
    monkeypatch.setattr(shelf_making, "MAX_WITH_MAXIMA", PHOTOS)
    assert make(tiny, photos, tmp_path / "other") == 4  # without all maxima these chunks are of no use
    assert_as_if_never_interrupted(tiny, photos, tmp_path / "other")


def test_names_that_are_not_utf8_come_back_as_the_same_bytes(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    odd = [b"caf\xe9.png", "猫.png".encode(), b"\xff\xfe.png"]
    for number, name in enumerate(odd):
        draw(photos / os.fsdecode(name), number)
    make(tiny, photos, tmp_path / "my.shelf", 2)
    make(tiny, photos, tmp_path / "my.shelf")
    listed = json.loads((tmp_path / "my.shelf" / "photos.json").read_bytes().decode("utf-8"))
    assert {os.fsencode(photo["file"]) for photo in listed} == {os.fsencode(path) for path in photos.rglob("*.png")}
    assert "猫.png" in (tmp_path / "my.shelf" / "photos.json").read_text(encoding="utf-8")
