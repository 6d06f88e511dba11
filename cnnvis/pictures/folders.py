"""Find the pictures in a folder and below, by what they contain, and say why everything else is left out."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.pictures.photo import PHOTO_FORMATS

# Files with these names are tried, and named if they cannot be read; others are looked into.
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm",
            ".heic", ".heif"}  # fmt: skip
HEAD_BYTES = 16  # by which Pillow tells formats apart
# What storage devices, systems and archivers keep beside photos: thumbnails, deleted files, halves of files.
OTHERS_FOLDERS = {"@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "lost+found", "System Volume Information"}
HIDDEN, SYSTEM, NO_PICTURE = "hidden", "a system's own folder", "not a picture"
SEEN, NO_FILE = "a link to a folder that is included anyway", "not a file, or a link to nothing"


@dataclass(frozen=True)
class Found:
    """What is in a folder and below, by relative path."""

    files: list[str]  # the pictures, sorted
    skipped: dict[str, str]  # everything else, with the reason; a folder counts once and ends in a slash


def photos_in(folder: Path) -> Found:
    """Find all pictures in a folder and below.

    Links to folders are followed, but no folder is entered twice. Hidden files and a system's own folders are left out.
    Raises PhotoError if there is no such folder, or no picture in it.
    """
    name = os.fspath(folder.resolve().name) or str(folder)
    if not os.path.exists(folder):
        raise PhotoError(f"there is no folder {name!r}: is the path right?")
    if not os.path.isdir(folder):
        raise PhotoError(f"{name!r} is not a folder: name the folder that holds the pictures.")
    files, skipped = [], {}
    for path, reason in _walk(folder):
        if reason:
            skipped[path] = reason
        else:
            files.append(path)
    if not files:
        among = f" among its {len(skipped)} files and folders" if skipped else ""
        raise PhotoError(f"the folder {name!r} has no pictures{among}: name one that does.")
    return Found(sorted(files), dict(sorted(skipped.items())))


def shown(name: str) -> str:
    r"""A file's name as text for everybody: bytes that are not UTF-8 as \xff."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def is_photo(path: str | Path) -> bool:
    """Whether a file's name or first bytes are those of a picture. Raises OSError."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    Image.init()
    accepting = (Image.OPEN[form][1] for form in PHOTO_FORMATS if form in Image.OPEN)
    return any(accepts(head) is True for accepts in accepting if accepts)  # or a string, which says what is missing


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Yield every file's relative path and the reason to leave it out, "" for a picture; folders only if left out.

    Folders come before links to folders, so a photo goes by its own path where it has one below `root`.
    """
    entered, above = {os.path.realpath(root)}, os.path.realpath(root) + os.sep
    waiting, links = deque([""]), deque[str]()
    while waiting or links:
        below = waiting.popleft() if waiting else links.popleft()
        if below and (reason := _closed(os.path.realpath(root / below), entered, above)):
            yield f"{below}/", reason
            continue
        try:
            with os.scandir(root / below) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            if not below:
                raise PhotoError(f"the folder {root.name!r} cannot be opened ({error.strerror}).") from error
            yield f"{below}/", f"cannot be opened ({error.strerror})"
            continue
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if not _is_folder(entry):
                yield path, _reason(entry)
            elif entry.name.startswith(".") or entry.name in OTHERS_FOLDERS:
                yield f"{path}/", SYSTEM if entry.name in OTHERS_FOLDERS else HIDDEN
            else:
                (links if entry.is_symlink() else waiting).append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _closed(real: str, entered: set[str], above: str) -> str:
    """Why a folder is not entered: it has been, or it contains the one where the search began."""
    if real in entered or above.startswith(real.rstrip(os.sep) + os.sep):
        return SEEN
    entered.add(real)
    return ""


def _reason(entry: os.DirEntry[str]) -> str:
    """Why a file is left out, "" for a picture. What is named like one counts, so that a damaged one is not lost."""
    if entry.name.startswith("."):
        return HIDDEN
    try:
        if not entry.is_file():  # a pipe or a device might be read forever
            return NO_FILE
        return "" if is_photo(entry.path) else NO_PICTURE
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
