"""Non-negative factorisation: maps as a few factors, each with a weight for every channel and an amount at every cell.

It is by coordinate descent, HALS (Cichocki & Phan, "Fast local algorithms for large scale nonnegative matrix and tensor
factorizations", 2009). `factorised` starts from NNDSVD (Boutsidis & Gallopoulos, "SVD based initialization", 2008),
which leaves nothing to chance. `weights_of` starts from chance; `consensus` then keeps what many such runs have in
common, after Kotliar et al., "Identifying gene expression programs of cell-type identity and cellular activity with
single-cell RNA-Seq", eLife 2019. They cluster by k-means, which needs the number of clusters; here it is what recurs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from cnnvis.network.precision import PLAIN

CHANGE = 1e-5  # a factorisation ends when a round lowers the squared residual by less than this share
MOST_ROUNDS = 500  # a photo takes 20 to 140
ITERATIONS, EXTRA_VECTORS = 8, 8  # then singular vectors of photos' maps agree with those of an SVD to four digits
RUN_CHANGE, RUN_ROUNDS = 3e-4, 60  # of one run among many, which need not be exact
START_CELLS = 8  # whose mean is a run's first guess at a factor
AMOUNT_ROUNDS = 12  # then the amounts of fixed factors change by less than 1 %
LIKE = 0.6  # the cosine from which weights of two runs are the same factor

Array = NDArray[np.float64]
Matrix = Any  # an Array or a Tensor: the descent is the same for both


def factorised(maps: Array, count: int) -> tuple[Array, Array, float]:
    """Factorise maps (cells, channels), none below zero, into `count` factors by HALS.

    Returns where each factor is, (count, cells), its weights, (count, channels), and the squared residual.
    """
    where, weights = _start(maps, count)
    left = _descend_both(maps, where, weights, (CHANGE, MOST_ROUNDS), _over_channels, _over_cells)
    return where, weights, left


def weights_of(maps: Tensor, count: int, seed: int) -> Tensor:
    """The weights, (count, channels), each of length 1, of `count` factors of maps (cells, channels), none below zero.

    It starts from means of a few cells, drawn by the `seed`. Meant for large maps: products run on all threads.
    """
    draw = torch.Generator("cpu").manual_seed(seed)
    drawn = torch.randint(len(maps), (count, START_CELLS), generator=draw, device="cpu")
    noise = torch.rand(count, maps.shape[1], generator=draw, **PLAIN)  # no weight begins at zero: it would stay there
    weights = maps[drawn].mean(1) + 0.01 * maps.mean() * noise
    where = amounts(maps, weights, 1)
    _descend_both(maps, where, weights, (RUN_CHANGE, RUN_ROUNDS), lambda m, w: w @ m.T, lambda m, w: w @ m)
    return normalize(weights)


def amounts(maps: Tensor, weights: Tensor, rounds: int = AMOUNT_ROUNDS) -> Tensor:
    """How much of the factors with `weights` (count, channels) is at each cell of maps (cells, channels).

    Returns (count, cells); exact after many rounds.
    """
    products, inner = weights @ maps.T, weights @ weights.T
    where = products / inner.sum(1).clamp_min(1e-12)[:, None]  # as if all were equally strong everywhere
    for _ in range(rounds):
        _descend(where, products, inner)
    return where


def consensus(runs: Tensor, count: int) -> Tensor:
    """What the weights of many runs, (runs, k, channels), each of length 1, have in common: at most (count, channels).

    The weights whose like most other runs have come first: all that are like them become one, their median, if they
    come from at least half of the runs.
    """
    pool = runs.flatten(0, 1)
    alike = pool @ pool.T
    run = torch.arange(len(pool), device="cpu") // runs.shape[1]
    common = alike.reshape(len(pool), *runs.shape[:2]).amax(2).mean(1)  # by the best match in every run
    free = torch.ones(len(pool), dtype=torch.bool, device="cpu")
    middles: list[Tensor] = []
    for number in common.argsort(descending=True, stable=True).tolist():
        members = free & (alike[number] >= LIKE)
        if free[number] and len(middles) < count:
            free &= ~members
            if 2 * len(set(run[members].tolist())) >= len(runs):
                middles.append(pool[members].median(0).values)
    return normalize(torch.stack(middles)) if middles else pool[:0]


def best_matches(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """For each of the first weights (n, channels) the largest cosine with one of the second, and which one that is."""
    if not len(second):
        return first.new_zeros(len(first)), torch.zeros(len(first), dtype=torch.long, device="cpu")
    alike, which = (normalize(first) @ normalize(second).T).max(1)
    return alike, which


def _descend_both(
    maps: Matrix,
    where: Matrix,
    weights: Matrix,
    until: tuple[float, int],
    over_channels: Callable[[Matrix, Matrix], Matrix],
    over_cells: Callable[[Matrix, Matrix], Matrix],
) -> float:
    """Improve both sides of a factorisation in turn, in place; return the squared residual.

    `until` is the share by which a round must lower it, and the most rounds.
    """
    change, most = until
    left = squares = before = float((maps**2).sum())
    for _ in range(most):
        _descend(where, over_channels(maps, weights), weights @ weights.T)
        products, inner = over_cells(maps, where), where @ where.T
        _descend(weights, products, inner)
        left = squares - 2 * float((products * weights).sum()) + float((inner * (weights @ weights.T)).sum())
        if before - left <= change * before:
            break
        before = left
    return max(0.0, left)


def _descend(factors: Matrix, products: Matrix, inner: Matrix) -> None:
    """Set each of the factors (count, n) in turn to what is best while the others stay.

    `products` (count, n) are the data's with the factors of the other side, `inner` (count, count) theirs with each
    other.
    """
    for number, factor in enumerate(factors):
        if inner[number, number] > 0:
            factor += (products[number] - inner[number] @ factors) / inner[number, number]
            factor.clip(0, None, out=factor) if isinstance(factor, np.ndarray) else factor.clamp_min_(0)


def _start(maps: Array, count: int) -> tuple[Array, Array]:
    """NNDSVD: of each of the largest singular pairs the positive parts, or the negative ones if they are larger."""
    where, weights = np.zeros((count, len(maps))), np.zeros((count, maps.shape[1]))
    for number, (length, left, right) in enumerate(zip(*_singular(maps, count), strict=True)):
        parts = [(np.maximum(sign * left, 0), np.maximum(sign * right, 0)) for sign in (1, -1)]
        sizes = [(np.linalg.norm(placed), np.linalg.norm(weighed)) for placed, weighed in parts]
        best = max((0, 1), key=lambda sign: sizes[sign][0] * sizes[sign][1])
        scales = [np.sqrt(length * sizes[best][0] * sizes[best][1]) / max(size, 1e-12) for size in sizes[best]]
        where[number], weights[number] = scales[0] * parts[best][0], scales[1] * parts[best][1]
    return where, weights


def _singular(maps: Array, count: int) -> tuple[Array, Array, Array]:
    """The largest singular values, their vectors over the cells and those over the channels, by subspace iteration."""
    size = min(count + EXTRA_VECTORS, *maps.shape)
    block = np.random.default_rng(0).standard_normal((size, maps.shape[1]))  # any start leads to the same vectors
    for _ in range(ITERATIONS):
        block = np.ascontiguousarray(np.linalg.qr(_over_cells(maps, _over_channels(maps, block)).T)[0].T)
    placed = _over_channels(maps, block)
    values, vectors = np.linalg.eigh(placed @ placed.T)
    lengths, turn = np.sqrt(np.maximum(values[::-1][:count], 0)), vectors[:, ::-1][:, :count].T
    return lengths, turn @ placed / np.maximum(lengths, 1e-12)[:, None], turn @ block


# Not `@`: for products of this size BLAS starts threads, which gain nothing, and on a busy machine they wait for each
# other ten times as long as they work.
def _over_channels(maps: Array, weights: Array) -> Array:
    placed: Array = np.einsum("ij,kj->ki", maps, weights)
    return placed


def _over_cells(maps: Array, where: Array) -> Array:
    weighed: Array = np.einsum("ij,ki->kj", maps, where)
    return weighed
