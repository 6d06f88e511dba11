"""The questions of a quiz as HTML, with their answers: for a site, where no server keeps them."""

import html
from collections.abc import Callable, Sequence
from typing import Any

from cnnvis.errors import SettingError, ShelfError
from cnnvis.network.architecture import Layer
from cnnvis.prepared.quiz import REFERENCE_PHOTOS, SIDES, Question, ask
from cnnvis.prepared.shelf import Exemplar, load_shelf
from cnnvis.views.exemplars import credit
from cnnvis.views.figures import written
from cnnvis.views.html import Address, image_at
from cnnvis.views.known import Source

SEEDS, QUESTIONS = 8, 10  # quizzes of a layer, and questions of each
Patch = Callable[[Exemplar], Address]  # cuts a photo to what a tile shows


def quizzes(source: Source, layer: Layer, patch: Patch) -> list[list[dict[str, Any]]]:
    """A few quizzes about a layer, by seed; none if its photos do not suffice."""
    try:
        asked = [ask(load_shelf(), seed, layer, QUESTIONS, "both") for seed in range(SEEDS)]
    except (SettingError, ShelfError):
        return []
    return [[question_view(question, source, patch) for question in quiz] for quiz in asked]


def question_view(question: Question, source: Source, patch: Patch) -> dict[str, Any]:
    """What is asked, the two sides and, for afterwards, the answer and its reasons; `patch` cuts a photo."""
    layer, number = question.target.layer, question.target.number
    shown: Sequence[Address] = [source.large(source.sheet(layer), number)]
    if question.reference == "photos":
        shown = [url for _, url in source.exemplars(question.shelf, question.target, REFERENCE_PHOTOS)]
    channel = f"channel {number} of {layer.name}"
    words = f"These {len(shown)} photos activate {channel} most."
    if question.reference == "picture":
        words = f"This picture was grown to activate {channel}."
    pictures = "".join(image_at(url, "what the channel looks for") for url in shown)
    asks = f'<p>{words}</p><div class="quiz-shown" data-count="{len(shown)}">{pictures}</div>'
    sides = {side: image_at(patch(getattr(question, side)), f"the patch on the {side}") for side in SIDES}
    said = "".join(f"<p>{side}: {_verdict(getattr(question, side))}</p>" for side in SIDES)
    return {"asks": asks, "sides": sides, "answer": question.answer, "said": said, "channel": number}


def _verdict(side: Exemplar) -> str:
    return f"<b>{written(side.value)}</b> in <i>{html.escape(credit(vars(side)))}</i>"
