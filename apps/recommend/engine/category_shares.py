"""What a list or a history is made of, category by category, and how far two such shares are apart."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def rows_to_one(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """`matrix` with every row divided by its sum, float64; rows of zeros stay. Entries must not be negative."""
    result = sparse.csr_matrix(matrix, dtype=np.float64, copy=True)
    result.sum_duplicates()
    result.eliminate_zeros()
    sums = np.asarray(result.sum(axis=1)).ravel()
    result.data /= np.repeat(sums, np.diff(result.indptr))
    return result


def shares(weights: sparse.csr_matrix, item_shares: sparse.csr_matrix) -> sparse.csr_matrix:
    """Lists x categories: how much of each list's weight falls to each category; rows sum to 1.

    `weights` is lists x items, of which only positive entries count; `item_shares` is items x categories with rows
    that sum to 1 (`rows_to_one`), so that an item in several categories counts once in all. Items in no category do
    not count; a list of nothing else is a row of zeros. H. Steck, Calibrated Recommendations, RecSys 2018.
    """
    return rows_to_one(weights.maximum(0) @ item_shares)


def divergence(wanted: sparse.csr_matrix, found: sparse.csr_matrix, smoothing: float) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of each row of `found` from the same row of `wanted`, in nats.

    `found` is mixed with `smoothing` (above 0) of `wanted` first, so that what is missing costs much but not
    infinity: 0 for equal rows, -log(smoothing) for rows that have nothing in common. 0 where nothing is wanted.
    The measure of Steck 2018.
    """
    mixed = ((1 - smoothing) * found + smoothing * wanted).multiply(wanted > 0).tocsr()
    mixed.sort_indices()
    wanted.sort_indices()
    rows = np.repeat(np.arange(wanted.shape[0]), np.diff(wanted.indptr))
    terms = wanted.data * np.log(wanted.data / mixed.data)
    return np.maximum(np.bincount(rows, terms, minlength=wanted.shape[0]), 0.0)  # rounding may go below 0


def entries_of(categories: sparse.csr_matrix, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Every category of each of `rows`: which of `rows` it belongs to, ascending, and the category's column.

    As fast as NumPy indexing; slicing a sparse matrix costs ten times as much for a few hundred rows.
    """
    owners, entries = entries_at(categories.indptr, rows)
    return owners, categories.indices[entries]


def entries_at(indptr: NDArray[np.integer], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every entry of each of `rows` of a sparse matrix: which of `rows` it belongs to, ascending, and its place."""
    starts = indptr[rows].astype(np.int64)
    lengths = indptr[rows + 1] - starts
    owners = np.repeat(np.arange(len(rows)), lengths)
    shift = starts - (np.cumsum(lengths) - lengths)
    return owners, np.arange(len(owners)) + shift[owners]
