"""Read back the experiment that a saved picture carries, so that it can be repeated."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.maximization.recipes import Settings, current_names, settle
from cnnvis.network.architecture import ARCHITECTURE, Architecture, Target, Targeted
from cnnvis.pictures.images import RECORD_CHUNK
from cnnvis.pictures.photo import check_bytes

# Settings that older records lack. With these their pictures grow as they did then.
ADDED_SINCE = {"coarse_share": 0.0, "blur": 0.0, "leak": 1.0}
# Parts of a build that are called otherwise in sentences, and those that certainly lead to another picture.
CALLED = {"weights_sha256": "weights", "start_sha256": "the photo"}
DECISIVE = {"weights_sha256", "start_sha256", "device", "precision"}


@dataclass(frozen=True)
class Experiment(Targeted):
    """The arguments of an ascent: `maximize(net, layer, channel, settings)` grows the same picture again.

    It is the same bit for bit on a machine like the first, unless `settings.seconds` ended the ascent or it started
    from a photo, which no picture carries.
    """

    target: Target
    settings: Settings
    build: Mapping[str, Any]  # versions, device, precision, threads, weights, as the record names them

    @property
    def start_sha256(self) -> str | None:
        """Of the photo that the ascent started from; None: it started from noise."""
        start = self.build.get("start_sha256")
        return str(start) if start else None


def read_experiment(
    source: str | Path | BinaryIO, device: torch.device | str, architecture: Architecture = ARCHITECTURE
) -> Experiment:
    """Read the experiment from the text chunk of a PNG saved by cnnvis, and check it for a network on a device.

    Raises PhotoError if there is none, and what `maximize` raises for its layer, channel or settings.
    """
    record = _record(source)
    try:
        layer, channel = record["layer"], record["channel"]
        settings: dict[str, Any] = {**ADDED_SINCE, **current_names(record["settings"])}
        recipe = settings.pop("recipe")
        build = dict(record.get("build") or {})
    except (KeyError, TypeError, ValueError) as cause:
        raise PhotoError("the picture's record is not of an ascent: choose a PNG that an ascent made.") from cause
    target = architecture.weighted_target(layer, channel)
    return Experiment(target, settle(recipe, target.layer, device, **settings), build)


def differences(made: Experiment, build: Mapping[str, Any]) -> str:
    """Say in one sentence what is not as it was when the picture was made, and that a repeated one differs too.

    `build` is a snapshot's, or what `build_record` says of the network in use. Only what both name counts; "" if all of
    that is the same.
    """
    other = {name: (made.build[name], now) for name, now in build.items() if made.build.get(name, now) != now}
    if not other:
        return ""
    words = [f"{CALLED.get(name, name)} {_brief(then)} (here {_brief(now)})" for name, (then, now) in other.items()]
    verb = "will" if DECISIVE & other.keys() else "may"
    return f"That picture was made with {', '.join(words)}: this one {verb} differ from it."


def _brief(value: object) -> str:
    """A value from anybody's record, for a sentence: a checksum's beginning, and nothing that could be markup."""
    text = "none" if value is None else str(value)[:40]
    return text[:12] if re.fullmatch("[0-9a-f]{40}", text) else re.sub(r"[^\w .:+-]", "?", text)


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
