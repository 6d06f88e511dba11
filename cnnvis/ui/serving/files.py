"""Files for the browser: in a folder of the page's own, deleted two hours after they were last written or looked up.

Gradio deletes only files that passed through one of its components, by age alone (gradio#8098). Most of ours reach the
browser as addresses inside JSON, and a crowd must not fill the disk: so this module sweeps the whole folder. It can go
when `delete_cache` takes a limit of bytes and counts every file in the folder.
"""

import atexit
import hashlib
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote

from gradio.utils import get_upload_folder
from PIL import Image

from cnnvis.errors import UnavailableError
from cnnvis.pictures.images import encode

KEPT_SECONDS = 2 * 3600  # after it was last written or looked up
MAX_FILES_BYTES = 2_000_000_000  # of all files together; the oldest go first
SWEPT_SECONDS = 60  # between two sweeps
ADDRESS = "gradio_api/file="  # of a file, before its path
TRIES = 5  # to remove the folder while an ascent is still writing pictures to it
PREFIX = "cnnvis-files-"  # of a folder that is the page's own
SHA256 = re.compile("[0-9a-f]{64}")

log = logging.getLogger(__name__)
_pinned: set[Path] = set()


def picture_file(picture: Image.Image, name: str, kind: str = "png", record: Mapping[str, Any] | None = None) -> str:
    """Write a picture as PNG or JPEG and return its path; Gradio itself would write lossy WebP."""
    return bytes_file(encode(picture, kind, record), f"{name}.{'jpg' if kind == 'jpeg' else kind}")


def bytes_file(content: bytes, name: str) -> str:
    """Write bytes to a file in a folder named after their sha256, and return its path.

    An existing file is kept: somebody may be reading it, and Gradio's own `save_bytes_to_cache` would empty it first.
    Raises UnavailableError.
    """
    path = content_path(hashlib.sha256(content).hexdigest(), name)
    if not touch(path):
        part = path.with_name(f".{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            log.error("cannot write to %s: %s", get_upload_folder(), error)
            raise UnavailableError.disk() from error
    return str(path)


def content_path(sha256: str, name: str) -> Path:
    """The path of the file `name` whose content has this sha256; Gradio names its folders the same way."""
    return Path(get_upload_folder()) / sha256 / name


def touch(path: Path) -> bool:
    """Restart the two hours of a file; return whether it still exists."""
    try:
        os.utime(path)  # sets the ctime, by which files are aged
    except OSError:
        return False
    return True


def pin(text: str) -> None:
    """Never sweep the files whose addresses stand in a text: it travels with the page itself."""
    _pinned.update(filter(None, map(file_at, re.findall(rf"{ADDRESS}[^\"\\\\]+", text))))


def sweep(seconds: float = KEPT_SECONDS, size: int = MAX_FILES_BYTES) -> None:
    """Delete the files that nobody wrote or looked up for `seconds`, then the oldest beyond `size` bytes in all."""
    now, kept = time.time(), 0
    for changed, length, path in sorted(_stored(), reverse=True):
        kept += length
        if now - changed > seconds or kept > size:
            with suppress(OSError):
                path.unlink()
                path.parent.rmdir()  # fails while it holds another file


def _stored() -> Iterator[tuple[float, int, Path]]:
    """Every file in the folder, ours and visitors' uploads: when it last changed, its length and its path.

    Each lies in a folder named after a sha256. Nothing else is touched: GRADIO_TEMP_DIR may hold other things too.
    """
    for path in Path(get_upload_folder()).glob("*/*"):
        if SHA256.fullmatch(path.parent.name) and path not in _pinned:
            try:
                status = path.lstat()
            except OSError:  # it has just gone
                continue
            yield status.st_ctime, status.st_size, path


@cache
def start_sweeping() -> None:
    """Give the page a folder of its own, unless GRADIO_TEMP_DIR names one; sweep it while the process lives."""
    if not os.environ.get("GRADIO_TEMP_DIR"):
        # Not Gradio's usual folder, which all Gradio apps on the machine share.
        os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix=PREFIX)
        atexit.register(remove_folder)

    def run() -> None:
        while True:
            time.sleep(SWEPT_SECONDS)
            sweep()

    Thread(target=run, name="cnnvis-sweep", daemon=True).start()


def remove_folder() -> None:
    """Remove the page's folder, if `start_sweeping` made it."""
    folder = Path(get_upload_folder())
    if folder.name.startswith(PREFIX):
        for _ in range(TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break


def file_at(url: object) -> Path | None:
    """The file that a browser was given this address of, if it is still there; None for anything else."""
    path = Path(unquote(str(url).removeprefix(ADDRESS)))
    mine = SHA256.fullmatch(path.parent.name) and path.parents[1] == Path(get_upload_folder())
    return path if mine and path.is_file() and touch(path) else None


def file_url(path: str | Path) -> str:
    """The address of a file in Gradio's cache folder, relative to the page, whatever its folders are called."""
    return ADDRESS + quote(Path(path).as_posix())
