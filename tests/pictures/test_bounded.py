"""Small files whose headers would cost Pillow minutes or gigabytes: they are answered at once."""

import io
import struct
import time
import tracemalloc

import pytest
from helpers.pictures import chunk, noise, row, saved, tiff
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.pictures.photo import open_photo

SIZE = 1_000_000
JPEG, PNG, GIF = (saved(noise(16, 8), kind).getvalue() for kind in ("JPEG", "PNG", "GIF"))
# A thousand tags that share the same megabyte: a gigabyte for whoever copies each.
SHARED = tiff({274: (3, 1, 6)} | dict.fromkeys(range(40_000, 41_000), (1, SIZE, 8)), room=SIZE)


def with_exif(exif: bytes) -> bytes:
    """The JPEG with EXIF in as many segments as it takes, and no resolution beside it."""
    parts = [b"Exif\0\0" + exif[first : first + 65_000] for first in range(0, len(exif), 65_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    return JPEG[:2] + segments + JPEG[JPEG.index(b"\xff\xdb") :]


def before(content: bytes, mark: bytes, more: bytes) -> bytes:
    """Put more bytes before the chunk that a PNG names so."""
    start = content.index(mark) - 4
    return content[:start] + more + content[start:]


def avif() -> bytes:
    """An AVIF with the shared tags; Pillow would read them as it saves, so they take the place of harmless ones."""
    harmless = tiff({}).ljust(len(SHARED), b"\0")
    content = saved(noise(16, 8), "AVIF", exif=harmless).getvalue()
    assert harmless in content
    return content.replace(harmless, SHARED)


FRAME = 13 + (3 << (GIF[10] % 8 + 1))  # where the GIF's blocks begin
COMMENTS = (b"\x21\xfe\xff" + b"a" * 255 + b"\0") * 50_000
HOSTILE = {
    "TIFF, shared tags": SHARED,
    "JPEG, shared tags": with_exif(SHARED),
    "PNG, shared tags": before(PNG, b"IDAT", chunk(b"eXIf", SHARED)),
    "AVIF, shared tags": avif(),
    "WebP, shared tags": saved(noise(16, 8), "WEBP", exif=SHARED).getvalue(),
    "GIF, comments": GIF[:FRAME] + COMMENTS + GIF[FRAME:],
    "GIF, comments after the first frame": GIF[:-1] + COMMENTS + GIF[FRAME:],
    "JPEG, segments": JPEG[:2] + b"\xff\xe1\0\x0aExif\0\0MM" * 1_000_000 + JPEG[2:],
    "PNG, chunks": before(PNG, b"IDAT", chunk(b"prVt", b"") * 1_000_000),
}


def opened(content: bytes) -> str:
    """The size of the opened picture, or the refusal."""
    try:
        return str(open_photo(content).size)
    except PhotoError as error:
        return str(error)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_a_picture_or_a_sentence_at_once(content: bytes) -> None:
    tracemalloc.start()
    begun = time.process_time()
    answer = opened(content)
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer in ("(16, 8)", "(8, 16)") or "not a readable picture: choose an undamaged" in answer
    assert seconds < 2 and peak < 3 * len(content) + 10_000_000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_tags_of_an_honest_photo_are_read(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "a description"
    exif[0x927C] = bytes(range(256)) * 200  # a maker's note
    picture = Image.new("RGB", (4, 2), "white")
    picture.paste("red", (0, 0, 4, 1))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100}
    upright = open_photo(saved(picture, kind, exif=exif, **options))
    assert upright.size == (2, 4)
    right, left = row(upright)[1], row(upright)[0]
    assert right[1] < 100 < left[1]  # what was above lies to the right


def test_a_caller_still_reads_all_tags_of_its_own_pictures() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    with Image.open(io.BytesIO(saved(noise(8, 8), "JPEG", exif=exif).getvalue())) as picture:
        open_photo(picture)
        assert picture.getexif()[0x010E] == "a description" and "exif" in picture.info
