"""Which channels are alike, and where they lie: checked against numpy's correlations and layouts known beforehand."""

import numpy as np
import pytest

from cnnvis.analysis.likeness import arranged, correlations, most_alike


def test_correlations_equal_numpys() -> None:
    values = np.random.default_rng(0).normal(size=(50, 7))
    values[:, 3] = 2 * values[:, 1] + 5
    assert correlations(values) == pytest.approx(np.corrcoef(values.T), abs=1e-12)


def test_a_channel_that_never_changes_is_like_no_other() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4))
    values[:, 2] = 3
    likeness = correlations(values)
    assert np.isfinite(likeness).all()
    assert likeness[2].tolist() == likeness[:, 2].tolist() == [0, 0, 0, 0]


def test_the_most_alike_come_first_and_never_the_channel_itself() -> None:
    likeness = np.array([[1, 0.2, 0.9, 0.5], [0.2, 1, 0.1, -1], [0.9, 0.1, 1, 0.9], [0.5, -1, 0.9, 1]])
    assert most_alike(likeness, 2) == [[2, 3], [0, 2], [0, 3], [2, 0]]
    assert [len(others) for others in most_alike(likeness, 8)] == [3, 3, 3, 3]
    assert likeness[0, 0] == 1  # the argument is unchanged


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 2), (16, 4), (64, 8), (128, 16)])
def test_every_channel_has_one_cell(count: int, columns: int) -> None:
    likeness = correlations(np.random.default_rng(1).normal(size=(30, count)))
    assert sorted(arranged(likeness, columns)) == list(range(count))


def test_channels_that_are_alike_lie_together() -> None:
    """Four groups of sixteen: neighbours on the grid nearly always share a group, which is unlikely by chance."""
    draw = np.random.default_rng(2)
    common = draw.normal(size=(60, 4))
    groups = draw.permutation(np.repeat(np.arange(4), 16))
    values = common[:, groups] + 0.3 * draw.normal(size=(60, 64))
    grid = groups[arranged(correlations(values), 8)].reshape(8, 8)
    same = [*(grid[:, 1:] == grid[:, :-1]).flatten(), *(grid[1:] == grid[:-1]).flatten()]
    assert np.mean(same) > 0.7


def test_the_layout_is_the_same_every_time() -> None:
    likeness = correlations(np.random.default_rng(3).normal(size=(40, 32)))
    assert arranged(likeness, 8) == arranged(likeness, 8)
