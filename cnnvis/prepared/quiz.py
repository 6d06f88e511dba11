"""The quiz: which of two patches excites a channel, judging by the channel's picture or by photos that excite it.

In deep layers it can be about concepts instead.

Borowski et al., "Exemplary Natural Images Explain CNN Activations Better than State-of-the-Art Feature Visualization",
ICLR 2021, asked people this about Inception V1. Their references were one or nine pictures, or one or nine photos. Ours
are the atlas's picture, cut to the size of a patch, or nine photos.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from cnnvis.checks import whole_between
from cnnvis.errors import SettingError, ShelfError
from cnnvis.network.architecture import Layer, Target, Targeted
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.atlas import atlas_sheet
from cnnvis.prepared.concepts import Concepts, concept_layer, read_concepts
from cnnvis.prepared.shelf import CREDITS, Exemplar, Shelf, atlas_scale_tile, load_shelf
from cnnvis.prepared.shelf_indexing import Array
from cnnvis.prepared.tiles import picture_px

REFERENCES = ("picture", "photos", "both")
ABOUT = ("channels", "concepts")
REFERENCE_PHOTOS = 9  # the strongest exemplars are references; the questions use weaker ones
MOST_QUESTIONS = 50
MIDDLE = 1 / 6  # of a patch's side: as far from the patch's middle as the place in question may be
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, repr=False)
class Question(Targeted):
    """Which of two patches excites a channel more, or has more of a concept.

    All pictures have the atlas's scale and are drawn on demand.
    """

    question: int  # from 1
    target: Target
    reference: Literal["picture", "photos"]  # what represents the channel
    left: Exemplar
    right: Exemplar
    answer: Literal["left", "right"]
    shelf: Shelf = field(compare=False)
    concept: int | None = None  # its number, if the question is about a concept
    concepts: Concepts | None = field(default=None, compare=False)  # all of the layer, if it is

    @property
    def pictures(self) -> list[Image.Image]:
        """What represents the channel: the atlas's picture, or nine exemplars. Raises AtlasError."""
        if self.reference == "photos":
            return [self._tile(exemplar) for exemplar in self._subject().exemplars[:REFERENCE_PHOTOS]]
        if self.concepts is not None and self.concept is not None:
            return [self.concepts.tile(self.concept)]
        return [atlas_sheet(self.layer).tile(self.target.number)]

    @property
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

    def _subject(self) -> "_Subject":
        number = self.target.number if self.concept is None else self.concept
        return _subject(self.shelf, self.target.layer, number, self.concepts)

    def _tile(self, exemplar: Exemplar) -> Image.Image:
        return atlas_scale_tile(self.shelf, exemplar, self.target.layer)


def quiz(
    seed: int = 0,
    layer: str = "conv5_1",
    questions: int = 10,
    reference: str = "picture",
    about: str = "channels",
    shelf: str | Path | None = None,
) -> list[Question]:
    """Ask which of two patches excites a channel more, once each for channels of a convolution, or for its concepts.

    One patch comes from a photo that excites the channel strongly, but not one of the nine that serve as references;
    the other comes from one of those that excite it least. The strong place lies in the middle third of its patch, the
    weak one as near the middle as the weakest photos allow. `reference` is what represents a channel: its `picture`
    from the atlas, nine `photos`, or `both`: the picture in half of the questions, the photos in the other half. The
    same seed gives the same questions, whatever the reference. `about="concepts"` asks about those of the layer's
    concepts that are not vague. `shelf` is a folder, see `load_shelf`; concepts belong to the shelf they were found in.
    Raises LayerError, SettingError, ShelfError, ConceptsError.
    """
    number, checked, count, kind, subjects = check_quiz(seed, layer, questions, reference, about)
    if subjects == "channels":
        return ask(load_shelf(shelf), number, checked, count, kind)
    if shelf is not None:
        raise SettingError("a quiz about concepts uses the shelf that they were found in: leave out shelf.")
    found = read_concepts(load_vgg16(), checked)
    return ask(found.shelf, number, checked, count, kind, found)


def check_quiz(
    seed: object, layer: str, questions: object, reference: object, about: object = ABOUT[0]
) -> tuple[int, Layer, int, str, str]:
    """Check the arguments of a quiz and return them in this order. Raises LayerError, SettingError."""
    subjects = str(SettingError.check("about", about, ABOUT))
    architecture = load_vgg16().architecture
    checked = concept_layer(architecture, layer) if subjects == "concepts" else architecture.find(layer, "conv")
    count, number = whole_between("questions", questions, 1, MOST_QUESTIONS), whole_between("seed", seed, 0, 2**31 - 1)
    return number, checked, count, str(SettingError.check("reference", reference, REFERENCES)), subjects


