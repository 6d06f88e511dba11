"""Read Qt's binary resource archives (.rcc), in which GCompris keeps its photos.

All numbers are big-endian. The header is `qres` and four uint32: the format's version, and where the tree, the data and
the names begin. A node of the tree has its name's offset (uint32) and flags (uint16); then a folder has its number of
children and the first of them (two uint32), and a file its country and language (two uint16) and the offset of its data
(uint32). From version 2 on, a node ends with a date (uint64). A name is a length (uint16), a hash (uint32) and UTF-16;
data are a length (uint32) and bytes.
"""

import struct
import zlib
from collections.abc import Iterator

COMPRESSED, FOLDER = 1, 2  # flags


def files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every file with its path. Raises ValueError for another format."""
    magic, version, tree, data, names = struct.unpack_from(">4s4I", archive)
    if magic != b"qres" or version not in (1, 2, 3):
        raise ValueError("not an .rcc archive of a known version")
    node_bytes = 14 if version == 1 else 22
    folders = [(0, "")]
    while folders:
        number, path = folders.pop()
        _, _, children, first = struct.unpack_from(">IHII", archive, tree + number * node_bytes)
        for child in range(first, first + children):
            at = tree + child * node_bytes
            name, flags = struct.unpack_from(">IH", archive, at)
            inside = f"{path}/{_name(archive, names + name)}"
            if flags & FOLDER:
                folders.append((child, inside))
            else:
                (offset,) = struct.unpack_from(">I", archive, at + 10)
                yield inside, _content(archive, data + offset, flags)


def _name(archive: bytes, at: int) -> str:
    (length,) = struct.unpack_from(">H", archive, at)
    return archive[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


def _content(archive: bytes, at: int, flags: int) -> bytes:
    (length,) = struct.unpack_from(">I", archive, at)
    content = archive[at + 4 : at + 4 + length]
    return zlib.decompress(content[4:]) if flags & COMPRESSED else content  # after four bytes with the full length
