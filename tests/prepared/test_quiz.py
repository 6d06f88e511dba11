"""The quiz: which questions it asks, that they are fair, and that the answers are the network's."""

import json
import shutil
from pathlib import Path

import pytest

import cnnvis
from cnnvis.analysis.patches import moved_inside
from cnnvis.errors import LayerError, SettingError, ShelfError
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.atlas import decoded
from cnnvis.prepared.quiz import MOST_QUESTIONS
from cnnvis.prepared.shelf import BUNDLED, atlas_scale_tile, load_shelf
from cnnvis.prepared.tiles import TILE_PX, picture_px


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_3", "conv5_1", "conv5_3"])
def test_each_question_is_fair(layer: str) -> None:
    shelf, questions = load_shelf(), cnnvis.quiz(3, layer, MOST_QUESTIONS, "photos")
    assert [question.question for question in questions] == list(range(1, MOST_QUESTIONS + 1))
    assert len({question.channel for question in questions}) == MOST_QUESTIONS
    for question in questions:
        sides = question.left, question.right
        excited, other = sides if question.answer == "left" else sides[::-1]
        best = [exemplar.photo for exemplar in shelf.exemplars(question.target, 16)]
        assert excited.photo in best[9:] and other.photo not in best
        assert question.excited is excited and excited.value > max(other.value, 0)
        assert len(question.pictures) == 9
    right = sum(question.answer == "right" for question in questions)
    assert 12 <= right <= 38  # of 50 tosses; outside this range less than once in 3,000


@pytest.mark.parametrize("layer", ["conv1_1", "conv4_3", "conv5_1", "conv5_3"])
def test_the_place_in_question_lies_in_the_middle_of_its_patch(layer: str) -> None:
    convolution, weak = cnnvis.find_layer(layer), []
    side = picture_px(convolution)
    for question in cnnvis.quiz(4, layer, MOST_QUESTIONS):
        for exemplar in (question.left, question.right):
            left, top, right, bottom = convolution.field(exemplar.row, exemplar.column)
            place = (left + right) / 2, (top + bottom) / 2
            around = (round(middle + edge) for edge in (-side / 2, side / 2) for middle in place)
            patch = moved_inside(tuple(around), PHOTO_SIDE)
            off = max(abs(at - (patch[i] + side / 2)) / side for i, at in enumerate(place))
            if exemplar is question.excited:
                assert off <= 1 / 6 + 1 / side  # half a pixel at either end
            else:
                weak.append(off)
    assert sum(off <= 1 / 6 + 1 / side for off in weak) >= 0.7 * len(weak)


def test_the_values_are_those_of_the_network(vgg16: VGG16) -> None:
    for question in cnnvis.quiz(1, "conv4_3", 4):
        for side in (question.left, question.right):
            photo = load_shelf().path(side.photo)
            maps = cnnvis.feature_maps(vgg16, photo, question.layer).values[question.target.number]
            assert float(maps.max()) == pytest.approx(side.value, rel=1e-4, abs=1e-4)
            assert float(maps[side.row, side.column]) == pytest.approx(side.value, rel=1e-4, abs=1e-4)


def test_the_same_seed_asks_the_same_whatever_the_reference() -> None:
    def asked(seed: int, reference: str) -> list[tuple[object, ...]]:
        questions = cnnvis.quiz(seed, "conv5_1", 10, reference)
        return [(question.channel, question.left, question.right, question.answer) for question in questions]

    assert asked(7, "picture") == asked(7, "photos") == asked(7, "both") == asked(7, "picture")
    assert asked(7, "picture") != asked(8, "picture")


def test_both_shows_each_in_half_of_the_questions() -> None:
    first, second = ([question.reference for question in cnnvis.quiz(seed, "conv5_1", 10, "both")] for seed in (7, 8))
    assert sorted(first) == ["photos"] * 5 + ["picture"] * 5
    assert first != second


