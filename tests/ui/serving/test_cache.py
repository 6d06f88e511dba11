"""Results that visitors share: they are computed once for each network, photo and layer, and never mixed up."""

from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from typing import Any

import pytest
import torch
from cachetools import LRUCache
from helpers.toys import toy

from cnnvis.analysis.filters import FilterSheet
from cnnvis.analysis.maps import Maps, MapSheet
from cnnvis.analysis.why import Trace
from cnnvis.network.architecture import ARCHITECTURE, Layer, Target, find_layer
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.atlas import AtlasSheet, AtlasTile
from cnnvis.prepared.quiz import Question
from cnnvis.prepared.shelf import Exemplar
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.photos import EXAMPLES
from cnnvis.ui.tabs.learn import tab as learn
from cnnvis.ui.tabs.maps import tab as maps

CAT, COFFEE = EXAMPLES["chelsea.jpg"], EXAMPLES["coffee.jpg"]


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    cache.computed_maps.cache_clear()  # and everything else: they share their room
    yield
    cache.computed_maps.cache_clear()


def test_every_network_gets_its_own_results() -> None:
    """This failed once: a second network in the same process got the results of the first."""
    computed = []
    for net in (toy(1), toy(2)):
        layer = net.architecture.find("conv2_1")
        computed.append(cache.feature_maps(net, CAT, layer, "network").values)
        sheet, _ = cache.filter_sheet(net, layer, "signed", 0)
        with torch.inference_mode():
            expected = cut(net, layer)(to_tensor(crop_like_training(open_photo(CAT.path))))[0]
        assert torch.equal(computed[-1], expected)
        assert sheet.norm == pytest.approx(net.get_submodule("conv2_1").weight.flatten(1).norm(dim=1).tolist())
    assert not torch.equal(*computed)
    assert cache.computed_maps.cache_info().misses == 2


def test_every_photo_gets_its_own_maps() -> None:
    net = toy()
    layer = net.architecture.find("conv1_1")
    cat, coffee = (cache.feature_maps(net, photo, layer, "network").values for photo in (CAT, COFFEE))
    assert not torch.equal(cat, coffee)


def test_stepping_through_channels_runs_the_network_only_once() -> None:
    def draw(layer: str, tab: Any, *values: Any) -> None:
        for channel in (0, 1, 2):
            tab._draw(Choice(ARCHITECTURE.target(layer, channel)), CAT.digest, *values)

    draw("conv3_2", maps, "network")
    draw("conv3_2", learn, 1, 1)
    assert cache.computed_maps.cache_info().misses == 1
    draw("relu3_2", maps, "network")
    assert cache.computed_maps.cache_info().misses == 1  # the maps after ReLU follow from those of the convolution


def test_the_cache_stays_within_its_memory_and_keeps_what_was_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_results", LRUCache(10_000, cache.size))
    ones = cache._kept(torch.ones)  # 4 bytes a value
    for count in (1000, 1001, 1000, 1002, 1000):
        ones(count)
        assert cache._results.currsize <= 10_000
    assert (ones.cache_info().hits, ones.cache_info().misses) == (2, 3)


def test_the_size_of_a_result_counts_its_tensors_pictures_and_bytes() -> None:
    net = toy()
    maps = cache.feature_maps(net, CAT, net.architecture.find("conv1_2"), "network")
    assert 0 <= cache.size(maps) - (maps.values.nbytes + maps.inputs.nbytes + 3 * 224 * 224) < 2000
    sheet, png = cache.filter_sheet(net, net.architecture.find("conv1_1"), "auto", 0)
    assert 0 <= cache.size((sheet, png)) - (sheet.picture.width * sheet.picture.height * 3 + len(png)) < 4000


def test_a_result_too_large_to_be_kept_is_still_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_results", LRUCache(1, cache.size))
    large = cache._kept(lambda: torch.ones(9))
    assert torch.equal(large(), torch.ones(9)) and torch.equal(large(), torch.ones(9))
    assert large.cache_info().misses == 2


def test_what_is_weighed_does_not_grow_when_it_is_used(vgg16: VGG16) -> None:
    questions = cache.asked(3, find_layer("conv5_1"), 5, "both", "channels")
    before = cache.size(questions)
    assert [len(question.pictures) + len(question.sides) for question in questions]
    assert cache.size(questions) == before
    assert all(vars(question).keys() == {field.name for field in fields(question)} for question in questions)


def test_no_weighed_type_computes_anything_lazily() -> None:
    weighed = (Question, Exemplar, AtlasSheet, AtlasTile, Maps, MapSheet, FilterSheet, Trace, Layer, Target)
    lazy = [
        (kind, name) for kind in weighed for name, value in vars(kind).items() if isinstance(value, cached_property)
    ]
    assert not lazy
