"""What is no photo we open, by the first bytes of its format, and the photos that look like it."""

import io
import struct
from pathlib import Path

import pytest
from helpers.pictures import noise, saved, tiff
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.pictures.other_formats import other_format
from cnnvis.pictures.photo import open_photo

# The tags of a RAW file in the layout of TIFF: a preview first, the photo itself in a sub-directory.
PREVIEW = {254: (4, 1, 1), 330: (4, 1, 8)}
VIDEO = "an MP4 or MOV video, not a photo: save one of its frames as JPEG"


def raw(kind: str) -> str:
    return f"a camera RAW file ({kind}), which must be developed first: export it as JPEG"


def made_by(maker: bytes, order: str = "<") -> bytes:
    """A RAW file in the layout of TIFF, by the name of its maker."""
    content = tiff({**PREVIEW, 271: (2, len(maker) + 1, 40)}, order=order)
    return content[:40] + maker + content[40 + len(maker) :]


def iso(major: bytes, *others: bytes) -> bytes:
    """The beginning of a file in the ISO base media format (14496-12): its box `ftyp`, and the next one."""
    box = b"ftyp" + major + bytes(4) + b"".join(others)
    return struct.pack(">I", len(box) + 4) + box + b"\0\0\0\x08free"


NAMED = {
    "dng": (tiff({**PREVIEW, 50706: (1, 4, 0x0401)}), raw("DNG")),
    "dng without a preview": (tiff({50706: (1, 4, 0x0401)}), raw("DNG")),
    "nef": (made_by(b"NIKON CORPORATION", ">"), raw("NEF")),
    "arw": (made_by(b"SONY"), raw("ARW")),
    "srw": (made_by(b"SAMSUNG"), raw("TIFF")),
    "pef": (tiff({262: (3, 1, 32803)}), raw("TIFF")),
    "cr2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(90), raw("CR2")),
    "cr3": (iso(b"crx ", b"crx ", b"isom"), raw("CR3")),
    "raf": (b"FUJIFILMCCD-RAW 0201FF129502X-T3" + bytes(90), raw("RAF")),
    "orf": (b"IIRO\x08\0\0\0" + bytes(90), raw("ORF")),
    "orf of the E-1": (b"MMOR\0\0\0\x08" + bytes(90), raw("ORF")),
    "rw2": (b"IIU\0\x18\0\0\0" + bytes(90), raw("RW2")),
    "jxl": (b"\xff\x0a\xfa\x7f\x01", "a JPEG XL picture, which cannot be opened here: save it as JPEG"),
    "jxl in a box": (b"\0\0\0\x0cJXL \r\n\x87\n" + iso(b"jxl ", b"jxl "), "a JPEG XL picture, which cannot be"),
    "mp4": (iso(b"isom", b"isom", b"iso2", b"avc1", b"mp41"), VIDEO),
    "mp4 of a camera": (iso(b"XAVC", b"XAVC", b"mp42"), VIDEO),
    "mov": (iso(b"qt  ", b"qt  "), VIDEO),
    "mov from before 2001": (b"\0\0\x2f\x10moov\0\0\0\x6cmvhd" + bytes(90), VIDEO),
    "webm": (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "a WebM or MKV video"),
    "avi": (b"RIFF\0\0\1\0AVI LIST" + bytes(90), "an AVI video"),
    "heic": (iso(b"heic", b"mif1", b"heic"), "a HEIC picture, which cannot be opened here: save it as JPEG"),
}


@pytest.mark.parametrize(("content", "words"), NAMED.values(), ids=NAMED)
def test_a_file_is_named_with_the_way_out(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"  # the content counts
    path.write_bytes(content)
    for source in (path, io.BytesIO(content), content):
        with pytest.raises(PhotoError) as refused:
            open_photo(source)
        assert str(refused.value).startswith(f"the file is {words}") and str(refused.value).endswith("JPEG.")


def several_pages() -> bytes:
    pages = [noise(40, 30), noise(20, 15)]
    return saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]).getvalue()


OPENED = {
    "plain": tiff({}),
    "big-endian": tiff({}, order=">"),
    "pyramid": tiff({254: (4, 1, 0), 330: (4, 1, 8)}),  # the whole picture first, smaller ones in sub-directories
    "a page of a fax": tiff({254: (4, 1, 2)}),
    "a preview alone": tiff({254: (4, 1, 1)}),
    "several pages": several_pages(),
}


@pytest.mark.parametrize("content", OPENED.values(), ids=OPENED)
def test_an_ordinary_tiff_still_opens(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as picture:
        assert open_photo(content).tobytes() == picture.convert("RGB").tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
def test_no_photo_is_taken_for_another_format(kind: str) -> None:
    assert other_format(saved(noise(8, 8), kind).getvalue()) is None
    assert other_format(iso(b"avis", b"avis", b"msf1", b"mif1", b"iso8")) is None  # an animated AVIF


def test_a_tiff_cut_short_anywhere_is_named_or_not_but_never_fails() -> None:
    content = tiff({50706: (1, 4, 0x0401)})
    assert {other_format(content[:length]) for length in range(len(content))} == {None, raw("DNG")}
    assert other_format(b"II*\0\xff\xff\xff\xff") is None
