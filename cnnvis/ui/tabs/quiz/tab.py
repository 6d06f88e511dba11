"""The Quiz tab: predict which of two patches of photos excites a channel more, or has more of a concept, then see."""

import json
from typing import Any

import gradio as gr

from cnnvis.checks import whole_between
from cnnvis.errors import SettingError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.prepared.quiz import ABOUT, REFERENCES, check_quiz
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.handlers import LIGHT, PAGE, readable_errors
from cnnvis.ui.tabs.quiz.game import first_value, game, refused_value, verdict_value
from cnnvis.ui.texts import ABOUT_QUIZ

SHOWN_AS = [("A grown picture", "picture"), ("Nine photos", "photos"), ("Alternate", "both")]
SUBJECTS = [("Filters", "channels"), ("Concepts", "concepts")]
COUNTS = ("5", "10", "20")


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    gr.Markdown(ABOUT_QUIZ, elem_classes="quiet")
    play = game("quiz")
    with gr.Row():
        about = gr.Radio(SUBJECTS, value=ABOUT[0], label="Questions about", elem_id="quiz-about", scale=2)
        label, seeded = "What you see of it", "Seed: same seed, same questions"
        reference = gr.Radio(SHOWN_AS, value=REFERENCES[0], label=label, elem_id="quiz-reference", scale=3)
        questions = gr.Radio(list(COUNTS), value=COUNTS[1], label="How many", elem_id="quiz-questions", scale=2)
        seed = gr.Number(0, label=seeded, precision=0, minimum=0, elem_id="quiz-seed", scale=2)
    play.input(_answer, play, play, **PAGE, **LIGHT)
    controls = {"about": about, "reference": reference, "questions": questions, "quiz_seed": seed}
    triggers = [about.input, reference.input, questions.input, seed.submit, seed.blur]
    return Follower(_draw, [about, reference, questions, seed], [play], triggers, controls=controls, failed=_failed)


def _draw(choice: Choice, about: str, reference: str, questions: str, seed: float | None) -> tuple[str]:
    layer = ARCHITECTURE.convolution_of(choice.layer).name
    number, checked, count, kind, subjects = check_quiz(seed or 0, layer, questions, reference, about)
    return (first_value(checked, number, kind, cache.asked(number, checked, count, kind, subjects)),)


def _failed(reason: str) -> tuple[str]:
    return (refused_value(reason),)


@readable_errors
def _answer(value: Any) -> str:
    """What the browser sends contains everything about the quiz: the server keeps none of it."""
    try:
        given = dict(json.loads(value))
    except (TypeError, ValueError):
        raise SettingError("the answer cannot be read: reload the page.") from None
    names = ("seed", "layer", "questions", "reference", "about")
    asked = cache.asked(*check_quiz(*(given.get(name) for name in names)))  # type: ignore[arg-type]
    number = whole_between("question", given.get("question"), 1, len(asked))
    return verdict_value(str(given.get("key")), asked, number)
