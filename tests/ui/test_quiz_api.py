"""The quiz for programs, and the game's values: questions and answers fit, and no question tells its answer."""

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
    expected = cnnvis.quiz(7, "conv5_1", 4, "both")
    assert [(one["question"], one["channel"]) for one in questions] == [(one.question, one.channel) for one in expected]
    for one, truth in zip(questions, expected, strict=True):
        shown = one["reference"]
        assert (bool(shown["picture"]), len(shown["photos"])) == (
            (True, 0) if truth.reference == "picture" else (False, 9)
        )
        for url, picture in zip((one["left"], one["right"]), truth.sides, strict=True):
            difference = np.asarray(opened(url), float) - np.asarray(picture, float)
            assert np.abs(difference).mean() < 5  # it is a JPEG


def test_answers_are_those_of_the_questions(client: Client) -> None:
    answers = client.predict(**ASKED, api_name="/quiz_answers")
    assert answers == json.loads(json.dumps([one.solution() for one in cnnvis.quiz(**ASKED)]))


def everything(told: Any) -> str:
    return json.dumps(told).casefold()


def test_questions_say_nothing_about_their_answers(client: Client) -> None:
    questions = cnnvis.quiz(**ASKED)
    told = [
        everything(client.predict(**ASKED, reference="photos", api_name="/quiz")),
        everything(json.loads(first_value(find_layer("conv5_1"), 7, "photos", questions))),
        everything(json.loads(verdict_value("", questions, 1))["next"]),  # comes with the answer before
    ]
    for words in told:
        assert "answer" not in words and "value" not in words
        for one in questions:
            for side in (one.left, one.right):
                assert side.title.casefold() not in words and side.file.rpartition(".")[0].casefold() not in words
    sides = [
        url.rpartition("/")[2]
        for one in client.predict(**ASKED, api_name="/quiz")
        for url in (one["left"], one["right"])
    ]
    assert len(set(sides)) == 1


def test_a_verdict_has_both_values_and_credits_and_a_reason() -> None:
    questions = cnnvis.quiz(**ASKED)
    verdict = json.loads(verdict_value("key", questions, 4))
    assert (verdict["key"], verdict["question"], verdict["next"]) == ("key", 4, None)
    assert verdict["answer"] == questions[3].answer
    for side in (questions[3].left, questions[3].right):
        assert load_shelf().photos[side.photo]["title"] in verdict["about"].replace("&#x27;", "'")
    assert (
        f"conv5_1 channel {questions[3].channel} says <b>{questions[3].excited.value:.3g}</b> here" in verdict["about"]
    )


@pytest.mark.parametrize("wrong", [None, "", "[]", '{"seed": 1}', "{}"])
def test_what_no_quiz_sent_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(CnnvisError, match=r"read|does not exist|out of range"):
        _answer.__wrapped__(wrong)
