"""The quiz: which questions it asks, that they are fair, and that the answer is what the network says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import cnnvis
from cnnvis.errors import LayerError, SettingError, ShelfError
from cnnvis.network.architecture import find_layer
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.atlas import atlas_sheet
from cnnvis.prepared.quiz import MOST_QUESTIONS, Question
from cnnvis.prepared.shelf import BUNDLED, atlas_scale_tile, load_shelf
from cnnvis.prepared.tiles import TILE_PX

LAYERS = ("conv1_1", "conv3_3", "conv5_1", "conv5_3")


@pytest.fixture(params=LAYERS)
def many(request: pytest.FixtureRequest) -> list[Question]:
    return cnnvis.quiz(3, request.param, MOST_QUESTIONS, "photos")


def test_each_question_is_fair(many: list[Question]) -> None:
    shelf = load_shelf()
    assert [one.question for one in many] == list(range(1, MOST_QUESTIONS + 1))
    assert len({one.channel for one in many}) == MOST_QUESTIONS
    for one in many:
        excited, other = (one.left, one.right) if one.answer == "left" else (one.right, one.left)
        best = [known.photo for known in shelf.exemplars(one.target, 16)]
        assert excited.photo in best[9:] and other.photo not in best
        assert one.excited is excited and excited.value > max(other.value, 0)
        assert len(one.pictures) == 9
    right = sum(one.answer == "right" for one in many)
    assert 12 <= right <= 38  # of 50 tosses; outside it less than once in 3,000


def test_the_values_are_those_of_the_network(vgg16: VGG16) -> None:
    for one in cnnvis.quiz(1, "conv4_3", 4):
        for side in (one.left, one.right):
            photo = load_shelf().path(side.photo)
            maps = cnnvis.feature_maps(vgg16, photo, one.layer).values[one.target.number]
            assert float(maps.max()) == pytest.approx(side.value, rel=1e-4, abs=1e-4)
            assert float(maps[side.row, side.column]) == pytest.approx(side.value, rel=1e-4, abs=1e-4)


def test_the_same_seed_asks_the_same_whatever_the_reference() -> None:
    def asked(seed: int, reference: str) -> list[tuple[object, ...]]:
        return [(one.channel, one.left, one.right, one.answer) for one in cnnvis.quiz(seed, "conv5_1", 10, reference)]

    assert asked(7, "picture") == asked(7, "photos") == asked(7, "both") == asked(7, "picture")
    assert asked(7, "picture") != asked(8, "picture")


def test_both_shows_either_in_half_of_the_questions() -> None:
    kinds = [one.reference for one in cnnvis.quiz(7, "conv5_1", 10, "both")]
    assert sorted(kinds) == ["photos"] * 5 + ["picture"] * 5
    assert kinds != [one.reference for one in cnnvis.quiz(8, "conv5_1", 10, "both")]


def test_pictures_are_tiles_of_one_scale() -> None:
    one = cnnvis.quiz(7, "conv5_1", 1, "picture")[0]
    (grown,) = one.pictures
    assert np.array_equal(np.asarray(grown), np.asarray(atlas_sheet("conv5_1").tile(one.target.number)))
    assert grown.size == (TILE_PX, TILE_PX)
    expected = atlas_scale_tile(load_shelf(), one.right, find_layer("conv5_1"))
    assert np.array_equal(np.asarray(one.sides[1]), np.asarray(expected))


def test_a_solution_credits_both_photos() -> None:
    one = cnnvis.quiz(7, "conv5_1", 1)[0]
    solution = one.solution()
    assert solution["answer"] == one.answer and solution["question"] == 1
    for side in ("left", "right"):
        about = load_shelf().photos[solution[side]["photo"]]
        assert (solution[side]["title"], solution[side]["licence"]) == (about["title"], about["licence"])
    json.dumps(solution)


def test_odd_arguments_are_refused_in_words() -> None:
    with pytest.raises(SettingError, match="1 to 50"):
        cnnvis.quiz(questions=51)
    with pytest.raises(SettingError, match="picture, photos, both"):
        cnnvis.quiz(reference="sound")
    with pytest.raises(SettingError, match="seed"):
        cnnvis.quiz(seed=-1)
    with pytest.raises(LayerError, match="no filters"):
        cnnvis.quiz(layer="pool3")


def test_a_shelf_that_keeps_too_few_photos_says_so(tmp_path: Path) -> None:
    shutil.copytree(BUNDLED, tmp_path / "few", ignore=shutil.ignore_patterns("*.webp", "maxima*"))
    about = json.loads((tmp_path / "few/shelf.json").read_text())
    (tmp_path / "few/shelf.json").write_text(json.dumps({**about, "k": 9}))
    with pytest.raises(ShelfError, match="more than 9"):
        cnnvis.quiz(shelf=tmp_path / "few")
