"""The quiz: which of two patches of photos excites a channel, judged by its picture or by photos that excite it.

Borowski et al., "Exemplary Natural Images Explain CNN Activations Better than State-of-the-Art Feature Visualization",
ICLR 2021, asked people this about Inception V1. Their references were one picture or photo, or nine of either; ours are
the atlas's picture, of which one patch's size is shown, or nine photos.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from cnnvis.checks import whole_between
from cnnvis.errors import SettingError, ShelfError
from cnnvis.network.architecture import Layer, Target, Targeted
from cnnvis.network.weights import load_vgg16
from cnnvis.prepared.atlas import atlas_sheet
from cnnvis.prepared.shelf import CREDITS, Exemplar, Shelf, atlas_scale_tile, load_shelf

REFERENCES = ("picture", "photos", "both")
REFERENCE_PHOTOS = 9  # exemplars that are references; the weaker ones are asked about
MOST_QUESTIONS = 50
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, repr=False)
class Question(Targeted):
    """Which of two patches excites a channel more; all pictures have the atlas's scale and are drawn when asked for."""

    question: int  # from 1
    target: Target
    reference: Literal["picture", "photos"]  # what is shown of the channel
    left: Exemplar
    right: Exemplar
    answer: Literal["left", "right"]
    shelf: Shelf = field(compare=False)

    @cached_property
    def pictures(self) -> list[Image.Image]:
        """What is shown of the channel: the atlas's picture, or the nine exemplars. Raises AtlasError."""
        if self.reference == "picture":
            return [atlas_sheet(self.layer).tile(self.target.number)]
        return [self._tile(one) for one in self.shelf.exemplars(self.target, REFERENCE_PHOTOS)]

    @cached_property
    def sides(self) -> list[Image.Image]:
        """The two patches, left and right."""
        return [self._tile(self.left), self._tile(self.right)]

    @property
    def excited(self) -> Exemplar:
        """The patch that excites the channel: the answer."""
        return self.left if self.answer == "left" else self.right

    def solution(self) -> dict[str, Any]:
        """The answer, with both values and credits, as plain values."""
        names = ("value", "photo", *CREDITS)
        left, right = ({name: getattr(side, name) for name in names} for side in (self.left, self.right))
        return {"question": self.question, "answer": self.answer, "left": left, "right": right}

    def _tile(self, one: Exemplar) -> Image.Image:
        return atlas_scale_tile(self.shelf, one, self.target.layer)


def quiz(
    seed: int = 0,
    layer: str = "conv5_1",
    questions: int = 10,
    reference: str = "picture",
    shelf: str | Path | None = None,
) -> list[Question]:
    """Ask about channels of a convolution, each once, which of two patches of photos excites it more.

    One patch is of a photo among those that excite the channel most, but not of the first nine, which are references;
    the other is of one among those that excite it least. `reference` is what is shown of a channel: its `picture` from
    the atlas, nine `photos`, or `both`: half of the questions with the picture, half with the photos. The same seed
    gives the same questions, whatever the reference. `shelf` is a folder, see `load_shelf`.
    Raises LayerError, SettingError, ShelfError.
    """
    return ask(load_shelf(shelf), *check_quiz(seed, layer, questions, reference))


def check_quiz(seed: object, layer: str, questions: object, reference: object) -> tuple[int, Layer, int, str]:
    """Check the arguments of a quiz, in the order in which `ask` takes them. Raises LayerError, SettingError."""
    found = load_vgg16().architecture.find(layer, "conv")
    count, number = whole_between("questions", questions, 1, MOST_QUESTIONS), whole_between("seed", seed, 0, 2**31 - 1)
    return number, found, count, str(SettingError.check("reference", reference, REFERENCES))


def ask(shelf: Shelf, seed: int, layer: Layer, questions: int, reference: str) -> list[Question]:
    """`quiz` for arguments already checked. Raises ShelfError, SettingError."""
    chance, targets = random.Random(seed), _askable(shelf, layer)
    whole_between("questions", questions, 1, len(targets))
    kinds = [REFERENCES[i % 2] if reference == "both" else reference for i in range(questions)]
    asked = []
    for number, target in enumerate(chance.sample(targets, questions), 1):
        high = chance.choice(shelf.exemplars(target, shelf.ranks)[REFERENCE_PHOTOS:])
        low = chance.choice(_lows(shelf, target))
        pair = (high, low) if chance.random() < 0.5 else (low, high)
        asked.append((number, target, pair, SIDES[pair.index(high)]))
    chance.shuffle(kinds)  # last, so that the questions are the same for every reference
    return [
        Question(number, target, kind, *pair, answer, shelf)  # type: ignore[arg-type]
        for (number, target, pair, answer), kind in zip(asked, kinds, strict=True)
    ]


def _askable(shelf: Shelf, layer: Layer) -> list[Target]:
    """The channels that enough photos excite, and of which others are known."""
    if shelf.ranks <= REFERENCE_PHOTOS:
        raise ShelfError(
            f"shelf {shelf.name!r} keeps {shelf.ranks} photos a channel: a quiz needs more than {REFERENCE_PHOTOS}."
        )
    index = shelf.layer(layer)
    excited = index["value"][:, -1] > 0
    others = (index["low"][:, :, None] != index["photo"][:, None]).all(2).any(1)
    return [Target(layer, {channel: 1.0}) for channel in (excited & others).nonzero()[0].tolist()]


def _lows(shelf: Shelf, target: Target) -> Sequence[Exemplar]:
    """The patches that excite the channel least, of photos that are not among its best."""
    best = {one.photo for one in shelf.exemplars(target, shelf.ranks)}
    return [one for one in shelf.lows(target) if one.photo not in best]
