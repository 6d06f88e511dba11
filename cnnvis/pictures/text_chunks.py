"""The text in a PNG file, read without decoding its picture: a hostile file costs a look at its headers, no more."""

import struct
import zlib
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 50_000  # read in a quarter of a second; a photo of 15 MB has 2,000, an animation two for each frame
MAX_TEXT_BYTES = 1_000_000  # also after decompression; a record of ours has 2 kB
KINDS = (b"tEXt", b"zTXt", b"iTXt")


def is_png(file: BinaryIO) -> bool:
    """Whether an open file begins as a PNG does; it is rewound first."""
    file.seek(0)
    return file.read(len(SIGNATURE)) == SIGNATURE


def text_chunk(file: BinaryIO, keyword: str) -> str | None:
    """Read the first text chunk with this keyword, wherever in the file it stands; None if there is none.

    All other chunks are skipped. A file that is no PNG, is cut short before the chunk, or exceeds the bounds has none
    either, nor has what follows the PNG's end.
    PNG specification, third edition, sections 5.3 and 11.3.3.
    """
    wanted = keyword.encode("latin-1") + b"\0"
    if not is_png(file):
        return None
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return None
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return None
        if kind in KINDS and len(wanted) <= length <= MAX_TEXT_BYTES:
            content = file.read(length)
            if content.startswith(wanted):
                return _text(kind, content[len(wanted) :])
            length = 0
        file.seek(length + 4, 1)  # and the checksum
    return None


def _text(kind: bytes, content: bytes) -> str | None:
    """The text of a chunk, of which `content` is what follows the keyword."""
    if kind == b"tEXt":
        return content.decode("latin-1")
    if kind == b"zTXt":
        packed = _unpacked(content[1:])
        return None if packed is None else packed.decode("latin-1")
    compressed, _, rest = content[:1], content[1:2], content[2:]
    _language, _, rest = rest.partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    plain = _unpacked(text) if compressed == b"\1" else text
    return None if plain is None else plain.decode("utf-8", "replace")


def _unpacked(packed: bytes) -> bytes | None:
    """Decompress, unless that gives more than MAX_TEXT_BYTES or the data are damaged."""
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(packed, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    return plain if unpacking.eof else None
