"""The experiment that a saved picture carries: read back, it can be done again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.images import RECORD_CHUNK, check_bytes
from cnnvis.recipes import Ascent, settle
from cnnvis.vgg import Mixture, check_mixture, find_layer


@dataclass(frozen=True)
class Experiment:
    """What an ascent was told: `maximize(net, layer, channel, settings)` grows the picture again.

    Bit for bit on a machine like the one it grew on, unless `settings.seconds` ended it or it began with a photo,
    which no picture carries.
    """

    layer: str
    channel: int | Mixture
    settings: Ascent
    start_sha256: str | None  # of the photo that the ascent began with; None: it began with noise


def read_experiment(source: str | Path | BinaryIO, device: torch.device | str) -> Experiment:
    """The experiment in the text chunk of a PNG that cnnvis saved, checked for a device.

    Raises PhotoError where there is none, and whatever `maximize` would raise for its settings.
    """
    record = _record(source)
    try:
        layer, channel = find_layer(record["layer"]), record["channel"]
        settings = dict(record["settings"])
        recipe = settings.pop("recipe")
        start = dict(record.get("build") or {}).get("start_sha256")
    except (KeyError, TypeError, ValueError) as cause:
        raise PhotoError("the record in the picture is not cnnvis's: choose a PNG saved by cnnvis.") from cause
    mixture = check_mixture(channel, layer.channels, layer.name)
    settled = settle(recipe, layer, device, **settings)
    whose = mixture if isinstance(channel, dict) else next(iter(mixture))
    return Experiment(layer.name, whose, settled, str(start) if start else None)


def _record(source: str | Path | BinaryIO) -> dict[str, Any]:
    """The JSON object in a PNG's text chunk; nothing of the picture is decoded."""
    check_bytes(source)
    try:
        with Image.open(source, formats=("PNG",)) as picture:
            text = getattr(picture, "text", {}).get(RECORD_CHUNK)
    except Exception as cause:  # decoders raise whatever a broken file makes them stumble over
        raise PhotoError("the file is no PNG that can be read: choose one saved by cnnvis.") from cause
    try:
        record = json.loads(text) if text else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise PhotoError("the picture carries no record of its making: choose a PNG saved by cnnvis.")
    return record
