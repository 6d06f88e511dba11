"""Parts of the bundled shelf: some photos give references, others the patches that a judge must tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from safetensors.numpy import load

from cnnvis.analysis.patches import moved_inside
from cnnvis.network.architecture import Layer
from cnnvis.network.usual import SHELF, tensors_sha256
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE, crop_like_training
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf import Shelf
from cnnvis.prepared.shelf_indexing import Chunk, LayerIndex, Table, from_arrays, index_chunk

RANKS = 10


@dataclass(frozen=True)
class Part:
    """Some of a shelf's photos, and where they excite each channel most."""

    files: tuple[Path, ...]
    index: dict[str, LayerIndex]  # by convolution; photos are numbered as in `files`

    def strongest(self, layer: Layer, channel: int, count: int) -> list[Image.Image]:
        """Patches of the photos that excite a channel most, strongest first, at the receptive field's size."""
        return self._patches(layer, self.index[layer.name].high, channel, count)

    def weakest(self, layer: Layer, channel: int, count: int) -> list[Image.Image]:
        """The same for the photos that barely excite it, weakest first, each where it does so most."""
        return self._patches(layer, self.index[layer.name].low, channel, count)

    def _patches(self, layer: Layer, table: Table, channel: int, count: int) -> list[Image.Image]:
        patches = []
        for photo, (row, column) in zip(table.photo[channel, :count], table.cell[channel, :count], strict=True):
            box = moved_inside(layer.field(int(row), int(column)), PHOTO_SIDE)
            patches.append(crop_like_training(open_photo(self.files[int(photo)])).crop(box))
        return patches


def part(net: VGG16, numbers: Sequence[int]) -> Part:
    """Index the photos with these numbers of the bundled shelf, in float32."""
    shelf = Shelf(SHELF)
    files = tuple(shelf.path(number) for number in numbers)
    names = tuple(shelf.file(number) for number in numbers)
    chunk = Chunk(str(SHELF / "photos"), names, RANKS, "float32", tensors_sha256(net), with_maxima=False)
    arrays = load(index_chunk(chunk, net))
    return Part(files, {name: from_arrays(name, arrays) for name in net.architecture.convolutions})
