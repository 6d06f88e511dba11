"""The quiz for programs, and the game's values: answers fit their questions, and no question gives its answer away."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

import cnnvis
from cnnvis.errors import CnnvisError
from cnnvis.network.architecture import find_layer
from cnnvis.prepared.shelf import load_shelf
from cnnvis.ui.tabs.quiz.game import first_value, verdict_value
from cnnvis.ui.tabs.quiz.tab import _answer

ASKED = {"seed": 7, "layer": "conv5_1", "questions": 4}


def opened(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url).raise_for_status().content))


def test_a_program_sees_the_questions_pictures(client: Client) -> None:
    questions = client.predict(**ASKED, reference="both", api_name="/quiz")
    for question, truth in zip(questions, cnnvis.quiz(**ASKED, reference="both"), strict=True):
        assert (question["question"], question["channel"]) == (truth.question, truth.channel)
        picture, photos = question["reference"]["picture"], question["reference"]["photos"]
        assert (bool(picture), len(photos)) == ((True, 0) if truth.reference == "picture" else (False, 9))
        for url, side in zip((question["left"], question["right"]), truth.sides, strict=True):
            difference = np.asarray(opened(url), float) - np.asarray(side, float)
            assert np.abs(difference).mean() < 5  # it is a JPEG


def test_a_quiz_about_concepts(client: Client) -> None:
    asked = client.predict(**ASKED, about="concepts", api_name="/quiz")
    truths = cnnvis.quiz(**ASKED, about="concepts")
    assert [(question["concept"], question["channel"]) for question in asked] == [(t.concept, None) for t in truths]
    answers = client.predict(**ASKED, about="concepts", api_name="/quiz_answers")
    assert [answer["answer"] for answer in answers] == [truth.answer for truth in truths]
    verdict = json.loads(verdict_value("key", truths, 4))
    assert f"Concept {truths[3].concept} is {truths[3].excited.value:.1f} here" in verdict["about"]


def test_answers_are_those_of_the_questions(client: Client) -> None:
    answers = client.predict(**ASKED, api_name="/quiz_answers")
    assert answers == json.loads(json.dumps([question.solution() for question in cnnvis.quiz(**ASKED)]))


def test_questions_do_not_give_their_answers_away(client: Client) -> None:
    questions = cnnvis.quiz(**ASKED)
    for sent in (
        client.predict(**ASKED, reference="photos", api_name="/quiz"),
        json.loads(first_value(find_layer("conv5_1"), 7, "photos", questions)),
        json.loads(verdict_value("", questions, 1))["next"],  # comes with the verdict on the question before
    ):
        text = json.dumps(sent).casefold()
        assert "answer" not in text and "value" not in text
        for side in (side for question in questions for side in (question.left, question.right)):
            assert side.title.casefold() not in text and side.file.rpartition(".")[0].casefold() not in text
    asked = client.predict(**ASKED, api_name="/quiz")
    assert len({url.rpartition("/")[2] for question in asked for url in (question["left"], question["right"])}) == 1


def test_a_verdict_has_both_values_and_credits_and_a_reason() -> None:
    questions = cnnvis.quiz(**ASKED)
    verdict = json.loads(verdict_value("key", questions, 4))
    assert (verdict["key"], verdict["question"], verdict["next"]) == ("key", 4, None)
    assert verdict["answer"] == questions[3].answer
    for side in (questions[3].left, questions[3].right):
        assert load_shelf().photos[side.photo]["title"] in verdict["about"].replace("&#x27;", "'")
    assert f"channel {questions[3].channel} is <b>{questions[3].excited.value:.3g}</b> here" in verdict["about"]


@pytest.mark.parametrize("wrong", [None, "", "[]", '{"seed": 1}', "{}"])
def test_what_no_quiz_sent_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(CnnvisError, match=r"read|does not exist|out of range|is unknown"):
        _answer.__wrapped__(wrong)
