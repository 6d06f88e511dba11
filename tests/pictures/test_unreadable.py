"""Files that are there and cannot be read: one true sentence, whatever fails and however far it got."""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from helpers import EXAMPLES
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.maximization.experiment import read_experiment
from cnnvis.pictures.photo import open_photo

CAT = EXAMPLES / "chelsea.jpg"
CLOSED = "the picture, or the file that it is read from, is closed: open it again."


class Failing(io.BytesIO):
    """A file on a drive that is gone after a first look."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size:
            raise OSError(errno.EIO, os.strerror(errno.EIO), "/mnt/drive/mine.png")
        return b""


READERS: list[Callable[[Any], object]] = [open_photo, lambda source: read_experiment(source, "cpu")]


@pytest.mark.parametrize("read", READERS, ids=["open_photo", "read_experiment"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG])
def test_a_file_that_may_not_be_read_is_named_with_the_reason(
    read: Callable[[Any], object], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, who may read everything, so the system's own call is made to fail."""

    def refuse(file: Any, *_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(io, "open", refuse)
    with pytest.raises(PhotoError) as refused:
        read(CAT)
    reason = f"({os.strerror(number)}): choose one that this computer can read."
    assert str(refused.value) == f"the picture 'chelsea.jpg' cannot be read {reason}"


@pytest.mark.parametrize("read", READERS, ids=["open_photo", "read_experiment"])
def test_an_open_file_that_fails_or_cannot_be_used_is_a_sentence(read: Callable[[Any], object], tmp_path: Path) -> None:
    def sentence(source: Any) -> str:
        with pytest.raises(PhotoError) as refused:
            read(source)
        return str(refused.value)

    failed = f"the picture cannot be read ({os.strerror(errno.EIO)}): choose one that this computer can read."
    assert sentence(Failing(CAT.read_bytes())) == failed
    with CAT.open(encoding="latin-1") as text, (tmp_path / "new").open("wb") as written:
        assert sentence(text) == "the file is open as text: open it with mode 'rb'."
        assert sentence(written).startswith("the picture cannot be read (UnsupportedOperation): choose")
    assert sentence(io.StringIO("words")) == "the file is open as text: open it with mode 'rb'."
    for closed in (text, io.BytesIO(b"1234")):
        closed.close()
        assert sentence(closed) == "the file is closed: open it again."
    inward, outward = os.pipe()
    with os.fdopen(inward, "rb") as pipe:
        os.close(outward)
        assert sentence(pipe).startswith("the picture cannot be read (UnsupportedOperation): choose")
    assert sentence(tmp_path) == "that is a folder: choose a photo in it."


def left_its_block() -> Image.Image:
    with Image.open(CAT) as picture:
        return picture


def closed(picture: Image.Image) -> Image.Image:
    picture.close()
    return picture


def without_its_file() -> Image.Image:
    with cast(BinaryIO, CAT.open("rb")) as file:
        return Image.open(file)


@pytest.mark.parametrize(
    "made",
    [
        left_its_block, without_its_file, lambda: closed(Image.open(CAT)), lambda: closed(Image.new("RGB", (3, 3))),
        lambda: closed(Image.open(CAT).convert("RGB")),
    ],
)  # fmt: skip
def test_a_closed_picture_is_not_called_damaged(made: Callable[[], Image.Image]) -> None:
    with pytest.raises(PhotoError) as refused:
        open_photo(made())
    assert str(refused.value) == CLOSED


def test_a_damaged_picture_that_the_caller_opened_is_called_damaged() -> None:
    with Image.open(io.BytesIO(CAT.read_bytes()[:5000])) as picture, pytest.raises(PhotoError, match="is damaged or"):
        open_photo(picture)
