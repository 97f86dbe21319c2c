"""The highest scores of each row of a dense table, in one pass, with ties in the order of their hash."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Rows, Scores, tie_break

CROWDED = 4  # times as many candidates as groups: only ties do that


def top_rows(scores: Scores, k: int) -> Rows:
    """Columns of the `k` highest of each row, best first, -1 for NaN; ties in the order of their hash, not place."""
    return _top(scores, k)[0]


def top_rows_and_scores(scores: Scores, k: int) -> tuple[Rows, Scores]:
    """As `top_rows`, and the score of each entry: float32, NaN where the row is -1. Shapes (rows, min(k, columns))."""
    return _top(scores, k)


def _top(scores: Scores, k: int) -> tuple[Rows, Scores]:
    """Entries below the k-th highest of some groups' maxima are out at once; what is left is sorted.

    One pass over the scores, instead of a selection for each row.
    """
    n_rows, n_columns = scores.shape
    k = min(k, n_columns)
    best = np.full((n_rows, k), -1, dtype=np.int32)
    values = np.full((n_rows, k), np.nan, dtype=np.float32)
    if not k or not n_rows:
        return best, values
    groups = min(n_columns, max(8 * k, 256))
    bounds = _bounds(scores, k, groups)
    places = np.flatnonzero((scores >= bounds[:, None]).ravel())
    counts = np.diff(np.searchsorted(places, np.arange(n_rows + 1) * n_columns))
    crowded = counts > CROWDED * groups
    for row in np.flatnonzero(crowded):
        found = _first_of_a_crowd(scores[row], bounds[row], k)
        best[row, : len(found)] = found
        values[row, : len(found)] = scores[row, found]
    if crowded.any():
        places = places[np.repeat(~crowded, counts)]
    rows = np.repeat(np.arange(n_rows), np.where(crowded, 0, counts))
    columns = (places - rows * n_columns).astype(np.int32)
    kept = scores[rows, columns]
    order = np.lexsort((tie_break(columns), -kept, rows))
    rows, columns, kept = rows[order], columns[order], kept[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    inside = rank < k
    best[rows[inside], rank[inside]] = columns[inside]
    values[rows[inside], rank[inside]] = kept[inside]
    return best, values


def _bounds(scores: Scores, k: int, groups: int) -> NDArray[np.float32]:
    """For each row a number that at least its k best scores reach, where it has so many."""
    whole = scores.shape[1] // groups * groups
    highest = np.fmax.reduce(scores[:, :whole].reshape(len(scores), -1, groups), axis=1)  # fmax knows no NaN
    np.fmax(highest, np.float32(-np.inf), out=highest)
    highest.partition(groups - k, axis=1)
    lowest = np.finfo(np.float32).min  # never -inf: what cannot be said is no candidate
    return np.asarray(np.maximum(highest[:, groups - k], lowest), dtype=np.float32)


def _first_of_a_crowd(scores: Scores, bound: np.float32, k: int) -> Rows:
    """The best `k` of one row in which very many reach `bound`, mostly because they share it."""
    above = np.flatnonzero(scores > bound).astype(np.int32)
    if len(above) < k:  # the k-th best is one of those that share the bound: the first ones by hash
        above = np.concatenate([above, _first_by_hash(scores, bound, k - len(above))])
    order = np.lexsort((tie_break(above), -scores[above]))
    return np.asarray(above[order][:k], dtype=np.int32)


def _first_by_hash(scores: Scores, value: np.float32, count: int) -> Rows:
    """The first `count` columns by hash whose score is `value`: looked for in ever longer parts of all columns."""
    order = _by_hash(len(scores))
    size = 4 * count
    while True:
        part = order[:size]
        found = part[scores[part] == value]
        if len(found) >= count or size >= len(order):
            return np.asarray(found[:count], dtype=np.int32)
        size *= 4


@lru_cache(maxsize=8)
def _by_hash(n_columns: int) -> Rows:
    return np.argsort(tie_break(np.arange(n_columns)), kind="stable").astype(np.int32)
