"""The game of the quiz: questions without their answers, and an answer once the visitor has given one."""

import html
import json
from typing import Any

import gradio as gr
from PIL import ImageDraw

from cnnvis.analysis.maps import draw_map
from cnnvis.network.architecture import Layer
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.quiz import SIDES, Question
from cnnvis.prepared.shelf import Exemplar, Shelf
from cnnvis.ui.parts.base import scripted
from cnnvis.ui.parts.exemplars import exemplar_photo
from cnnvis.ui.parts.subject import Subject, concept_of, filter_of
from cnnvis.ui.texts import QUIZ_STUDY
from cnnvis.views.exemplars import credit
from cnnvis.views.figures import written
from cnnvis.views.html import image_tag, picture_url

_TEMPLATE = '<div class="quiz"></div><p class="quiz-said visually-hidden" role="status" aria-live="polite"></p>'
# Borowski et al. 2021, Inception V1, in percent: after one grown picture, after nine photos.
PEOPLE = {"picture": ("one grown picture", "65 ± 5 %"), "photos": ("nine photos", "92 ± 2 %")}
VERDICT_MAP_PX = 140


def game(elem_id: str) -> gr.HTML:
    """An empty game; `first_value` and `verdict_value` make its value. It sends `input` when a side is picked."""
    props = {"people": PEOPLE, "study": QUIZ_STUDY}
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, padding=False, **props)


def first_value(layer: Layer, seed: int, reference: str, asked: list[Question]) -> str:
    """A new quiz: its first question, shown when the visitor starts."""
    found = asked[0].concepts
    about = {"layer": layer.name, "seed": seed, "reference": reference, "questions": len(asked)}
    about["about"] = "channels" if found is None else "concepts"
    of = f"{layer.channels} channels" if found is None else f"{len(found.concepts)} concepts"
    words = f"{len(asked)} questions about {len(asked)} of the {of} of {layer.name}."
    return json.dumps({**about, "key": json.dumps(about), "words": words, "first": _shown(asked[0])})


def verdict_value(key: str, asked: list[Question], number: int) -> str:
    """The answer to question `number`, and the next question. Raises PhotoError if a photo is missing."""
    question = asked[number - 1]
    following = _shown(asked[number]) if number < len(asked) else None
    verdict = {"key": key, "question": number, "answer": question.answer}
    return json.dumps({**verdict, "about": _about(question), "next": following})


def refused_value(reason: str) -> str:
    """Why there is no quiz."""
    return json.dumps({"refused": html.escape(reason)})


def _shown(question: Question) -> dict[str, Any]:
    """A question, without anything that gives away its answer."""
    left, right = map(picture_url, question.sides)
    pictures = [picture_url(picture) for picture in question.pictures]
    of, number = ("channel", question.channel) if question.concept is None else ("concept", question.concept)
    about = {"question": question.question, "of": of, "number": number, "reference": question.reference}
    return {**about, "pictures": pictures, "left": left, "right": right}


def _about(question: Question) -> str:
    """Both values and maps, and the first line of why the stronger one is so strong, as HTML."""
    subject = concept_of(question.concepts, question.concept) if question.concepts else filter_of(question.target)
    figures = "".join(_map(subject, question.shelf, getattr(question, side)) for side in SIDES)
    best = question.excited
    reasons = subject.sum_at(exemplar_photo(question.shelf, best), (best.row, best.column))
    go = f'data-layer="{question.layer}" {subject.attribute} data-go="atlas"'
    return f"""<div class="quiz-maps">{figures}</div>{reasons}
<p class="next"><button type="button" {go}>See all about {subject.short}</button></p>"""


def _map(subject: Subject, shelf: Shelf, side: Exemplar) -> str:
    """The uncut photo with the channel's or concept's map on it and the patch outlined, its value and its credit."""
    maps = subject.maps(exemplar_photo(shelf, side))
    overlay = draw_map(maps, subject.number, PHOTO_SIDE).overlay
    ImageDraw.Draw(overlay).rectangle((*side.box[:2], side.box[2] - 1, side.box[3] - 1), outline="white", width=2)
    by = credit(vars(side))
    image = image_tag(overlay, f"where the {subject.kind} responds: {by}", px=VERDICT_MAP_PX)
    return f"<figure>{image}<figcaption><b>{written(side.value)}</b> {html.escape(by)}</figcaption></figure>"
