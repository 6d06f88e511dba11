"""The folder where a making keeps its unfinished work: a name that nobody else has, our mark inside, and a lock.

Only files that a making wrote are ever removed, each by its name.
"""

import errno
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from cnnvis.errors import SettingError, UnavailableError

log = logging.getLogger(__name__)

NAME = ".cnnvis-unfinished"  # of the folder; an atlas's has its layer's name too
MARK, LOCK = "made-by-cnnvis.txt", ".cnnvis-lock"
SAID = "Unfinished work of `cnnvis shelf`, `atlas` or `concepts make`. Run it again to go on; then this folder goes.\n"
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # of some network drives, which can do all the rest
PIECE = re.compile(r"piece-[0-9a-f]{32}\.safetensors")  # a finished piece of work
PART = re.compile(r".+\.cnnvis-part")  # a file that is being written


def begun(target: Path, layer: str = "") -> bool:
    """Whether an earlier making has left unfinished work in `target`."""
    return (_folder(target, layer) / MARK).exists()


@contextmanager
def held(target: Path, outputs: Sequence[str], layer: str = "") -> Iterator[Path]:
    """Hold the folder for unfinished work in `target` while no other making does; it goes when nothing is left in it.

    `outputs` are the files that the making will write to `target`, the record that names the weights first: files of
    these names that no making wrote are not replaced. Raises UnavailableError if another making runs there,
    SettingError if the folder cannot be written or has somebody's files.
    """
    folder, name = _folder(target, layer), target.resolve().name
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)  # the system releases it when this process ends, however it ends
    except Timeout as error:
        way = "wait until it ends, or choose another folder"
        raise UnavailableError(f"another making is running in folder {name!r}: {way}.") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise SettingError(f"folder {name!r} cannot be written ({error.strerror}): choose another.") from error
        log.warning("folder %r cannot be locked (%s): start no second making in it.", name, error.strerror)
    try:
        if not (folder / MARK).exists():
            _refuse_others(target, name, folder, outputs)
            write_whole(folder, folder / MARK, SAID.encode())
        yield folder
    finally:
        with suppress(OSError):
            _tidy(folder)
        lock.release()
        with suppress(OSError):
            if os.name == "nt" and not (folder / MARK).exists():  # Windows removes no file that is open
                (folder / LOCK).unlink()
            folder.rmdir()  # fails while it holds work, or somebody's files


def piece_file(folder: Path, plan: object) -> Path:
    """The file of a piece of work, named after all that it depends on (plain values)."""
    return folder / f"piece-{hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:32]}.safetensors"


def pieces(folder: Path) -> list[Path]:
    """The files of all finished pieces."""
    return sorted(path for path in folder.iterdir() if PIECE.fullmatch(path.name))


def is_whole(piece: Path) -> bool:
    """Whether a piece's file is there and complete: a machine that lost power may leave a damaged one."""
    try:
        with safe_open(piece, framework="numpy"):
            return True
    except (OSError, SafetensorError):
        return False


def remove_pieces(folder: Path) -> None:
    """Remove all pieces, once the work is finished."""
    for path in pieces(folder):
        path.unlink()


def write_whole(folder: Path, path: Path, content: bytes) -> None:
    """Write a complete file or none; until it is complete it lies in the `folder` for unfinished work."""
    part = folder / f"{path.name}.cnnvis-part"
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _folder(target: Path, layer: str) -> Path:
    return target / (f"{NAME}-{layer}" if layer else NAME)


def _refuse_others(target: Path, name: str, folder: Path, outputs: Sequence[str]) -> None:
    """Raise SettingError if the making would replace somebody else's files, or mix its own with them."""
    if any(path.name != LOCK and not PART.fullmatch(path.name) for path in folder.iterdir()):
        raise SettingError(f"folder {name!r} has files of somebody else in its {folder.name!r}: choose another.")
    try:
        ours = "weights_sha256" in json.loads((target / outputs[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        ours = False
    theirs = [output for output in outputs if os.path.lexists(target / output)]
    if theirs and not ours:
        raise SettingError(f"folder {name!r} has a {theirs[0]} that cnnvis did not make: choose another folder.")


def _tidy(folder: Path) -> None:
    """Remove what an interruption has left half written and, once no piece is left, the mark and the lock."""
    for path in list(folder.iterdir()):
        if PART.fullmatch(path.name):
            path.unlink(missing_ok=True)
    if not pieces(folder):
        (folder / MARK).unlink(missing_ok=True)
        (folder / LOCK).unlink(missing_ok=True)  # while it is held, so that nobody holds a file that has gone
