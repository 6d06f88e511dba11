"""The sections of Learn without a browser: what they show for a kernel or a photo that cannot be shown."""

from pathlib import Path

import pytest

from cnnvis.analysis.own_kernel import PRESETS
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.learn import tab as learn
from cnnvis.ui.tabs.learn.kernel import kernel_answer

SOBEL = {"kernel": PRESETS["Sobel across"], "bias": "0"}
CAT, GONE = DEFAULT_PHOTO.digest, "0" * 64


def test_a_kernel_is_answered_with_two_rows_and_a_filter_with_its_weights_too() -> None:
    shown = kernel_answer(SOBEL, CAT)
    assert "wrong" not in shown and "kernel" not in shown
    assert shown["html"].count("<h4>") == 2 and 'data-channel="17"' in shown["html"]
    assert "channel 17, cosine 0.92" in shown["said"]
    filled = kernel_answer({"channel": "5"}, CAT)
    assert [len(filled["kernel"]), len(filled["kernel"][0]), len(filled["kernel"][0][0])] == [3, 3, 3]
    assert "channel 5, cosine 1.00" in filled["said"]


def test_a_kernel_of_zeros_is_like_no_filter() -> None:
    shown = kernel_answer({"kernel": [[0, 0, 0]] * 3, "bias": 1}, CAT)
    assert shown["html"].count("<h4>") == 1 and "no filter resembles it" in shown["html"]


@pytest.mark.parametrize(
    ("value", "digest", "sentence"),
    [
        (None, CAT, "The kernel is not 3 × 3"),
        ({"kernel": "x" * 1000, "bias": 0}, CAT, "The kernel is not 3 × 3"),
        ({**SOBEL, "bias": ""}, CAT, "The bias is empty"),
        ({"channel": "64"}, CAT, "Channel '64' does not exist in conv1_1"),
        (SOBEL, "", "Choose a photo."),
        (SOBEL, GONE, "The photo is no longer on the server"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_sentence(value: object, digest: str, sentence: str) -> None:
    shown = kernel_answer(value, digest)
    assert list(shown) == ["wrong"] and shown["wrong"].startswith(sentence)


def test_without_an_atlas_the_most_similar_filter_has_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNVIS_ATLAS", str(tmp_path))
    shown = kernel_answer(SOBEL, CAT)
    assert "grown for" not in shown["html"] and 'data-channel="17"' in shown["html"]


def test_what_surrounds_a_cell_that_the_map_does_not_have_is_that_of_its_middle() -> None:
    choice = Choice(ARCHITECTURE.target("relu5_3", 9)).value()
    assert "At row 7, column 3:" in learn._around(choice, CAT, 112, 3)
    assert "At row 7, column 7:" in learn._around(choice, CAT, None, -1)


def test_without_a_photo_nothing_surrounds_a_cell_since_the_numbers_above_say_why() -> None:
    assert [learn._around(Choice().value(), digest, 1, 1) for digest in ("", GONE)] == ["", ""]
