"""Validation data out of training data that have no times: some of what some users had, hidden from the models."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

TESTED_SHARE = 0.5  # of the users: each gives enough to be a test, and the others stay as they are
LEAST_HAD = 5  # items: users of fewer would be left with nothing to be known by
STRANGER = 0.1  # users in common that a pair without any counts as having
PAIRS_AT_ONCE = 100_000  # whose users in common are counted together


@dataclass(frozen=True, eq=False)
class HeldOut:
    """`train` and `validation` (users x items, 1 where had) share no pair and together are the whole.

    `in_block` says of each user whether what is held out is a neighbourhood.
    """

    train: sparse.csr_matrix
    validation: sparse.csr_matrix
    in_block: NDArray[np.bool_]


def hold_out(had: sparse.csr_matrix, fraction: float, rng: np.random.Generator) -> HeldOut:
    """Hide about `fraction` of the pairs of `had`: of one half of the users with enough, twice that share of each.

    Of every other such user, by lot, random items are hidden. Of the rest a block of neighbours is: a random seed
    and others of the user's items, drawn in proportion to how many users have both, which is how likely an item is
    beside the seed. What people do next is more of a kind than a random part of what they did, and less than a
    neighbourhood: the two pooled are a better guide than either. O(pairs x users of an item).
    """
    had = had.tocsr()
    had.sort_indices()
    sizes = np.diff(had.indptr)
    tested = (sizes >= LEAST_HAD) & (rng.random(len(sizes)) < TESTED_SHARE)
    in_block = tested & (rng.random(len(sizes)) < 0.5)
    share = min(fraction / TESTED_SHARE, 0.5)
    wanted = np.where(tested, np.maximum(1, np.rint(sizes * share)), 0).astype(np.int64)
    users = np.repeat(np.arange(len(sizes)), sizes)
    urge = rng.gumbel(size=had.nnz)  # the largest of log-weights plus these are a draw in proportion to the weights
    _pull_towards_a_seed(had, users, in_block, urge)
    order = np.lexsort((-urge, users))
    place = np.empty(had.nnz, dtype=np.int64)
    place[order] = np.arange(had.nnz) - had.indptr[users]
    hidden = place < wanted[users]
    return HeldOut(_only(had, ~hidden), _only(had, hidden), in_block)


def _pull_towards_a_seed(
    had: sparse.csr_matrix, users: NDArray[np.int64], in_block: NDArray[np.bool_], urge: NDArray[np.float64]
) -> None:
    """Adds to `urge` of each pair of the users in `in_block` the log of how many other users have item and seed.

    A user's seed is their pair of the highest urge; it stays the highest.
    """
    order = np.lexsort((-urge, users))
    first = order[np.flatnonzero(np.diff(users[order], prepend=-1))]  # the seed of each user with any item
    seed = np.zeros(had.shape[0], dtype=np.int64)
    seed[users[first]] = first
    by_item = had.T.tocsr()
    pairs = np.flatnonzero(in_block[users])
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        seeds = seed[users[some]]
        common = by_item[had.indices[some]].multiply(by_item[had.indices[seeds]]).sum(axis=1)
        urge[some] += np.log(np.maximum(np.asarray(common).ravel() - 1, STRANGER))  # the user is no other user
    urge[seed[in_block]] = np.inf


def _only(had: sparse.csr_matrix, kept: NDArray[np.bool_]) -> sparse.csr_matrix:
    part = sparse.csr_matrix((kept.astype(np.float32), had.indices.copy(), had.indptr.copy()), shape=had.shape)
    part.eliminate_zeros()
    return part
