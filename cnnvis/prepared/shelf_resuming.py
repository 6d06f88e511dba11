"""Which of today's photos the chunks of an earlier, interrupted making have indexed already.

A photo counts as indexed if its path, size and time are as they were, or else if its content is: a folder may have been
moved, copied or touched. A chunk's tables hold only the ranked photos, so they say nothing without one of its photos.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any

from cnnvis.prepared.shelf_indexing import Indexed, about_chunk
from cnnvis.prepared.unfinished import is_whole


@dataclass(frozen=True)
class Placed:
    """A chunk, and which of the shelf's photos are in it."""

    path: Path
    numbers: list[int]  # on the shelf, of each photo of the chunk; -1 for a file that is to be tried again
    reasons: dict[int, str]  # why photos could not be read, by their numbers on the shelf


def placed(path: Path, numbers: list[int]) -> Placed:
    """A chunk that was indexed just now."""
    photos = zip(numbers, about_chunk(path)[2], strict=True)
    return Placed(path, numbers, {number: photo.reason for number, photo in photos if photo.reason})


class Today:
    """The photos as they are now. Their files are looked at only when an earlier chunk may have indexed them."""

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self.root, self.files = root, files
        self.free = set(range(len(files)))  # in no chunk yet
        self._states: dict[int, tuple[int, int]] = {}
        self._hashes: dict[int, str] = {}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {file: number for number, file in enumerate(self.files)}

    @cached_property
    def _by_size(self) -> dict[int, list[int]]:
        sizes = defaultdict(list)
        for number in range(len(self.files)):
            sizes[self._state(number)[0]].append(number)
        return sizes

    def unchanged(self, photo: Indexed) -> int | None:
        """The number of a photo whose file seems to be as it was."""
        number = self._numbers.get(photo.file)
        as_it_was = number is not None and self._state(number) == (photo.size, photo.mtime_ns)
        return number if as_it_was and number in self.free else None

    def same_content(self, photo: Indexed) -> int | None:
        """The number of a photo with the same content, wherever it is now."""
        numbers = (number for number in self._by_size.get(photo.size, []) if number in self.free)
        return next((number for number in numbers if self._sha256(number) == photo.sha256), None)

    def _state(self, number: int) -> tuple[int, int]:
        if number not in self._states:
            try:
                status = (self.root / self.files[number]).stat()
                self._states[number] = status.st_size, status.st_mtime_ns
            except OSError:
                self._states[number] = -1, -1
        return self._states[number]

    def _sha256(self, number: int) -> str:
        if number not in self._hashes:
            try:
                with (self.root / self.files[number]).open("rb") as file:
                    self._hashes[number] = file_digest(file, "sha256").hexdigest()
            except OSError:
                self._hashes[number] = ""
        return self._hashes[number]


def usable_chunks(paths: Sequence[Path], today: Today, parameters: dict[str, Any], with_maxima: bool) -> list[Placed]:
    """The chunks that still hold for today's photos; theirs are then no longer free.

    Those whose files are all unchanged come first, because they need no hashes.
    """
    abouts = {path: about_chunk(path) for path in paths if is_whole(path)}
    chunks = {path: photos for path, (made, has, photos) in abouts.items() if made == parameters and has >= with_maxima}
    usable = []
    for with_hashes in (False, True):
        for path, photos in list(chunks.items()):
            if fitting := _fitting(path, photos, today, with_hashes):
                usable.append(fitting)
                del chunks[path]
    return usable


def _fitting(path: Path, photos: Sequence[Indexed], today: Today, with_hashes: bool) -> Placed | None:
    """Find a chunk's photos among today's free ones; None if one is gone or changed, or if their order is another.

    In another order, photos with equal values would rank differently.
    """
    numbers: list[int] = []
    reasons: dict[int, str] = {}
    for photo in photos:
        number = today.unchanged(photo) if photo.sha256 else None  # what could not even be read is tried again
        if number is None and with_hashes and not photo.reason:
            number = today.same_content(photo)
        if number is None and not photo.reason:
            break
        if number is not None:
            today.free.discard(number)
            if photo.reason:
                reasons[number] = photo.reason
        numbers.append(-1 if number is None else number)
    taken = [number for number in numbers if number >= 0]
    readable = [number for number in taken if number not in reasons]
    if len(numbers) < len(photos) or readable != sorted(readable) or not taken:
        today.free.update(taken)
        return None
    return Placed(path, numbers, reasons)
