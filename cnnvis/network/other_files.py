"""What a file is that holds no VGG: for people who named another network, another format, or a whole model."""

import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

DAMAGED = "is truncated, damaged or no weights file"
SAVE_STATE = "save its state_dict() with torch.save and name that file"
AS_PYTORCH = "save the network as a PyTorch state_dict"
LEGACY_PICKLES = 4  # PyTorch's format before zip: a magic number, a version, the system, then what was saved


class Unusable(Exception):
    """A file that cannot be used: what it is or has, as the end of a sentence, and what to do if not the usual."""

    def __init__(self, found: str, way_out: str | None = None) -> None:
        super().__init__(found)
        self.way_out = way_out


# How files of other kinds begin.
_BEGINNINGS: tuple[tuple[bytes, str, str | None], ...] = (
    (rb"\x89HDF\r\n\x1a\n", "is a Keras (HDF5) file", AS_PYTORCH),
    (rb"\x08[\x01-\x20]\x12.{0,40}(pytorch|onnx|keras|tf2onnx|skl)", "is an ONNX model", AS_PYTORCH),
    (rb"\x1f\x8b", "is compressed with gzip", "unpack it"),
    (rb".{257}ustar", "is a tar archive", "unpack it"),
    (rb"version https://git-lfs", "is only a pointer of Git LFS", "fetch the file itself with `git lfs pull`"),
    (rb"\s*<(!doctype|html)", "is a web page, not the file that was to be downloaded", None),
)
# Files inside a zip archive, by the ends of their names.
_INSIDE: tuple[tuple[str, str, str | None], ...] = (
    ("constants.pkl", "is a TorchScript archive", SAVE_STATE),
    (".h5", "is a Keras model", AS_PYTORCH),
    (".npy", "is a NumPy archive", AS_PYTORCH),
)


def refuse_beginning(start: bytes) -> None:
    """Refuse a file of another kind, told by its first bytes. Raises Unusable."""
    if not start.strip(b"\0"):
        raise Unusable("is empty")
    for pattern, found, way_out in _BEGINNINGS:
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            raise Unusable(found, way_out)


def refuse_archive(path: Path) -> None:
    """Refuse a zip archive that `torch.save` did not make, told by the files inside. Raises Unusable."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    for end, found, way_out in _INSIDE:
        if any(name.endswith(end) for name in names):
            raise Unusable(found, way_out)
    if not any(name.endswith("data.pkl") for name in names):
        raise Unusable("is a zip archive without weights")


def refusal_of_pickle(path: Path, error: Exception) -> Unusable:
    """Why `torch.load` would not read a file: it holds a whole model, other things than tensors, or is damaged."""
    other = re.search(r"GLOBAL ([\w.]+)", str(error))
    if other and _is_module(path):
        return Unusable("is a whole model, not its weights alone", SAVE_STATE)
    if other:
        return Unusable(f"holds more than tensors ({other[1][:60]})", SAVE_STATE)
    return Unusable(f"{DAMAGED} ({type(error).__name__})")


def _is_module(path: Path) -> bool:
    """Whether a pickle has a word that every module's has."""
    try:
        return "_modules" in _words(path)
    except Exception:  # a damaged pickle can raise almost anything
        return False


def _words(path: Path) -> Iterator[str]:
    """The strings in a pickle, read without unpickling it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(name) as file:
                yield from _strings(file)
    else:
        with path.open("rb") as file:
            for _ in range(LEGACY_PICKLES):
                yield from _strings(file)


def _strings(file: IO[bytes]) -> Iterator[str]:
    return (argument for _, argument, _ in pickletools.genops(file) if isinstance(argument, str))
