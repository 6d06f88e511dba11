"""The groups of a photo: compared with scikit-learn's factorisation, and with groups that were made up."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment

import cnnvis
from cnnvis.analysis.factors import factorised
from cnnvis.analysis.groups import find_groups, groups
from cnnvis.analysis.places import Places, check_places, places_of
from cnnvis.errors import LayerError, PhotoError, SettingError
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import crop_like_training
from cnnvis.pictures.photo import open_photo

PHOTOS = sorted(EXAMPLES.glob("*.jpg"))


def matrix(places: Places) -> NDArray[np.float64]:
    """The maps over their spread, (cells, channels)."""
    scaled = places.values.double().numpy() / places.spread[0].double().numpy()[:, None, None]
    return np.ascontiguousarray(scaled.reshape(len(scaled), -1).T)


def matched(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlations of maps (count, cells) with those of the second that match best, one each."""
    correlations = np.corrcoef(first, second)[: len(first), len(first) :]
    return np.asarray(correlations[linear_sum_assignment(-correlations)])


def test_a_photo_of_one_colour_has_groups_too(vgg16: VGG16) -> None:
    found = groups(vgg16, Image.new("RGB", (256, 256)), "conv1_1")
    assert len(found.groups) == 6 and 0 <= found.explained <= 1
    assert sum(group.share for group in found.groups) == pytest.approx(1)


def test_the_same_photo_has_the_same_groups_bit_for_bit(vgg16: VGG16, photo: Image.Image) -> None:
    first, second = (groups(vgg16, photo, "conv4_3") for _ in range(2))
    assert first.record() == second.record()
    assert first.picture.tobytes() == second.picture.tobytes()


def test_one_pixel_more_or_less_changes_the_groups_little(vgg16: VGG16) -> None:
    """By hand over 20 photos of the shelf: half of them have all their maps correlated above 0.9998."""
    medians = []
    for number, path in enumerate(PHOTOS):
        one = crop_like_training(open_photo(path)).resize((256, 256))
        other = one.copy()
        other.putpixel((60 + 30 * number, 90), tuple(255 - value for value in one.getpixel((60 + 30 * number, 90))))  # type: ignore[union-attr]
        first, second = (
            np.array([np.ravel(group.map) for group in groups(vgg16, changed, "conv5_1").groups])
            for changed in (one, other)
        )
        medians.append(np.median(matched(first, second)))
    assert np.median(medians) >= 0.99


def test_a_group_has_its_share_its_map_and_its_channels(vgg16: VGG16, photo: Image.Image) -> None:
    places = places_of(vgg16, photo, check_places(vgg16, "conv5_1"))
    found, maps = find_groups(places, 4), matrix(places)
    shares = [group.share for group in found.groups]
    assert len(shares) == 4 and shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1)
    where, weights, left = factorised(maps, 4)
    assert found.explained == pytest.approx(1 - left / (maps**2).sum())
    order = np.argsort([-(w[:, None] * h).sum() for w, h in zip(where, weights, strict=True)])
    for group, number in zip(found.groups, order, strict=True):
        largest = weights[number].max()
        assert np.allclose(group.map, (where[number] * largest).reshape(14, 14), rtol=1e-3, atol=1e-5)
        expected = np.argsort(-weights[number])[:6]
        assert [member.channel for member in group.channels] == expected.tolist()
        assert [m.weight for m in group.channels] == pytest.approx(
            (weights[number][expected] / largest).tolist(), rel=1e-3
        )
        assert 1 <= len(group.direction) <= 60 and max(group.direction.values()) == 1
        by_spread = weights[number] / places.spread[0].numpy()
        kept = list(group.direction)
        assert list(group.direction.values()) == pytest.approx(
            (by_spread[kept] / by_spread[kept].max()).tolist(), rel=1e-3
        )
        assert weights[number][kept].min() >= 0.999 * largest / 20


def test_a_tile_shows_the_photo_lit_where_the_group_is(vgg16: VGG16, photo: Image.Image) -> None:
    found = groups(vgg16, photo, "conv5_1", count=5)
    assert found.picture.size == (3 * 226, 2 * 226)
    seen = np.asarray(crop_like_training(photo), np.float32)
    for number, group in enumerate(found.groups):
        left, top = number % 3 * 226, number // 3 * 226
        lit = np.asarray(found.picture.crop((left, top, left + 224, top + 224)), np.float32)
        strength = torch.tensor(group.map)
        row, column = divmod(int(strength.argmax()), 14)
        middle = (16 * row + 8, 16 * column + 8)
        assert np.abs(lit[middle] - seen[middle]).max() < 0.06 * 255
        assert lit.mean() < seen.mean() and (lit <= seen + 1).all()


def test_a_record_is_plain_values(vgg16: VGG16, photo: Image.Image) -> None:
    found = groups(vgg16, photo, "block5_conv1", count=2)
    record = found.record()
    assert list(record) == ["layer", "rows", "columns", "explained", "groups", "cnnvis"]
    assert list(record["groups"][0]) == ["share", "map", "channels", "direction"]
    assert all(isinstance(channel, str) for channel in record["groups"][0]["direction"])


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"layer": "relu5_1"}, LayerError, "choose a convolution, for example 'conv5_1'"),
        ({"count": 1}, SettingError, "count 1 is out of range: choose a whole number from 2 to 8"),
        ({"count": 9}, SettingError, "count 9"),
        ({"count": "x"}, SettingError, "count 'x'"),
        ({}, PhotoError, "no picture was given"),
    ],
)
def test_what_cannot_be_grouped_is_refused(vgg16: VGG16, wrong: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        cnnvis.groups(vgg16, None, **{"layer": "conv5_1", **wrong})
