"""Files for the browser: they are kept while in use and deleted two hours after their last use."""

import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from cnnvis.errors import UnavailableError
from cnnvis.ui.serving.files import bytes_file, picture_file, sweep, touch


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_making_the_same_file_again_does_not_disturb_a_reader(cache: Path) -> None:
    path = Path(bytes_file(b"x" * 1000, "sheet.png"))
    before = path.stat().st_ctime_ns  # Gradio tells a file's age by its ctime
    time.sleep(0.02)
    with path.open("rb") as reader:
        reader.read(10)
        assert bytes_file(b"x" * 1000, "sheet.png") == str(path)
        assert len(reader.read()) == 990
        assert os.fstat(reader.fileno()).st_ino == path.stat().st_ino
    assert path.stat().st_ctime_ns > before
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_different_content_gets_a_different_file(cache: Path) -> None:
    one, two = bytes_file(b"one", "a.png"), bytes_file(b"two", "a.png")
    assert Path(one).read_bytes() == b"one" and Path(two).read_bytes() == b"two"
    assert Path(one).is_relative_to(cache)


@pytest.mark.parametrize(("kind", "suffix"), [("png", ".png"), ("jpeg", ".jpg")])
def test_a_picture_has_the_suffix_of_its_format(kind: str, suffix: str) -> None:
    path = picture_file(Image.new("RGB", (4, 4)), "name", kind)
    assert path.endswith(f"name{suffix}")
    with Image.open(path) as read:
        assert read.format == kind.upper()


# Expiry


def test_a_file_is_deleted_when_it_has_not_been_used_for_long_enough(cache: Path) -> None:
    old, used, new = (Path(bytes_file(name, "a.png")) for name in (b"old", b"used", b"new"))
    time.sleep(0.2)
    assert touch(used)
    bytes_file(b"new", "a.png")
    sweep(seconds=0.1)
    assert [old.exists(), used.exists(), new.exists()] == [False, True, True]
    assert not old.parent.exists()


def test_a_file_is_deleted_after_two_hours_and_not_before(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the clock put on; docs/deploy.md promises two hours."""
    path = Path(bytes_file(b"fresh", "a.png"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3600 - 5)
    sweep()
    assert path.exists()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3600 + 5)
    sweep()
    assert not path.exists()


def test_uploads_are_deleted_like_our_own_files_and_nothing_else_is(cache: Path) -> None:
    ours = Path(bytes_file(b"mine", "photo"))
    upload = ours.with_name("upload.jpg")  # Gradio stores it in a folder of the same kind
    upload.write_bytes(b"mine")
    others = [cache / "letter.txt", cache / "folder" / "letter.txt"]
    others[1].parent.mkdir()
    for path in others:
        path.write_text("dear")
    sweep(seconds=-1)
    assert [path.exists() for path in (ours, upload, *others)] == [False, False, True, True]


def test_the_oldest_files_go_first_when_there_are_too_many(cache: Path) -> None:
    files = []
    for number in range(4):
        files.append(Path(bytes_file(bytes([number]) * 100, "a.png")))
        time.sleep(0.02)
    assert touch(files[0])
    sweep(size=250)
    assert [path.exists() for path in files] == [True, False, False, True]


def test_a_file_that_was_deleted_from_outside_can_be_made_again(cache: Path) -> None:
    path = Path(bytes_file(b"twice", "a.png"))
    path.unlink()
    assert not touch(path)
    sweep(seconds=-1)
    assert Path(bytes_file(b"twice", "a.png")).read_bytes() == b"twice"


def test_a_folder_that_was_removed_is_made_again(cache: Path) -> None:
    bytes_file(b"one", "a.png")
    shutil.rmtree(cache)
    sweep()
    assert Path(bytes_file(b"two", "a.png")).read_bytes() == b"two"


def test_a_disk_that_takes_nothing_is_said_in_a_sentence_and_in_the_log(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (cache / "file").write_text("no folder can be made below a file")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(cache / "file"))
    with pytest.raises(UnavailableError, match="cannot store pictures at the moment: try again") as refused:
        bytes_file(b"one", "a.png")
    assert str(cache) not in str(refused.value) and str(cache) in caplog.text
