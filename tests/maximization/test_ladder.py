"""The ladder: five ascents from `erhan` to `fourier`, each with one more regulariser than the one before."""

from itertools import combinations, pairwise

import pytest
from PIL import Image

from cnnvis.errors import ChannelError, LayerError, SettingError
from cnnvis.maximization.ladder import ladder
from cnnvis.maximization.recipes import settle
from cnnvis.maximization.score import score
from cnnvis.network.architecture import find_layer
from cnnvis.network.vgg import VGG16


def test_the_ladder_leads_from_erhan_to_fourier(tiny: VGG16) -> None:
    asked = {"size": 64, "steps": 3, "seed": 4}
    rungs = list(ladder(tiny, "conv2_1", 1, **asked))
    names = ["erhan", "+ jitter", "+ Fourier", "+ decorrelated colour", "+ scale, rotation and blur"]
    assert [rung.name for rung in rungs] == names
    for rung, recipe in ((rungs[0], "erhan"), (rungs[-1], "fourier")):
        assert rung.snapshot.settings == settle(recipe, find_layer("conv2_1"), "cpu", **asked)


def test_every_rung_keeps_the_settings_that_lower_rungs_added(tiny: VGG16) -> None:
    settings = [vars(rung.snapshot.settings) for rung in ladder(tiny, "conv2_1", 1, size=64, steps=1)]
    changed = [{name for name in low if low[name] != high[name]} for low, high in pairwise(settings)]
    assert all(changed)
    assert all(not first & second for first, second in combinations(changed, 2))


def test_a_rung_carries_its_own_picture_and_score(tiny: VGG16) -> None:
    for rung in ladder(tiny, "relu3_1", 2, size=64, steps=2):
        assert rung.snapshot.last
        assert isinstance(rung.picture, Image.Image)
        assert rung.score == score(tiny, rung.picture, "relu3_1", 2)


def test_a_direction_has_a_ladder_too(tiny: VGG16) -> None:
    direction = {1: 1.0, 3: 0.25}
    *_, last = ladder(tiny, "conv3_1", direction, size=64, steps=2)
    assert last.snapshot.channel == direction and last.record()["channel"] == {"1": 1.0, "3": 0.25}
    assert last.score == score(tiny, last.picture, "conv3_1", direction)


def test_wrong_arguments_are_refused_before_the_first_rung(tiny: VGG16) -> None:
    for error, target, steps in ((LayerError, "conv9_1:0", 1), (ChannelError, "10:99", 1), (SettingError, "10:0", -1)):
        with pytest.raises(error):
            ladder(tiny, target, steps=steps)


@pytest.mark.slow
def test_the_last_rung_is_more_robust_than_the_first(vgg16: VGG16) -> None:
    first, *_, last = ladder(vgg16, "conv3_1", 60, size=128, steps=24)
    assert last.score.robust > 1.5 * first.score.robust
    assert last.score.saturation < first.score.saturation
