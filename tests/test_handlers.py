"""Files in gradio's cache: the same picture may be made while somebody is reading it."""

import os
import time
from pathlib import Path

import pytest
from PIL import Image

from cnnvis.ui.handlers import bytes_file, picture_file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_a_file_being_read_is_not_touched_by_the_same_picture_made_again(cache: Path) -> None:
    path = Path(bytes_file(b"x" * 1000, "sheet.png"))
    old = time.time() - 1000
    os.utime(path, (old, old))
    with path.open("rb") as reader:
        reader.read(10)
        assert bytes_file(b"x" * 1000, "sheet.png") == str(path)
        assert len(reader.read()) == 990
        assert os.fstat(reader.fileno()).st_ino == path.stat().st_ino
    assert path.stat().st_mtime > old + 900  # young again, so that gradio keeps it
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_another_content_is_another_file(cache: Path) -> None:
    one, two = bytes_file(b"one", "a.png"), bytes_file(b"two", "a.png")
    assert Path(one).read_bytes() == b"one" and Path(two).read_bytes() == b"two"
    assert Path(one).is_relative_to(cache)


@pytest.mark.parametrize(("kind", "suffix"), [("png", ".png"), ("jpeg", ".jpg")])
def test_a_picture_has_the_suffix_of_its_kind(kind: str, suffix: str) -> None:
    path = picture_file(Image.new("RGB", (4, 4)), "name", kind)
    assert path.endswith(f"name{suffix}")
    with Image.open(path) as read:
        assert read.format == kind.upper()
