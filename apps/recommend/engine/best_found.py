"""The best of a few hundred items that were found: what `Slate.ranked` answers, by compiled loops.

For lists as sources make them; of a whole catalog's scores `Slate.ranked` sorts only the best.
"""

import numpy as np
from numba import boolean, float32, int32, uint64

from apps.recommend.engine.compiled import compiled, compiled_for, read_only
from apps.recommend.engine.types import Mask, Rows, Scores, Slate


def best(rows: Rows, scores: Scores, limit: int, source: str) -> Slate:
    """As `Slate.ranked`. O(n + limit log limit)."""
    keys = np.empty(len(rows), np.uint64)
    known = _order_keys(rows, scores, keys)
    limit = min(limit, known)
    if 0 < limit < len(keys):  # partitioning values costs less than sorting places
        near = (keys <= np.partition(keys, limit - 1)[limit - 1]).nonzero()[0]
        order = near[keys[near].argsort()][:limit]
    else:
        order = keys.argsort()[:limit]
    return Slate(rows[order], scores[order], np.zeros(len(order), np.int16), (source,))


def shown(found: Rows, scores: Scores, to_catalog: Rows, eligible: Mask) -> tuple[Rows, Scores]:
    """Of model rows and their scores the catalog rows that may be shown, in the same order."""
    rows, kept = np.empty(len(found), np.int32), np.empty(len(found), np.float32)
    count = _translate(found, scores, to_catalog, eligible, rows, kept)
    return rows[:count], kept[:count]


@compiled
def hashed(row):  # type: ignore[no-untyped-def]
    """`tie_break` of one row."""
    x = np.uint64(row) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled_for(read_only(int32), read_only(float32), uint64[::1])
def _order_keys(rows, scores, keys):  # type: ignore[no-untyped-def]
    """A number for each row, the lower the earlier it stands in a list; the highest there is where a score is NaN.

    Above the score, turned, below what `tie_break` says. Returns for how many there is a score.
    """
    bits = scores.view(np.uint32)
    known = 0
    for place in range(len(rows)):
        score = np.uint64(bits[place])
        size = score & np.uint64(0x7FFFFFFF)
        if size > np.uint64(0x7F800000):  # NaN
            keys[place] = np.uint64(0xFFFFFFFFFFFFFFFF)
            continue
        known += 1
        turned = np.uint64(0x80000000) + size if score > size else np.uint64(0x7FFFFFFF) - size
        if size == np.uint64(0):  # -0 is 0
            turned = np.uint64(0x7FFFFFFF)
        keys[place] = (turned << np.uint64(32)) | (hashed(rows[place]) >> np.uint64(32))
    return known


@compiled_for(read_only(int32), read_only(float32), read_only(int32), read_only(boolean), int32[::1], float32[::1])
def _translate(found, scores, to_catalog, eligible, rows, kept):  # type: ignore[no-untyped-def]
    count = 0
    for place in range(len(found)):
        row = to_catalog[found[place]]
        if row >= 0 and eligible[row]:
            rows[count] = row
            kept[count] = scores[place]
            count += 1
    return count