def ask(
    shelf: Shelf, seed: int, layer: Layer, questions: int, reference: str, concepts: Concepts | None = None
) -> list[Question]:
    """`quiz`, for arguments already checked; about `concepts`, if they are given. Raises ShelfError, SettingError."""
    chance, numbers = random.Random(seed), _askable(shelf, layer, concepts)
    whole_between("questions", questions, 1, len(numbers))
    kinds = [REFERENCES[i % 2] if reference == "both" else reference for i in range(questions)]
    asked = []
    for question, number in enumerate(chance.sample(numbers, questions), 1):
        subject = _subject(shelf, layer, number, concepts)
        high = chance.choice(_in_the_middle(layer, subject.exemplars[REFERENCE_PHOTOS:]))
        low = chance.choice(_in_the_middle(layer, subject.others()))
        pair = (high, low) if chance.random() < 0.5 else (low, high)
        asked.append((question, subject.target, pair, SIDES[pair.index(high)], number))
    chance.shuffle(kinds)  # last, so that every reference gets the same questions
    return [
        Question(question, target, kind, *pair, answer, shelf, number if concepts else None, concepts)  # type: ignore[arg-type]
        for (question, target, pair, answer, number), kind in zip(asked, kinds, strict=True)
    ]


@dataclass(frozen=True)
class _Subject:
    """A channel or concept that can be asked about."""

    target: Target
    exemplars: Sequence[Exemplar]
    lows: Sequence[Exemplar]

    def others(self) -> list[Exemplar]:
        """The patches that excite it least, from photos that are not among its best."""
        best = {exemplar.photo for exemplar in self.exemplars}
        return [exemplar for exemplar in self.lows if exemplar.photo not in best]


def _subject(shelf: Shelf, layer: Layer, number: int, concepts: Concepts | None) -> _Subject:
    if concepts is not None:
        concept = concepts.concepts[number]
        return _Subject(concepts.target(number, layer), concept.exemplars, concept.lows)
    target = Target(layer, {number: 1.0})
    return _Subject(target, shelf.exemplars(target, shelf.ranks), shelf.lows(target))


def _askable(shelf: Shelf, layer: Layer, concepts: Concepts | None) -> list[int]:
    """The channels that enough photos excite, one of them in the middle, and that have others to compare with.

    Of concepts, those of which the same holds and that are not vague.
    """
    index = concepts.index if concepts else shelf.layer(layer)
    ranks = index["value"].shape[1] if concepts else shelf.ranks
    if ranks <= REFERENCE_PHOTOS:
        needed = f"a quiz needs more than {REFERENCE_PHOTOS}"
        raise ShelfError(f"shelf {shelf.name!r} keeps {ranks} photos per channel: {needed}.")
    excited = index["value"][:, -1] > 0
    others = (index["low"][:, :, None] != index["photo"][:, None]).all(2).any(1)
    middle = (_off_middle(layer, index["cell"][:, REFERENCE_PHOTOS:]) <= MIDDLE).any(1)
    numbers: list[int] = (excited & others & middle).nonzero()[0].tolist()
    return [number for number in numbers if concepts is None or not concepts.concepts[number].vague]


def _off_middle(layer: Layer, cells: Array) -> Array:
    """How far cells (…, 2) lie from the middle of their patches, in sides of a patch.

    A patch is moved inside the photo, so a cell near the photo's edge lies near its patch's edge, where a visitor
    does not look for what the question is about.
    """
    side, (left, _, right, _) = picture_px(layer), layer.field(0, 0)
    places = (left + right) / 2 + layer.stride * cells.astype(float)
    off: Array = np.abs(places - places.clip(side / 2, PHOTO_SIDE - side / 2))
    return np.asarray(off.max(-1) / side)


def _in_the_middle(layer: Layer, exemplars: Sequence[Exemplar]) -> list[Exemplar]:
    """Those in the middle of their patches; if there are none, the nearest to it."""
    off = _off_middle(layer, np.array([(exemplar.row, exemplar.column) for exemplar in exemplars]))
    return [exemplar for exemplar, far in zip(exemplars, off, strict=True) if far <= max(MIDDLE, off.min())]
