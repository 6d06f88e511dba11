"""Files for the browser: written to Gradio's cache folder, deleted two hours after they were last written or looked up.

Gradio deletes only files that passed through one of its components. Most of ours reach the browser as addresses inside
JSON, so this module sweeps its own.
"""

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from gradio.utils import get_upload_folder
from PIL import Image

from cnnvis.images import encode

KEPT_SECONDS = 2 * 3600  # after it was last written or looked up
SWEPT_SECONDS = 600  # between two sweeps

_written: set[Path] = set()
_lock = Lock()


def picture_file(picture: Image.Image, name: str, kind: str = "png", record: Mapping[str, Any] | None = None) -> str:
    """Write a picture as PNG or JPEG and return its path; Gradio itself would write lossy WebP."""
    return bytes_file(encode(picture, kind, record), f"{name}.{'jpg' if kind == 'jpeg' else kind}")


def bytes_file(content: bytes, name: str) -> str:
    """Write bytes to a file in a folder named after their sha256, and return its path.

    An existing file is kept: somebody may be reading it, and Gradio's own `save_bytes_to_cache` would empty it first.
    """
    path = content_path(hashlib.sha256(content).hexdigest(), name)
    with _lock:
        _written.add(path)
    if not touch(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{secrets.token_hex(8)}")
        part.write_bytes(content)
        part.replace(path)
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


def sweep(age: float = KEPT_SECONDS) -> None:
    """Delete every file written here that was last written or looked up over `age` seconds ago."""
    oldest = time.time() - age
    with _lock:
        for path in list(_written):
            try:
                if path.stat().st_ctime > oldest:
                    continue
                path.unlink()
                path.parent.rmdir()  # fails while it holds another file, such as Gradio's own
            except OSError:
                pass
            _written.discard(path)


@cache
def start_sweeping() -> None:
    """Sweep every ten minutes, on one thread per process, for as long as the process lives."""

    def run() -> None:
        while True:
            time.sleep(SWEPT_SECONDS)
            sweep()

    Thread(target=run, name="cnnvis-sweep", daemon=True).start()


def file_url(path: str) -> str:
    """The address of a file in Gradio's cache folder, relative to the page."""
    return f"gradio_api/file={path}"


def data_url(picture: Image.Image) -> str:
    """An address that contains a small picture itself."""
    return "data:image/png;base64," + base64.b64encode(encode(picture)).decode()
