"""The measurement of explanation: which photos give references and patches, and what a row of results lacks."""

from typing import Any

import pytest
from PIL import ImageChops

from benchmarks.explains import MAKERS, REFERENCES, Case, advantage, blank, measure
from benchmarks.halves import Part, part
from benchmarks.judges import JUDGES
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
    shelf, about = Shelf(SHELF), vgg16.architecture.find(layer)
    maxima = {}
    for number in NUMBERS:
        values = compute_maps(vgg16, open_photo(shelf.path(number)), [about], "network")[0].values[channel]
        row, column = divmod(int(values.argmax()), values.shape[1])
        maxima[number] = float(values.max()), row, column
    ranked = sorted(NUMBERS, key=lambda number: -maxima[number][0])
    high, low = some.strongest(about, channel, 3), some.weakest(about, channel, 3)
    for number, patch in [*zip(ranked, high, strict=False), *zip(ranked[::-1], low, strict=False)]:
        _, row, column = maxima[number]
        edges = [min(max(edge, 0), 224 - about.receptive_field) for edge in about.field(row, column)[:2]]
        whole = crop_like_training(open_photo(shelf.path(number)))
        box = (*edges, edges[0] + about.receptive_field, edges[1] + about.receptive_field)
        assert ImageChops.difference(patch, whole.crop(box)).getbbox() is None


def test_only_what_a_row_lacks_is_measured(vgg16: VGG16, some: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JUDGES, "alexnet", JUDGES["histograms"])  # type: ignore[index]  # needs no archive
    layer = vgg16.architecture.find("conv2_2")
    row: dict[str, Any] = blank("conv2_2", 42)
    for answers in row["explanation"].values():
        answers |= {name: 0.25 for name in REFERENCES if name != "9 photos"}
    case = Case(vgg16, layer, 42, some, {})
    assert measure(row, case, some)
    assert not measure(row, case, some)
    # Its own best photos are among the queries here, so this reference is more like the high ones than like the low.
    assert row["explanation"]["histograms"]["9 photos"] > 0.5
    assert row["explanation"]["histograms"]["1 photo"] == 0.25
    assert row["robust"] == {}


def test_rivals_that_are_not_installed_are_left_for_another_run(vgg16: VGG16, some: Part) -> None:
    row: dict[str, Any] = blank("conv2_2", 42)
    for answers in row["explanation"].values():
        answers |= {name: 0.25 for name in REFERENCES if name not in ("lucent", "dreamlens")}
    assert not measure(row, Case(vgg16, vgg16.architecture.find("conv2_2"), 42, some, {}), some)


def test_a_picture_is_grown_once_and_cut_to_the_scale_of_the_patches(vgg16: VGG16, some: Part) -> None:
    case = Case(vgg16, vgg16.architecture.find("conv1_2"), 3, some, {})
    assert case.picture("fourier") is case.picture("fourier")
    assert case.picture("fourier", other=1) is not case.picture("fourier")
    assert {crop.size for crop in case.crops("fourier")} == {(5, 5)}


@pytest.mark.parametrize(
    ("mine", "theirs", "factor"), [(20.0, 5.0, 4.0), (5.0, 20.0, 0.25), (9.0, -3.0, 100.0), (-1.0, 9.0, 0.01)]
)
def test_an_advantage_is_a_ratio_with_bounds(mine: float, theirs: float, factor: float) -> None:
    assert advantage("lucent", {"fourier": mine, "lucent": theirs}) == pytest.approx(factor)


def test_every_maker_is_a_reference() -> None:
    assert set(MAKERS) <= set(REFERENCES)
