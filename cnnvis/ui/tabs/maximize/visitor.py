"""What the server holds of a visitor's ascent until it has been scored and animated: little, and not after the tab."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr
from PIL import Image

from cnnvis.maximization.ascent import Snapshot
from cnnvis.pictures.images import animation
from cnnvis.ui.serving.files import bytes_file, file_url, picture_file
from cnnvis.ui.tabs.maximize.stage import moment_value, stage_value

MAX_FRAMES = 60  # of an animation; of a longer ascent every second, fourth, … snapshot


class VisitorAscent:
    """One visitor's ascent: its newest snapshots, and at most MAX_FRAMES frames as the files that the browser has.

    A frame is the files of one moment, a picture of each channel, and what the stage shows of it.
    """

    def __init__(self) -> None:
        self.id = secrets.token_hex(4)
        self.snapshots: Sequence[Snapshot] = ()  # the newest of each channel
        self._frames: list[tuple[list[str], dict[str, Any]]] = []
        self._newest: tuple[list[str], dict[str, Any]] = ([], {})
        self._seen, self._apart = 0, 1
        self._files: list[dict[str, str]] = []  # for each channel the downloads by name, with their addresses
        self.note = ""  # how it ended

    def add(self, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
        """Write the pictures of one moment as files; return what the stage shows of it."""
        self.snapshots = snapshots
        paths = [picture_file(snapshot.picture, file_name(snapshot), "jpeg") for snapshot in snapshots]
        self._newest = paths, moment_value(list(snapshots), [file_url(path) for path in paths])
        if self._seen % self._apart == 0:
            self._frames.append(self._newest)
        if len(self._frames) == MAX_FRAMES:  # the newest comes on top, see `_kept`
            self._frames, self._apart = self._frames[::2], 2 * self._apart
        self._seen += 1
        return self._newest[1]

    def shown(self, note: str) -> str:
        """The stage's value at the end: all frames in order, the newest snapshot last, and the downloads so far."""
        moments = [moment for _, moment in self._kept()]
        return stage_value(self.id, list(self.snapshots), moments[-1], moments, self._files, note)

    def offer_png(self, position: int, record: Mapping[str, Any]) -> None:
        """Offer the last picture of a channel, by its position, as a PNG with its record."""
        snapshot, (_, moment) = self.snapshots[position], self._newest
        url = file_url(picture_file(snapshot.picture, file_name(snapshot), record=record))
        moment["urls"][position] = url
        moment["activations"][position] = record[
            "saved_activation"
        ]  # of the picture as it is, not before its last step
        self._files.append({"picture": url})

    def offer_gif(self, position: int) -> None:
        """Offer the animation of a channel; a frame whose file has been deleted meanwhile is left out."""
        *before, _ = self._kept()
        files = [Path(paths[position]) for paths, _ in before]
        pictures = [_opened(file) for file in files if file.exists()]
        snapshot = self.snapshots[position]
        gif = animation([*pictures, snapshot.picture])
        self._files[position]["growing"] = file_url(bytes_file(gif, f"{file_name(snapshot)}.gif"))

    def clear(self) -> None:
        """Let go of everything: nobody will ask for it any more. A copy that is being worked on keeps its own."""
        self.snapshots, self._frames, self._newest, self._files = (), [], ([], {}), []

    def _kept(self) -> list[tuple[list[str], dict[str, Any]]]:
        ends_with_newest = self._frames and self._frames[-1] is self._newest
        return self._frames if ends_with_newest else [*self._frames, self._newest]


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


def file_name(snapshot: Snapshot) -> str:
    """What the files of a snapshot's ascent are called, without a suffix."""
    return f"{snapshot.layer}-{snapshot.channel}-{snapshot.settings.recipe}-seed{snapshot.settings.seed}"


# Gradio 6.31 keeps a gr.State for an hour after its tab has been closed, and cannot be told otherwise.
_held: WeakValueDictionary[str, VisitorAscent] = WeakValueDictionary()


def hold(request: gr.Request | None) -> VisitorAscent:
    """A new ascent of the visitor who asks, to be let go of when their tab is closed."""
    ascent = VisitorAscent()
    if request and request.session_hash:
        _held[request.session_hash] = ascent
    return ascent


def let_go(request: gr.Request) -> None:
    """Let go of the ascent of a visitor who has closed the tab; for Gradio's event `unload`."""
    ascent = _held.pop(request.session_hash or "", None)
    if ascent:
        ascent.clear()
