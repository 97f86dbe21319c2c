"""Search by computing every inner product: exact, and the fastest there is for a small catalog."""

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Rows, Scores, tie_break


class ExactIndex:
    """Over `vectors` (items x d, float32), which may be memory-mapped. Also the oracle the other indexes answer to."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        return best(self._vectors @ vector, limit)


def best(scores: Scores, limit: int) -> tuple[Rows, Scores]:
    """Rows and values of the `limit` highest of `scores`, best first. O(n + limit log limit)."""
    if limit <= 0:
        rows = np.empty(0, dtype=np.intp)
    elif len(scores) > limit:
        rows = np.argpartition(scores, len(scores) - limit)[-limit:]
    else:
        rows = np.arange(len(scores))
    rows = rows[np.lexsort((tie_break(rows), -scores[rows]))]
    return rows.astype(np.int32), np.asarray(scores[rows], dtype=np.float32)
