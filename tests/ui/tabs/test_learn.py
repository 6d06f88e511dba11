"""The sections of Learn without a browser: what stands there for a kernel, or for steps, that cannot be shown."""

from pathlib import Path

import pytest

from cnnvis.analysis.own_kernel import PRESETS
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.learn import tab as learn
from cnnvis.ui.tabs.learn.kernel import kernel_answer

SOBEL = {"kernel": PRESETS["Sobel across"], "bias": "0"}


def test_a_kernel_is_answered_with_two_rows_and_a_filter_with_its_weights_too() -> None:
    shown = kernel_answer(SOBEL, DEFAULT_PHOTO.digest)
    assert "wrong" not in shown and "kernel" not in shown
    assert shown["html"].count("<h4>") == 2 and 'data-channel="17"' in shown["html"]
    assert "channel 17, cosine 0.92" in shown["said"]
    filled = kernel_answer({"channel": "5"}, DEFAULT_PHOTO.digest)
    assert [len(filled["kernel"]), len(filled["kernel"][0]), len(filled["kernel"][0][0])] == [3, 3, 3]
    assert "channel 5, cosine 1.00" in filled["said"]


def test_a_kernel_of_zeros_is_like_no_filter() -> None:
    shown = kernel_answer({"kernel": [[0, 0, 0]] * 3, "bias": 1}, DEFAULT_PHOTO.digest)
    assert shown["html"].count("<h4>") == 1 and "no filter is like it" in shown["html"]


@pytest.mark.parametrize(
    ("value", "digest", "sentence"),
    [
        (None, DEFAULT_PHOTO.digest, "The kernel is not 3 × 3"),
        ({"kernel": "x" * 1000, "bias": 0}, DEFAULT_PHOTO.digest, "The kernel is not 3 × 3"),
        ({**SOBEL, "bias": ""}, DEFAULT_PHOTO.digest, "The bias is empty"),
        ({"channel": "64"}, DEFAULT_PHOTO.digest, "Channel '64' does not exist in conv1_1"),
        (SOBEL, "", "Choose a photo in the tab Feature maps."),
        (SOBEL, "0" * 64, "The photo is no longer on the server"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_sentence(value: object, digest: str, sentence: str) -> None:
    shown = kernel_answer(value, digest)
    assert list(shown) == ["wrong"] and shown["wrong"].startswith(sentence)


def test_without_an_atlas_the_filter_most_like_it_stands_without_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    shown = kernel_answer(SOBEL, DEFAULT_PHOTO.digest)
    assert "grown for" not in shown["html"] and 'data-channel="17"' in shown["html"]


def test_steps_use_the_middle_of_the_map_for_a_place_that_it_does_not_have() -> None:
    bar = Choice(ARCHITECTURE.target("relu5_3", 9)).value()
    assert "At row 7, column 3:" in learn._steps(bar, DEFAULT_PHOTO.digest, 112, 3)
    assert "At row 7, column 7:" in learn._steps(bar, DEFAULT_PHOTO.digest, None, -1)


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_without_a_photo_there_are_no_steps_since_the_numbers_above_say_why(digest: str) -> None:
    assert learn._steps(Choice().value(), digest, 1, 1) == ""
