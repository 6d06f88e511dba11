"""How explanation is measured: which photos give references and patches, and what a row of results still lacks."""

from typing import Any

import pytest

from benchmarks.explains import REFERENCES, Case, blank, measure
from benchmarks.halves import Part, part
from benchmarks.judges import JUDGES
from benchmarks.report import advantage
from cnnvis.analysis.maps import compute_maps
from cnnvis.network.usual import SHELF
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import crop_like_training
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf import Shelf

NUMBERS = list(range(1, 25, 2))


@pytest.fixture(scope="module")
def some(vgg16: VGG16) -> Part:
    """Twelve photos of the shelf."""
    return part(vgg16, NUMBERS)


@pytest.mark.parametrize(("layer", "channel"), [("conv2_2", 42), ("conv4_1", 300)])
def test_patches_are_where_the_maps_of_those_photos_are_largest(
    vgg16: VGG16, some: Part, layer: str, channel: int
) -> None:
    about = vgg16.architecture.find(layer)
    photos = {number: open_photo(Shelf(SHELF).path(number)) for number in NUMBERS}
    maps = {n: compute_maps(vgg16, photo, [about], "network")[0].values[channel] for n, photo in photos.items()}
    ranked = sorted(NUMBERS, key=lambda number: -float(maps[number].max()))
    high, low = some.strongest(about, channel, 3), some.weakest(about, channel, 3)
    for number, patch in [*zip(ranked, high, strict=False), *zip(ranked[::-1], low, strict=False)]:
        field, cell = about.receptive_field, divmod(int(maps[number].argmax()), maps[number].shape[1])
        left, top = (min(max(edge, 0), 224 - field) for edge in about.field(*cell)[:2])
        expected = crop_like_training(photos[number]).crop((left, top, left + field, top + field))
        assert patch.tobytes() == expected.tobytes()


def lacking(*missing: str) -> dict[str, Any]:
    """A row of conv2_2 channel 42 in which some references are still missing."""
    row = blank("conv2_2", 42)
    for shares in row["explanation"].values():
        shares |= {name: 0.25 for name in REFERENCES if name not in missing}
    return row


def test_only_what_a_row_lacks_is_measured(vgg16: VGG16, some: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JUDGES, "alexnet", JUDGES["histograms"])  # type: ignore[index]  # needs no archive
    layer = vgg16.architecture.find("conv2_2")
    row, case = lacking("9 photos"), Case(vgg16, layer, 42, some, {})
    assert measure(row, case, some)
    assert not measure(row, case, some)
    # Its own best photos are among the queries here, so this reference is more like the high ones than the low ones.
    assert row["explanation"]["histograms"]["9 photos"] > 0.5
    assert row["explanation"]["histograms"]["1 photo"] == 0.25
    assert row["robust"] == {}


def test_rivals_that_are_not_installed_are_left_for_another_run(vgg16: VGG16, some: Part) -> None:
    case = Case(vgg16, vgg16.architecture.find("conv2_2"), 42, some, {})
    assert not measure(lacking("lucent", "dreamlens"), case, some)


def test_a_picture_is_grown_once_and_cut_to_the_scale_of_the_patches(vgg16: VGG16, some: Part) -> None:
    case = Case(vgg16, vgg16.architecture.find("conv1_2"), 3, some, {})
    assert case.picture("fourier") is case.picture("fourier")
    assert case.picture("fourier", other=1) is not case.picture("fourier")
    assert {crop.size for crop in case.crops("fourier")} == {(5, 5)}


def test_an_advantage_is_a_ratio_with_bounds() -> None:
    for ours, theirs, factor in ((20, 5, 4), (5, 20, 0.25), (9, -3, 100), (-1, 9, 0.01)):
        assert advantage(ours, theirs) == pytest.approx(factor)
