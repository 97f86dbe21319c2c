"""What users, sessions or invoices have in common: the counting below every item-to-item algorithm."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.progress import report
from apps.recommend.engine.types import Ids, Interactions

Unit = Literal["user", "session"]

TRACE = 1e-6  # entries below this share of a vector are dropped: their products would underflow
BLOCK_PRODUCTS = 20_000_000  # multiplications a block: bounds the memory of a block at about half a gigabyte


def wanted_by_unit(
    interactions: Interactions, unit: Unit = "user", events: Sequence[str] | None = None
) -> tuple[sparse.csr_matrix, Ids]:
    """Units x items, float32, the sums of positive weights, over only the items that somebody wanted; and their ids.

    A unit is a user, or one session or invoice; events without a session are grouped by user. `events` are the
    canonical types to look at (None: all). Raises NotEnoughData when nothing is left. O(events).
    """
    if events is not None:
        interactions = interactions.select(interactions.of_types(events))
    matrix = interactions.matrix() if unit == "user" else _by_session(interactions)
    present = np.flatnonzero(matrix.getnnz(axis=0))
    if not len(present):
        raise NotEnoughData(f"{' or '.join(events) if events else 'taste'} events with positive weight", 0, 1)
    return matrix[:, present].tocsr(), interactions.item_ids[present]


def wanted_by_user(interactions: Interactions, binary: bool) -> tuple[sparse.csr_matrix, Ids]:
    """Users x items, float32, without empty rows and columns, and the items' ids: 1, or weights of mean 1.

    Raises NotEnoughData when nothing is left.
    """
    matrix, item_ids = wanted_by_unit(interactions)
    matrix = matrix[np.flatnonzero(matrix.getnnz(axis=1))]
    if binary:
        return ones(matrix), item_ids
    weights = matrix.data.astype(np.float64)
    matrix.data = (weights / weights.mean()).astype(np.float32)
    return matrix, item_ids


def _by_session(interactions: Interactions) -> sparse.csr_matrix:
    grouped = interactions.sessions >= 0
    # Sessions first, then the users of the events that have none.
    units = np.where(grouped, interactions.sessions, interactions.sessions.max(initial=-1) + 1 + interactions.users)
    shape = (int(units.max(initial=-1)) + 1, interactions.n_items)
    matrix = sparse.csr_matrix((interactions.weights(), (units, interactions.items)), shape=shape, dtype=np.float32)
    matrix.data[matrix.data < 0] = 0.0
    matrix.eliminate_zeros()
    return matrix


def ones(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """1 where `matrix` has an entry, float32; shares its structure."""
    return sparse.csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def unit_vectors(vectors: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows at length 1, float32; no row may be empty."""
    squares = vectors.data.astype(np.float64) ** 2
    lengths = np.sqrt(np.add.reduceat(squares, vectors.indptr[:-1]))
    data = (vectors.data / np.repeat(lengths, np.diff(vectors.indptr))).astype(np.float32)
    units = sparse.csr_matrix((data, vectors.indices, vectors.indptr), shape=vectors.shape)
    units.data[units.data < TRACE] = 0.0
    units.eliminate_zeros()
    return units


def blocks(by_item: sparse.csr_matrix) -> Iterator[tuple[int, int]]:
    """Ranges of rows of `by_item` whose products with its transpose cost about BLOCK_PRODUCTS each. No row is empty."""
    per_unit = np.bincount(by_item.indices, minlength=by_item.shape[1])
    costs = np.cumsum(np.add.reduceat(per_unit[by_item.indices].astype(np.int64), by_item.indptr[:-1]))
    first = 0
    while first < len(costs):
        spent = costs[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(costs, spent + BLOCK_PRODUCTS)))
        yield first, last
        first = last


def sparse_products(
    by_item: sparse.csr_matrix, other: sparse.csr_matrix, what: str
) -> Iterator[tuple[slice, NDArray[np.int32], sparse.csr_matrix]]:
    """`by_item @ other` in blocks: which rows, the row of each entry, the product. Reports progress as `what`."""
    for first, last in blocks(by_item):
        product = by_item[first:last] @ other
        rows = (np.repeat(np.arange(last - first), np.diff(product.indptr)) + first).astype(np.int32)
        yield slice(first, last), rows, product
        report(what, last, by_item.shape[0])
