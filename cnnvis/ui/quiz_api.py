"""The quiz for programs: its questions, whose pictures are files with names that say nothing, and its answers."""

from typing import Any

import gradio as gr
from gradio.route_utils import get_root_url
from PIL import Image

from cnnvis.prepared.quiz import SIDES, Question, check_quiz
from cnnvis.ui.serving import cache as cached
from cnnvis.ui.serving.files import file_url, picture_file
from cnnvis.ui.serving.handlers import readable_errors


@readable_errors
def quiz(seed: int, layer: str, questions: int, reference: str, request: gr.Request) -> list[dict[str, Any]]:
    """Questions about channels of a convolution: which of two patches of photos, left or right, activates it more.

    Shown of each channel: the grown picture, or nine photos that activate it most.
    """
    root = _root(request)
    return [_asked(one, root) for one in cached.asked(*check_quiz(seed, layer, questions, reference))]


@readable_errors
def quiz_answers(seed: int, layer: str, questions: int, reference: str) -> list[dict[str, Any]]:
    """The answers to the questions of /quiz with the same arguments: each value, and the photos' credits."""
    return [one.solution() for one in cached.asked(*check_quiz(seed, layer, questions, reference))]


def _asked(one: Question, root: str) -> dict[str, Any]:
    def address(picture: Image.Image) -> str:
        return f"{root}/{file_url(picture_file(picture, 'picture', 'jpeg'))}"

    shown = list(map(address, one.pictures))
    grown = one.reference == "picture"
    return {
        "question": one.question,
        "layer": one.layer,
        "channel": one.channel,
        "reference": {"picture": shown[0] if grown else None, "photos": [] if grown else shown},
        **dict(zip(SIDES, map(address, one.sides), strict=True)),
    }


def _root(request: gr.Request) -> str:
    """The page's own address as whoever asks sees it, also behind a proxy."""
    asked = request.request
    assert asked
    return get_root_url(asked, asked.url.path, asked.scope.get("root_path") or None)
