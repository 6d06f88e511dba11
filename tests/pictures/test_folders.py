"""Pictures are found by what they contain, and nothing is left out without a word."""

import os
import re
from pathlib import Path

import pytest
from helpers import CASES
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.pictures.folders import photos_in, shown
from cnnvis.pictures.photo import PHOTO_FORMATS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "photos"
    path.mkdir()
    return path


def picture(path: Path, form: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(path, form)
    return path


@pytest.mark.parametrize("form", PHOTO_FORMATS)
@pytest.mark.parametrize("suffix", ["", ".jfif", ".jpe", ".JPG", ".bin", ".0815"])
def test_a_picture_counts_whatever_it_is_called(folder: Path, form: str, suffix: str) -> None:
    picture(folder / f"a{suffix}", form)
    assert photos_in(folder).files == [f"a{suffix}"]


def test_what_only_claims_to_be_a_picture_is_kept_for_its_error_message(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"x")
    (folder / "empty.png").touch()
    (folder / "phone.HEIC").write_bytes((CASES / "heic_header.heic").read_bytes())
    assert photos_in(folder).files == ["broken.jpg", "empty.png", "phone.HEIC"]


def test_everything_else_is_named_with_the_reason(folder: Path) -> None:
    picture(folder / "a.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / "nothing").touch()
    picture(folder / ".hidden.png")
    picture(folder / ".ipynb_checkpoints" / "a.png")
    picture(folder / "@eaDir" / "a.png" / "SYNOPHOTO_THUMB_M.jpg", "JPEG")
    picture(folder / "below" / "__MACOSX" / "b.png")
    (folder / "gone.png").symlink_to(folder / "nowhere")
    (folder / "itself.png").symlink_to(folder / "itself.png")
    os.mkfifo(folder / "pipe.png")
    found = photos_in(folder)
    assert found.files == ["a.png"]
    assert {path: reason.partition(",")[0].partition(" (")[0] for path, reason in found.skipped.items()} == {
        "notes.txt": "not a picture", "nothing": "not a picture", ".hidden.png": "hidden",
        ".ipynb_checkpoints/": "hidden", "@eaDir/": "a system's own folder",
        "below/__MACOSX/": "a system's own folder", "gone.png": "not a file", "itself.png": "cannot be opened",
        "pipe.png": "not a file",
    }  # fmt: skip


def test_links_to_folders_are_followed_once(folder: Path, tmp_path: Path) -> None:
    """The usual layout of data sets: a folder of links to folders elsewhere."""
    picture(tmp_path / "elsewhere" / "cats" / "1.png")
    picture(folder / "real" / "2.png")
    for name, to in {
        "a-link": folder / "real", "dogs": tmp_path / "elsewhere" / "cats", "more": tmp_path / "elsewhere",
        "self": folder, "up": tmp_path, "root": Path("/"), "real/back": folder,
    }.items():  # fmt: skip
        (folder / name).symlink_to(to)
    found = photos_in(folder)
    assert found.files == ["dogs/1.png", "real/2.png"]
    again = {"a-link/", "more/cats/", "self/", "up/", "root/", "real/back/"}
    assert found.skipped == dict.fromkeys(sorted(again), "a link to a folder that is included anyway")


def test_paths_are_sorted_as_text(folder: Path) -> None:
    for name in ("b/1.png", "b.png", "a/z.png", "B.png", "b-c/1.png"):
        picture(folder / name)
    assert photos_in(folder).files == ["B.png", "a/z.png", "b-c/1.png", "b.png", "b/1.png"]


def test_a_folder_without_pictures_is_refused_as_what_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PhotoError, match=r"^there is no folder 'gone': is the path right\?$"):
        photos_in(folder / "gone")
    with pytest.raises(PhotoError, match=r"^the folder 'photos' has no pictures: name one that does\.$"):
        photos_in(folder)
    (folder / "notes.txt").write_text("x")
    monkeypatch.chdir(folder)
    with pytest.raises(PhotoError, match=r"^the folder 'photos' has no pictures among its 1 files and folders"):
        photos_in(Path("."))
    with pytest.raises(PhotoError, match=r"^'notes\.txt' is not a folder"):
        photos_in(folder / "notes.txt")


def test_names_are_shown_as_text() -> None:
    assert shown("猫 café.png") == "猫 café.png"
    assert shown(os.fsdecode(b"caf\xe9.png")) == r"caf\xe9.png"
    assert re.fullmatch(r"[ -~]+", shown(os.fsdecode(bytes(range(128, 256)))))
