"""Search by computing every inner product: exact, and the fastest there is for a small catalog."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.products import Stored, all_products, single
from apps.recommend.engine.types import Rows, Scores, best_places

BLOCK = 65_536  # vectors asked at once


class ExactIndex:
    """Over `vectors` (items x d), which may be memory-mapped. Also the oracle the other indexes answer to."""

    def __init__(self, vectors: Stored) -> None:
        self._vectors = vectors

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        return best(all_products(self._vectors, vector), limit)


def best(scores: Scores, limit: int) -> tuple[Rows, Scores]:
    """Rows and values of the `limit` highest of `scores`, best first. O(n + limit log limit)."""
    rows = best_places(np.arange(len(scores), dtype=np.int32), scores, limit)
    return rows.astype(np.int32), np.asarray(scores[rows], dtype=np.float32)


def exact_best(vectors: Stored, queries: NDArray[np.float32], k: int) -> list[Rows]:
    """The `k` rows of largest inner product with each of `queries`, in no promised order. One pass over `vectors`."""
    rows = np.empty((len(queries), 0), np.int32)
    scores = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = single(np.ascontiguousarray(vectors[start : start + BLOCK]))
        numbers = np.broadcast_to(np.arange(start, start + len(block), dtype=np.int32), (len(queries), len(block)))
        rows, scores = np.hstack([rows, numbers]), np.hstack([scores, queries @ block.T])
        if rows.shape[1] > k:
            kept = np.argpartition(scores, rows.shape[1] - k, axis=1)[:, rows.shape[1] - k :]
            rows, scores = np.take_along_axis(rows, kept, 1), np.take_along_axis(scores, kept, 1)
    return list(rows)


def share_found(truth: Sequence[Rows], found: Sequence[Rows]) -> float:
    """Which share of each list of `truth` is in the same list of `found`, on average."""
    shares = [len(np.intersect1d(one, other)) / max(len(one), 1) for one, other in zip(truth, found, strict=True)]
    return float(np.mean(shares)) if shares else 1.0
