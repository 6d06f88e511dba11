"""Bounds on what Pillow reads of a file before it decodes: without them, a small hostile file costs minutes.

In Pillow 12.3 any number of TIFF or EXIF tags may share the same bytes, and each gets a copy: a JPEG of 1 MB took 72 s
and 1 GB. The comments of a GIF and the segments of a JPEG are joined one by one, each time copying all before.
"""

import io
from typing import IO, Any

from PIL import TiffImagePlugin

MAX_READS = 10_000  # while a file is opened; photos take up to some hundred
SPARE_BYTES = 100_000  # that tags may share; in honest files a few of them do


class HeaderFile(io.BytesIO):
    """The bytes of a file, of which Pillow may read only so often until `opened` is set. Raises OSError."""

    opened = False
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as io.BytesIO does, and count."""
        self.reads += 1
        if self.reads > MAX_READS and not self.opened:
            raise OSError(f"the file's header takes more than {MAX_READS} reads")
        return super().read(size)


class _Directory(TiffImagePlugin.ImageFileDirectory_v2):
    """Pillow's table of TIFF or EXIF tags, read only if their values take no more bytes than the file has."""

    def load(self, fp: IO[bytes]) -> None:
        here, size = fp.tell(), fp.seek(0, io.SEEK_END)
        fp.seek(here)
        super().load(_Metered(fp, size + SPARE_BYTES))  # type: ignore[arg-type]  # it only reads, seeks and tells


class _Metered:
    """An open file from which only `left` more bytes may be read. Raises SyntaxError, as Pillow does for bad tags."""

    def __init__(self, file: IO[bytes], left: int) -> None:
        self.file, self.left = file, left
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise SyntaxError("the tags take more bytes than the file has")
        return content


def bound_tags() -> None:
    """Have Pillow read all tags of TIFF and EXIF with `_Directory`.

    There is no other way in: a JPEG's and an AVIF's EXIF is read as soon as the file is opened.
    """
    plugin: Any = TiffImagePlugin
    plugin.ImageFileDirectory_v2 = _Directory
