"""What a file is that is no photo we open, told from its first bytes, and the way out."""

import re
import struct

HEAD_BYTES = 512  # enough for every signature below
AS_JPEG = "which cannot be opened here: save it as JPEG"
RAW = "a camera RAW file ({}), which must be developed first: export it as JPEG"
FRAME = "not a photo: save one of its frames as JPEG"
# Signatures from ExifTool's, libraw's and the formats' own documents; brands of ISO files from mp4ra.org.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (rb"\0.{3}ftyp.{0,28}(hei[cxms]|hev[cxms]|mif1)", f"a HEIC picture, {AS_JPEG}"),
    (rb"\0.{3}ftypcrx ", RAW.format("CR3")),
    (rb"(II\*\0|MM\0\*).{4}CR[\2\3]", RAW.format("CR2")),
    (rb"FUJIFILMCCD-RAW", RAW.format("RAF")),
    (rb"IIR[OS]|MMOR", RAW.format("ORF")),
    (rb"IIU\0", RAW.format("RW2")),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", f"a JPEG XL picture, {AS_JPEG}"),
    (rb"\0.{3}ftyp.{0,28}(isom|iso\d|mp4\d|avc1|qt  |M4V |3g[p2]|MSNV|dash|XAVC)", f"an MP4 or MOV video, {FRAME}"),
    (rb"\0.{3}(moov|mdat|wide|pnot)", f"an MP4 or MOV video, {FRAME}"),
    (rb"\x1a\x45\xdf\xa3", f"a WebM or MKV video, {FRAME}"),
    (rb"RIFF.{4}AVI ", f"an AVI video, {FRAME}"),
    (rb"%PDF", "a PDF, not a photo: save its picture as PNG or JPEG"),
    (rb"(?=.*svg)(\xef\xbb\xbf)?\s*<(\?xml|!doctype|svg|!--)", "an SVG drawing, not a photo: save it as PNG"),
)
_AVIF = rb"\0.{3}ftyp.{0,28}avi[fs]"  # whatever other brands it names
_MAKERS = {b"NIKON": "NEF", b"SONY": "ARW"}  # of cameras whose RAW files are TIFF files
# Tags of a TIFF directory (TIFF 6.0; TIFF/EP; DNG 1.7), and the values that only RAW files have.
REDUCED, PHOTOMETRIC, MAKE, SUB_DIRECTORIES, DNG_VERSION = 254, 262, 271, 330, 50706
SENSOR_COLOURS = (32803, 34892)  # a colour filter array; linear RAW


def other_format(content: bytes) -> str | None:
    """What a file is instead of a photo and the way out, to end a sentence; None if nothing here fits.

    It need not be damaged: Pillow would open the small preview in a RAW file as if it were the photo.
    """
    head = content[:HEAD_BYTES]
    if re.match(_AVIF, head, re.DOTALL):
        return None
    for pattern, what in _BEGINNINGS:
        if re.match(pattern, head, re.DOTALL | (re.IGNORECASE if b"svg" in pattern else 0)):
            return what
    return _raw_tiff(content)


def _raw_tiff(content: bytes) -> str | None:
    """Camera RAW in the layout of TIFF. There the first picture is a preview, and the photo in a sub-directory.

    In a pyramid the first picture is the whole one; the pages of an ordinary TIFF have no sub-directories.
    """
    tags = _first_directory(content)
    if DNG_VERSION in tags:
        return RAW.format("DNG")
    preview = tags.get(REDUCED, 0) & 1 and SUB_DIRECTORIES in tags
    if not preview and tags.get(PHOTOMETRIC) not in SENSOR_COLOURS:
        return None
    start = tags.get(MAKE, len(content))
    make = content[start : start + 5].upper()
    return RAW.format(next((kind for maker, kind in _MAKERS.items() if make.startswith(maker)), "TIFF"))


def _first_directory(content: bytes) -> dict[int, int]:
    """The tags of a TIFF file's first directory, each with its first number, or where its values lie."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return {}
    tags = {}
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        for number in range(count):
            entry = start + 2 + 12 * number
            tag, kind = struct.unpack_from(f"{order}HH", content, entry)
            (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", content, entry + 8)
    except struct.error:  # cut short
        pass
    return tags
