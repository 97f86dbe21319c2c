"""Regressions of each item on only the items near it: for catalogs whose full matrix no memory holds, and for SLIM."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.co_occurrence import sparse_products, unit_vectors
from apps.recommend.engine.item_links import ItemLinksModel, Links
from apps.recommend.engine.progress import report

Regression = Callable[[NDArray[np.float64], NDArray[np.int32]], NDArray[np.float64]]
"""From Gram matrices (n, c + 1, c + 1) of c near items and the target, and which items they are (-1: none, its row
and column are 0), to the weights (n, c) of the near items."""

GRAM_ENTRIES = 4_000_000  # of the Gram matrices that a thread holds: 32 MB
LINKS = 5_000_000  # handed on at a time


def nearest_items(wanted: sparse.csr_matrix, width: int, what: str) -> NDArray[np.int32]:
    """The `width` items of highest cosine with each column of `wanted` (units x items, no column empty).

    Shape (items, at most `width`), best first, -1 where there are fewer that share a unit. A `width` that has room for
    all other items gives all of them, in the order of their rows.
    """
    n_items = wanted.shape[1]
    if width >= n_items - 1:
        others = np.arange(n_items - 1, dtype=np.int32)[None, :]
        return np.asarray(others + (others >= np.arange(n_items, dtype=np.int32)[:, None]), dtype=np.int32)
    vectors = unit_vectors(wanted.T.tocsr())
    return ItemLinksModel.strongest(np.arange(n_items), _cosines(vectors, what), width).neighbours


def _cosines(vectors: sparse.csr_matrix, what: str) -> Iterator[Links]:
    for _, row, products in sparse_products(vectors, vectors.T.tocsr(), f"{what}: near items"):
        keep = products.indices != row
        yield row[keep], products.indices[keep], products.data[keep]


def regressions(
    wanted: sparse.csr_matrix, near: NDArray[np.int32], regression: Regression, what: str, num_threads: int = 0
) -> sparse.csr_matrix:
    """The weights that `regression` finds for each item from the items `near` it; items x items, row: from, float32.

    O(items c² times what a regression and a Gram matrix cost); memory is that of the weights, twice, and
    `GRAM_ENTRIES` a thread. The result does not depend on `num_threads` (0: one a core).
    """
    from threadpoolctl import threadpool_limits

    from apps.recommend.engine.local_steps import fill_grams  # compiled, and serving never trains

    by_item = wanted.T.tocsr()
    n_items, width = near.shape
    members = np.hstack([near, np.arange(n_items, dtype=np.int32)[:, None]])
    step = max(1, GRAM_ENTRIES // (width + 1) ** 2)
    weights = np.empty((n_items, width), dtype=np.float32)

    def work(first: int) -> int:
        some = members[first : first + step]
        grams = np.empty((len(some), width + 1, width + 1))
        nobody = np.full(by_item.shape[1], -1, dtype=np.int32)
        fill_grams(by_item.indptr, by_item.indices, by_item.data, some, nobody, grams)
        weights[first : first + step] = regression(grams, some)
        return first + len(some)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(num_threads or os.cpu_count() or 1) as pool:
        for done in pool.map(work, range(0, n_items, step)):
            report(what, done, n_items)
    weights[near < 0] = 0.0
    known = near >= 0
    starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
    by_target = sparse.csc_matrix((weights[known], near[known], starts), shape=(n_items, n_items))
    return by_target.tocsr()


def links_of_matrix(weights: sparse.csr_matrix) -> Iterator[Links]:
    """The entries that are not 0, in blocks that hold all of some rows."""
    first = 0
    while first < weights.shape[0]:
        last = max(first + 1, int(np.searchsorted(weights.indptr, weights.indptr[first] + LINKS, side="right")) - 1)
        entries = slice(weights.indptr[first], weights.indptr[last])
        origin = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(weights.indptr[first : last + 1]))
        told = weights.data[entries] != 0
        yield origin[told], weights.indices[entries][told].astype(np.int32), weights.data[entries][told]
        first = last


def local_ridge(ridge: NDArray[np.float64]) -> Regression:
    """Least squares with each item's own `ridge`: EASE's and EDLAE's weights, were the other items not there.

    For a target j and the items N near it (X_NᵀX_N + diag r_N)⁻¹ X_Nᵀx_j: with all items near, column j of exact B.
    """
    from scipy.linalg import lapack

    def solve(grams: NDArray[np.float64], members: NDArray[np.int32]) -> NDArray[np.float64]:
        width = grams.shape[1] - 1
        own = np.arange(width)
        grams[:, own, own] += np.where(members[:, :width] >= 0, ridge[members[:, :width]], 1.0)
        solutions = np.empty((len(grams), width))
        for gram, solution in zip(grams, solutions, strict=True):
            _, solution[:], failed = lapack.dposv(gram[:width, :width], gram[:width, width], lower=1)
            if failed:
                raise ValueError(f"a regularisation of {ridge.min():g} is lost beside these weights: raise it")
        return solutions

    return solve
