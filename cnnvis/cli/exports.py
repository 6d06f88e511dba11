"""Numbers for other programs: feature maps as NumPy files, lists of records as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnvis.analysis.maps import Maps

ARRAY_SUFFIXES = (".npz", ".npy")


def encode_maps(maps: Maps, channels: Sequence[int], kind: str) -> bytes:
    """Encode maps of some channels, float32 (channels, h, w), as npy or npz.

    An npz file also has the channels' numbers, `channels`, and the words `layer` and `pipeline`.
    """
    buffer, values = io.BytesIO(), maps.values[list(channels)].numpy()
    if kind == "npy":
        np.save(buffer, values)
    else:
        words = np.array(maps.layer.name), np.array(maps.pipeline)
        np.savez_compressed(buffer, maps=values, channels=np.array(channels), layer=words[0], pipeline=words[1])
    return buffer.getvalue()


def encode_rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Encode records with the same fields as CSV in UTF-8; a list becomes words with spaces between them."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, fieldnames=list(rows[0]))
    table.writeheader()
    for row in rows:
        table.writerow({name: " ".join(map(str, one)) if isinstance(one, list) else one for name, one in row.items()})
    return text.getvalue().encode()
