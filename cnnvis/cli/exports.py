"""Numbers for other programs: feature maps as NumPy files, records as CSV tables."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnvis.analysis.maps import Maps

ARRAY_SUFFIXES = (".npz", ".npy")


def encode_maps(maps: Maps, channels: Sequence[int], kind: str) -> bytes:
    """Encode the maps of some channels, float32 (channels, h, w), as npy or npz.

    An npz file also holds the channel numbers, `channels`, and the words `layer` and `pipeline`.
    """
    file, values = io.BytesIO(), maps.values[list(channels)].numpy()
    if kind == "npy":
        np.save(file, values)
    else:
        np.savez_compressed(file, maps=values, channels=channels, layer=maps.layer.name, pipeline=maps.pipeline)
    return file.getvalue()


def encode_rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Encode records with the same fields as CSV in UTF-8; the items of a list are separated by spaces."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, fieldnames=list(rows[0]))
    table.writeheader()
    for row in rows:
        table.writerow({name: " ".join(map(str, v)) if isinstance(v, list) else v for name, v in row.items()})
    return text.getvalue().encode()
