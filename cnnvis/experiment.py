"""Read back the experiment that a saved picture carries, so that it can be repeated."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from PIL import Image

from cnnvis.architecture import ARCHITECTURE, Architecture, Target, Targeted
from cnnvis.errors import PhotoError
from cnnvis.images import RECORD_CHUNK
from cnnvis.photo import check_bytes
from cnnvis.recipes import Settings, settle

# Settings that older records lack. With these their pictures grow as they did then.
ADDED_SINCE = {"small": 0.0, "blur": 0.0, "leak": 1.0}


@dataclass(frozen=True)
class Experiment(Targeted):
    """The arguments of an ascent: `maximize(net, layer, channel, settings)` grows the same picture again.

    It is the same bit for bit on a machine like the first, unless `settings.seconds` ended the ascent or it started
    from a photo, which no picture carries.
    """

    target: Target
    settings: Settings
    start_sha256: str | None  # of the photo that the ascent started from; None: it started from noise


def read_experiment(
    source: str | Path | BinaryIO, device: torch.device | str, architecture: Architecture = ARCHITECTURE
) -> Experiment:
    """Read the experiment from the text chunk of a PNG saved by cnnvis, and check it for a network on a device.

    Raises PhotoError if there is none, and what `maximize` raises for its layer, channel or settings.
    """
    record = _record(source)
    try:
        layer, channel = record["layer"], record["channel"]
        settings: dict[str, Any] = {**ADDED_SINCE, **record["settings"]}
        recipe = settings.pop("recipe")
        start = dict(record.get("build") or {}).get("start_sha256")
    except (KeyError, TypeError, ValueError) as cause:
        raise PhotoError("the picture's record is not of an ascent: choose a PNG that an ascent made.") from cause
    target = architecture.weighted_target(layer, channel)
    return Experiment(target, settle(recipe, target.layer, device, **settings), str(start) if start else None)


def _record(source: str | Path | BinaryIO) -> dict[str, Any]:
    """Read the JSON object in a PNG's text chunk, without decoding the picture."""
    check_bytes(source)
    try:
        with Image.open(source, formats=("PNG",)) as picture:
            text = getattr(picture, "text", {}).get(RECORD_CHUNK)
    except Exception as cause:  # a broken file can make a decoder raise anything
        raise PhotoError("the file is not a readable PNG: choose one saved by cnnvis.") from cause
    try:
        record = json.loads(text) if text else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise PhotoError("the picture carries no record: choose a PNG saved by cnnvis.")
    return record