def test_pictures_are_tiles_of_one_scale() -> None:
    (question,) = cnnvis.quiz(7, "conv5_1", 1, "picture")
    (grown,) = question.pictures
    assert grown.tobytes() == cnnvis.atlas_sheet("conv5_1").tile(question.target.number).tobytes()
    assert grown.size == (TILE_PX, TILE_PX)
    expected = atlas_scale_tile(load_shelf(), question.right, cnnvis.find_layer("conv5_1"))
    assert question.sides[1].tobytes() == expected.tobytes()


def test_a_solution_credits_both_photos() -> None:
    (question,) = cnnvis.quiz(7, "conv5_1", 1)
    solution = question.solution()
    assert solution["answer"] == question.answer and solution["question"] == 1
    for side in ("left", "right"):
        about = load_shelf().photos[solution[side]["photo"]]
        assert (solution[side]["title"], solution[side]["licence"]) == (about["title"], about["licence"])
    json.dumps(solution)


def test_wrong_arguments_are_refused_in_words() -> None:
    for wrong, words in (
        ({"questions": 51}, "1 to 50"), ({"reference": "sound"}, "picture, photos, both"), ({"seed": -1}, "seed"),
    ):  # fmt: skip
        with pytest.raises(SettingError, match=words):
            cnnvis.quiz(**wrong)
    with pytest.raises(LayerError, match="no filters"):
        cnnvis.quiz(layer="pool3")


def test_a_shelf_that_keeps_too_few_photos_is_refused(tmp_path: Path) -> None:
    few = shutil.copytree(BUNDLED, tmp_path / "few", ignore=shutil.ignore_patterns("*.webp", "maxima*"))
    about = json.loads((few / "shelf.json").read_text(encoding="utf-8"))
    (few / "shelf.json").write_text(json.dumps({**about, "k": 9}), encoding="utf-8")
    with pytest.raises(ShelfError, match="more than 9"):
        cnnvis.quiz(shelf=few)


def test_a_quiz_decodes_the_layers_sheet_once() -> None:
    decoded.cache_clear()
    for question in cnnvis.quiz(5, "conv4_2", 8):
        assert question.pictures[0].size == (TILE_PX, TILE_PX)
    assert decoded.cache_info()[:2] == (7, 1)


def test_questions_about_concepts_are_as_fair(vgg16: VGG16) -> None:
    found = cnnvis.concepts("conv5_1")
    questions = cnnvis.quiz(3, "conv5_1", 12, "both", about="concepts")
    assert len({question.concept for question in questions}) == 12
    for question in questions:
        assert question.concept is not None and not found[question.concept].vague
        assert str(question.target) == f"conv5_1 concept-{question.concept}"
        best = [exemplar.photo for exemplar in found[question.concept].exemplars]
        sides = question.left, question.right
        excited, other = sides if question.answer == "left" else sides[::-1]
        assert excited.photo in best[9:] and other.photo not in best and excited.value > other.value
        assert len(question.pictures) == (1 if question.reference == "picture" else 9)
    photo = found.shelf.path(excited.photo)
    values = found.values(vgg16, photo)[question.concept]
    assert float(values[excited.row, excited.column]) == pytest.approx(excited.value, rel=2e-3)
    asked = [cnnvis.quiz(3, "conv5_1", 5, reference, "concepts") for reference in ("picture", "photos")]
    assert [question.solution() for question in asked[0]] == [question.solution() for question in asked[1]]


def test_a_quiz_about_concepts_needs_some(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="conv3_1' has no concepts"):
        cnnvis.quiz(0, "conv3_1", about="concepts")
    with pytest.raises(SettingError, match="about 'layers' is unknown: choose one of channels, concepts"):
        cnnvis.quiz(0, "conv5_1", about="layers")
    with pytest.raises(SettingError, match="leave out shelf"):
        cnnvis.quiz(0, "conv5_1", about="concepts", shelf=tmp_path)
    with pytest.raises(SettingError, match="questions 50 is out of range"):
        cnnvis.quiz(0, "conv5_1", 50, about="concepts")
