"""Results that visitors share: they are computed once for each network, photo and layer, and never mixed up."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from cachetools import LRUCache
from helpers.toys import toy

from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import cut
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import open_photo
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
    one, two = toy(1), toy(2)
    for net in (one, two):
        layer = net.architecture.find("conv2_1")
        maps = cache.feature_maps(net, CAT, layer, "network")
        sheet, _ = cache.filter_sheet(net, layer, "signed", 0)
        with torch.inference_mode():
            expected = cut(net, layer)(to_tensor(crop_like_training(open_photo(CAT.path))))[0]
        assert torch.equal(maps.values, expected)
        assert sheet.norm == pytest.approx(net.get_submodule("conv2_1").weight.flatten(1).norm(dim=1).tolist())
    layer = one.architecture.find("conv2_1")
    first, second = (cache.feature_maps(net, CAT, layer, "network").values for net in (one, two))
    assert not torch.equal(first, second)
    assert cache.computed_maps.cache_info().misses == 2


def test_every_photo_gets_its_own_maps() -> None:
    net = toy()
    layer = net.architecture.find("conv1_1")
    cat, coffee = (cache.feature_maps(net, photo, layer, "network").values for photo in (CAT, COFFEE))
    assert not torch.equal(cat, coffee)


def test_stepping_through_channels_runs_the_network_only_once() -> None:
    def choice(channel: int, layer: str = "conv3_2") -> Choice:
        return Choice(ARCHITECTURE.target(layer, channel))

    def draw(tab: Any, *values: Any) -> None:
        for channel in (0, 1, 2):
            tab._draw(choice(channel), CAT.digest, *values)

    draw(maps, "network", "index", "map", "maps")
    draw(learn, 1, 1)
    assert cache.computed_maps.cache_info().misses == 1
    maps._draw(choice(0, "relu3_2"), CAT.digest, "network", "index", "map", "maps")
    assert cache.computed_maps.cache_info().misses == 1  # the maps after ReLU follow from those of the convolution


def test_what_is_kept_stays_within_its_memory_and_what_was_used_last_stays_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
