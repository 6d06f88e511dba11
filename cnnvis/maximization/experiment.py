"""Read back the experiment that a saved picture carries, so that it can be repeated."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from cnnvis.errors import PhotoError
from cnnvis.maximization.recipes import Settings, current_names, settle
from cnnvis.network.architecture import ARCHITECTURE, Architecture, Target, Targeted
from cnnvis.pictures.images import RECORD_CHUNK
from cnnvis.pictures.photo import binary_file
from cnnvis.pictures.text_chunks import is_png, text_chunk

# Settings that older records lack, at the values that let their pictures grow as they did then.
ADDED_SINCE = {"coarse_share": 0.0, "blur": 0.0, "leak": 1.0}
# What a sentence calls some parts of a build, and the parts that certainly lead to a different picture.
SPOKEN_NAMES = {"weights_sha256": "weights", "start_sha256": "the photo"}
DECISIVE = {"weights_sha256", "start_sha256", "device", "precision"}


@dataclass(frozen=True)
class Experiment(Targeted):
    """The arguments of an ascent: `maximize(net, layer, channel, settings)` grows the same picture again.

    It is the same bit for bit on a machine like the first, unless `settings.seconds` ended the ascent or it started
    from a photo, which is not saved in the picture.
    """

    target: Target
    settings: Settings
    build: Mapping[str, Any]  # versions, device, precision, threads, weights, as the record names them

    @property
    def start_sha256(self) -> str | None:
        """Of the photo that the ascent started from; None if it started from noise."""
        start = self.build.get("start_sha256")
        return str(start) if start else None


def read_experiment(
    source: str | Path | bytes | BinaryIO, device: torch.device | str, architecture: Architecture = ARCHITECTURE
) -> Experiment:
    """Read the experiment in the text chunk of a PNG saved by cnnvis, and check it for a network on a device.

    The PNG may be a path, a file's bytes or an open file. Its picture is not decoded.
    Raises PhotoError if there is none, and what `maximize` raises for its layer, channel or settings.
    """
    record = _record(source)
    try:
        layer, channel, build = record["layer"], record["channel"], dict(record.get("build") or {})
        settings: dict[str, Any] = {**ADDED_SINCE, **current_names(record["settings"])}
        recipe = settings.pop("recipe")
        if not all(isinstance(name, str) for name in settings):
            raise TypeError("a setting's name is not text")
    except (KeyError, TypeError, ValueError) as cause:
        raise PhotoError("the picture's record does not describe an ascent: choose a PNG of an ascent.") from cause
    target = architecture.weighted_target(layer, channel)
    return Experiment(target, settle(recipe, target.layer, device, **settings), build)


def differences(made: Experiment, build: Mapping[str, Any]) -> str:
    """Say in one sentence what has changed since the picture was made, and that a repeated one will or may differ.

    `build` is a snapshot's, or the `build_record` of the network in use. Only what both name is compared; "" if nothing
    has changed.
    """
    changed = [(name, made.build[name], now) for name, now in build.items() if made.build.get(name, now) != now]
    words = [f"{SPOKEN_NAMES.get(name, name)} {_brief(then)} (now {_brief(now)})" for name, then, now in changed]
    verb = "will" if any(name in DECISIVE for name, *_ in changed) else "may"
    return f"That picture was made with {', '.join(words)}: this one {verb} differ from it." if changed else ""


def _brief(value: object) -> str:
    """A value from anybody's record, for a sentence: of a checksum the beginning, and nothing that could be markup."""
    text = "none" if value is None else str(value)[:40]
    return text[:12] if re.fullmatch("[0-9a-f]{40}", text) else re.sub(r"[^\w .:+-]", "?", text)


def _record(source: str | Path | bytes | BinaryIO) -> dict[str, Any]:
    """Read the JSON object in a PNG's text chunk, without decoding the picture."""
    with binary_file(source) as file:
        if not is_png(file):
            raise PhotoError("the file is not a readable PNG: choose one saved by cnnvis.")
        text = text_chunk(file, RECORD_CHUNK)
    try:
        record = json.loads(text) if text else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise PhotoError("the picture carries no record: choose a PNG saved by cnnvis.")
    return record
