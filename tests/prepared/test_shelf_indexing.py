"""Tables of exemplars: checked against sorting by hand, and the same for every split of the photos."""

import random

import numpy as np
import pytest

from cnnvis.prepared.shelf_indexing import MOMENTS, Array, LayerIndex

CHANNELS, PHOTOS, RANKS = 5, 40, 6


@pytest.fixture
def answers() -> tuple[Array, Array, Array]:
    """Cells, maxima with many equal values, and moments of made-up maps."""
    numbers = np.random.default_rng(0)
    maxima = numbers.integers(-4, 5, (PHOTOS, CHANNELS)).astype(np.float32) / 2
    cells = numbers.integers(0, 14, (PHOTOS, CHANNELS, 2))
    return cells, maxima, numbers.random((PHOTOS, CHANNELS, MOMENTS))


def index_of(answers: tuple[Array, Array, Array], photos: list[int]) -> LayerIndex:
    return LayerIndex.of(np.array(photos, np.int64), *(part[photos] for part in answers), RANKS)


def test_ranks_are_those_of_sorting_by_hand(answers: tuple[Array, Array, Array]) -> None:
    cells, maxima, _ = answers
    index = index_of(answers, list(range(PHOTOS)))
    for channel in range(CHANNELS):
        strongest = sorted(range(PHOTOS), key=lambda photo: (-maxima[photo, channel], photo))[:RANKS]
        weakest = sorted(range(PHOTOS), key=lambda photo: (maxima[photo, channel], photo))[:RANKS]
        for table, photos in ((index.high, strongest), (index.low, weakest)):
            assert table.photo[channel].tolist() == photos
            assert table.value[channel].tolist() == maxima[photos, channel].tolist()
            assert table.cell[channel].tolist() == cells[photos, channel].tolist()


@pytest.mark.parametrize("seed", range(8))
def test_any_split_merges_to_the_same(answers: tuple[Array, Array, Array], seed: int) -> None:
    unsplit = index_of(answers, list(range(PHOTOS)))
    choose = random.Random(seed)
    edges = sorted(choose.sample(range(1, PHOTOS), choose.randint(1, 12)))
    parts = [index_of(answers, list(range(*span))) for span in zip([0, *edges], [*edges, PHOTOS], strict=True)]
    choose.shuffle(parts)
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merged(part, RANKS)
    for table, expected in ((merged.high, unsplit.high), (merged.low, unsplit.low)):
        assert all(np.array_equal(*pair) for pair in zip(vars(table).values(), vars(expected).values(), strict=True))
    for sums, expected in zip(vars(merged.sums).values(), vars(unsplit.sums).values(), strict=True):
        assert np.allclose(sums, expected, rtol=1e-12)


def test_fewer_photos_than_ranks_are_all_ranked(answers: tuple[Array, Array, Array]) -> None:
    few = index_of(answers, [3, 7])
    assert few.high.photo.shape == (CHANNELS, 2)
    assert few.merged(index_of(answers, []), RANKS).high.photo.shape == (CHANNELS, 2)
    assert few.merged(index_of(answers, list(range(8, 20))), RANKS).high.photo.shape == (CHANNELS, RANKS)
