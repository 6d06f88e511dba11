"""What a file without a VGG is instead, for people who named another format or a whole model."""

import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

DAMAGED = "is truncated, damaged or not a weights file"
SAVE_STATE = "save its state_dict() with torch.save and name that file"
AS_PYTORCH = "save the network as a PyTorch state_dict"
ONE_FILE = "save the whole network's state_dict() as one file"
LEGACY_PICKLES = 4  # in PyTorch's format before zip: a magic number, a version, the system, the content


class Unusable(Exception):
    """A file that cannot be used: what it is or has, to end a sentence, and the way out if it is a special one."""

    def __init__(self, what: str, way_out: str | None = None) -> None:
        super().__init__(what)
        self.way_out = way_out


# How files of other kinds begin.
_BEGINNINGS: tuple[tuple[bytes, str, str | None], ...] = (
    (rb"\x89HDF\r\n\x1a\n", "is a Keras (HDF5) file", AS_PYTORCH),
    (rb"\x08[\x01-\x20]\x12.{0,40}(pytorch|onnx|keras|tf2onnx|skl)", "is an ONNX model", AS_PYTORCH),
    (rb"\x1f\x8b", "is compressed with gzip", "unpack it"),
    (rb".{257}ustar", "is a tar archive", "unpack it"),
    (rb"GGUF", "is a GGUF file", AS_PYTORCH),
    (rb"\s*\{\s*\"(metadata|weight_map)\"", "is only the index of weights in several files", ONE_FILE),
    (rb"\s*\{\s*\"[\w-]", "is a JSON file without weights", None),
    (rb"version https://git-lfs", "is only a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (rb"\s*<(!doctype|html)", "is a web page, not the file you meant to download", None),
)
# Files inside a zip archive, by how their names end.
_INSIDE: tuple[tuple[str, str, str | None], ...] = (
    ("constants.pkl", "is a TorchScript archive", SAVE_STATE),
    (".h5", "is a Keras model", AS_PYTORCH),
    (".npy", "is a NumPy archive", AS_PYTORCH),
)


def refuse_beginning(start: bytes) -> None:
    """Refuse a file of another kind, judged by its first bytes. Raises Unusable."""
    if not start.strip(b"\0"):
        raise Unusable("is empty")
    for pattern, what, way_out in _BEGINNINGS:
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            raise Unusable(what, way_out)


def refuse_archive(path: Path) -> None:
    """Refuse a zip archive that `torch.save` did not make, judged by the files inside. Raises Unusable."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    for end, what, way_out in _INSIDE:
        if any(name.endswith(end) for name in names):
            raise Unusable(what, way_out)
    if not any(name.endswith("data.pkl") for name in names):
        raise Unusable("is a zip archive without weights")


def refusal_of_pickle(path: Path, error: Exception) -> Unusable:
    """Why `torch.load` cannot read a file: it holds a whole model or more than tensors, or it is damaged."""
    other = re.search(r"GLOBAL ([\w.]+)", str(error))
    if not other:
        return Unusable(f"{DAMAGED} ({type(error).__name__})")
    if _is_module(path):
        return Unusable("is a whole model, not just its weights", SAVE_STATE)
    return Unusable(f"holds more than tensors ({other[1][:60]})", SAVE_STATE)


def _is_module(path: Path) -> bool:
    """Whether a pickle holds a module, by a word that all of those contain."""
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
