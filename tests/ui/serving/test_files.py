"""Files for the browser: they are kept while in use and deleted two hours after their last use."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from cnnvis.errors import UnavailableError
from cnnvis.ui.serving.files import bytes_file, file_at, file_url, picture_file, pin, sweep, touch


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
    first, second = Path(bytes_file(b"one", "a.png")), Path(bytes_file(b"two", "a.png"))
    assert first.read_bytes() == b"one" and second.read_bytes() == b"two"
    assert first.is_relative_to(cache)


def test_only_the_pages_own_files_are_found_by_their_addresses(cache: Path) -> None:
    path = Path(bytes_file(b"one", "a b.png"))
    assert file_at(file_url(path)) == path
    (cache / "else.txt").write_text("x", encoding="utf-8")
    other = (cache / "else.txt", path.parent, path.parent / "..", path.parent / "none.png", Path("/etc/hostname"))
    traversed = path.parent / ".." / path.parent.name / "a b.png"
    assert [file_at(file_url(wrong)) for wrong in (*other, traversed)] == [None] * 6
    assert file_at(None) is None and file_at("https://a.example/x.png") is None


@pytest.mark.parametrize(("kind", "suffix"), [("png", ".png"), ("jpeg", ".jpg")])
def test_a_picture_has_the_suffix_of_its_format(kind: str, suffix: str) -> None:
    path = picture_file(Image.new("RGB", (4, 4)), "name", kind)
    assert path.endswith(f"name{suffix}")
    with Image.open(path) as read:
        assert read.format == kind.upper()


# Expiry


def test_a_file_is_deleted_when_it_has_been_unused_for_long_enough() -> None:
    old, used, new = (Path(bytes_file(name, "a.png")) for name in (b"old", b"used", b"new"))
    time.sleep(0.2)
    assert touch(used)
    bytes_file(b"new", "a.png")
    sweep(seconds=0.1)
    assert [old.exists(), used.exists(), new.exists()] == [False, True, True]
    assert not old.parent.exists()


def test_a_file_is_deleted_after_two_hours_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the clock put forward; docs/deploy.md promises two hours."""
    path, now = Path(bytes_file(b"fresh", "a.png")), time.time()
    for seconds, kept in ((-5, True), (5, False)):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: now + 2 * 3600 + seconds)
        sweep()
        assert path.exists() == kept


def test_uploads_are_deleted_like_our_own_files_and_nothing_else_is(cache: Path) -> None:
    ours = Path(bytes_file(b"mine", "photo"))
    upload = ours.with_name("upload.jpg")  # Gradio stores it in a folder of the same kind
    upload.write_bytes(b"mine")
    others = [cache / "letter.txt", cache / "folder" / "letter.txt"]
    others[1].parent.mkdir()
    for path in others:
        path.write_text("dear", encoding="utf-8")
    sweep(seconds=-1)
    assert [path.exists() for path in (ours, upload, *others)] == [False, False, True, True]


def test_the_oldest_files_go_first_when_there_are_too_many() -> None:
    files = []
    for number in range(4):
        files.append(Path(bytes_file(bytes([number]) * 100, "a.png")))
        time.sleep(0.02)
    assert touch(files[0])
    sweep(size=250)
    assert [path.exists() for path in files] == [True, False, False, True]


def test_what_the_page_itself_names_is_never_swept() -> None:
    named, link, other = (Path(bytes_file(name, "a 'b.png")) for name in (b"named", b"link", b"other"))
    pin(json.dumps({"src": file_url(named), "caption": f'<a href="{file_url(link)}">'}))
    sweep(seconds=-1)
    sweep(size=0)
    assert [path.exists() for path in (named, link, other)] == [True, True, False]


def test_a_file_or_folder_that_was_deleted_from_outside_is_made_again(cache: Path) -> None:
    path = Path(bytes_file(b"again", "a.png"))
    for delete in (path.unlink, lambda: shutil.rmtree(cache)):
        delete()
        assert not touch(path)
        sweep(seconds=-1)
        assert Path(bytes_file(b"again", "a.png")).read_bytes() == b"again"


def test_a_disk_that_cannot_be_written_to_is_a_sentence_and_a_line_in_the_log(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (cache / "file").write_text("no folder can be made below a file", encoding="utf-8")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(cache / "file"))
    with pytest.raises(UnavailableError, match="cannot store pictures at the moment: try again") as refused:
        bytes_file(b"one", "a.png")
    assert str(cache) not in str(refused.value) and str(cache) in caplog.text
