"""Factorisation: compared with scikit-learn's, and with factors that were made up and mixed together."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import NMF
from torch.nn.functional import normalize

from cnnvis.analysis.factors import amounts, best_matches, consensus, factorised, weights_of
from cnnvis.analysis.places import check_places, places_of
from cnnvis.network.vgg import VGG16

PHOTOS = sorted(EXAMPLES.glob("*.jpg"))


def matched(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlations of maps (count, cells) with those of the second that match best, one each."""
    correlations = np.corrcoef(first, second)[: len(first), len(first) :]
    return np.asarray(correlations[linear_sum_assignment(-correlations)])


def scaled(net: VGG16, path: Any) -> NDArray[np.float64]:
    """The maps of conv5_1 over their spread, (cells, channels)."""
    places = places_of(net, path, check_places(net, "conv5_1"))
    maps = places.values.double().numpy() / places.spread[0].double().numpy()[:, None, None]
    return np.ascontiguousarray(maps.reshape(len(maps), -1).T)


def made_up(seed: int = 1, cells: int = 400) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where five factors are, (5, cells), and their weights, (5, 40): few of either are above zero."""
    numbers = np.random.default_rng(seed)
    where = numbers.random((5, cells)) * (numbers.random((5, cells)) < 0.3)
    weights = np.random.default_rng(0).random((5, 40)) * (np.random.default_rng(2).random((5, 40)) < 0.3)
    return where, weights


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_five_photos_have_the_groups_that_scikit_learn_finds(vgg16: VGG16, path: Any) -> None:
    maps = scaled(vgg16, path)
    where, weights, left = factorised(maps, 6)
    theirs = NMF(6, init="nndsvd", tol=1e-6, max_iter=2000)
    placed = theirs.fit_transform(maps)
    assert left == pytest.approx(((maps - where.T @ weights) ** 2).sum(), rel=1e-9)
    assert left <= 1.002 * theirs.reconstruction_err_**2
    assert matched(where, placed.T).min() >= 0.95
    assert where.min() >= 0 and weights.min() >= 0


def test_groups_that_were_mixed_together_are_found_again() -> None:
    numbers = np.random.default_rng(1)
    where = numbers.random((3, 100)) * (numbers.random((3, 100)) < 0.3)
    weights = numbers.random((3, 40)) * (numbers.random((3, 40)) < 0.3)
    found, theirs, left = factorised(where.T @ weights, 3)
    assert left < 1e-3 * ((where.T @ weights) ** 2).sum()
    assert matched(found, where).min() > 0.999 and matched(theirs, weights).min() > 0.999


@pytest.mark.parametrize("maps", [np.zeros((9, 5)), np.eye(9, 5), np.ones((9, 5))])
def test_maps_with_fewer_groups_than_asked_for_are_no_trouble(maps: NDArray[np.float64]) -> None:
    where, weights, left = factorised(maps, 6)
    assert where.shape == (6, 9) and weights.shape == (6, 5)
    assert np.isfinite(where).all() and np.isfinite(weights).all() and left < 1e-3


def test_many_photos_together_are_factorised_as_well_as_by_scikit_learn(vgg16: VGG16) -> None:
    maps = np.concatenate([scaled(vgg16, path) for path in PHOTOS])
    left = factorised(maps, 16)[2]
    theirs = NMF(16, init="nndsvd", tol=1e-6, max_iter=2000)
    theirs.fit(maps)
    assert left <= 1.002 * theirs.reconstruction_err_**2
    weights = weights_of(torch.from_numpy(maps).float(), 16, seed=0)
    where = amounts(torch.from_numpy(maps).float(), weights, rounds=200)
    by_chance = ((maps - (where.T @ weights).double().numpy()) ** 2).sum()
    assert by_chance <= 1.03 * theirs.reconstruction_err_**2  # one of many runs, and in fewer rounds


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_any_start_finds_what_was_mixed_together(seed: int) -> None:
    where, weights = made_up()
    maps = torch.from_numpy(where.T @ weights).float()
    found = weights_of(maps, 5, seed)
    assert found.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5) and found.min() >= 0
    assert best_matches(torch.from_numpy(weights).float(), found)[0].min() > 0.99
    again = weights_of(maps, 5, seed)
    assert torch.equal(found, again)


def test_amounts_are_those_of_an_exact_solver() -> None:
    from scipy.optimize import nnls

    where, weights = made_up(cells=20)
    noisy = where.T @ weights + 0.1 * np.random.default_rng(3).random((20, 40))
    exact = np.stack([nnls(weights.T, cell)[0] for cell in noisy])
    found = amounts(torch.from_numpy(noisy), torch.from_numpy(weights), rounds=200)
    assert np.allclose(found.T.numpy(), exact, atol=1e-4)


def test_the_consensus_keeps_what_the_runs_have_in_common_and_leaves_out_the_rest() -> None:
    draw = torch.Generator().manual_seed(0)
    common = normalize(torch.eye(4, 30) + 0.02)
    own = torch.rand(9, 2, 30, generator=draw) ** 8  # two in each run that no other has
    runs = normalize(torch.cat([common + 0.03 * torch.rand(9, 4, 30, generator=draw), own], 1), dim=2)
    runs = torch.stack([run[torch.randperm(6, generator=draw)] for run in runs])
    found = consensus(runs, 10)
    assert best_matches(common, found)[0].min() > 0.99
    assert 4 <= len(found) < 10 and found.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert sorted(best_matches(common, found)[1].tolist()) == [0, 1, 2, 3]
    assert torch.equal(found, consensus(runs, 10))


def test_nothing_in_common_is_an_empty_consensus_and_matches_nothing() -> None:
    nothing = consensus(torch.eye(12).reshape(12, 1, 12), 12)
    assert nothing.shape == (0, 12)
    assert best_matches(torch.eye(12), nothing)[0].tolist() == [0] * 12
