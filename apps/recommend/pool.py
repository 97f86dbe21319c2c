"""The candidates of a pipeline and of the fallbacks that help it, one behind the other."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Rows, Slate

BELOW = 1e-3  # what a fallback's best is worth beside the least of the pipeline it helps


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates, none twice, and which pipeline of the chain gave each."""

    slate: Slate
    numbers: NDArray[np.int8]

    @classmethod
    def empty(cls) -> Self:
        return cls(Slate.empty(), np.empty(0, dtype=np.int8))

    def with_(self, slate: Slate, number: int) -> "Pool":
        """`slate` of pipeline `number` behind what is there, scored below all of it: O(candidates log candidates)."""
        if not len(self.slate):
            return Pool(slate, np.full(len(slate), number, dtype=np.int8))
        mine = self.slate
        fresh = slate.take(~np.isin(slate.rows, mine.rows))
        if not len(fresh):
            return self
        lowest, top = float(mine.scores.min()), float(fresh.scores.max())
        span = max(top - float(fresh.scores.min()), 1e-12)
        step = BELOW * max(float(mine.scores.max()) - lowest, abs(lowest), 1e-6)
        joined = Slate(
            rows=np.concatenate([mine.rows, fresh.rows]),
            scores=np.concatenate([mine.scores, lowest - step * (1 + (top - fresh.scores) / span)]).astype(np.float32),
            source=np.concatenate([mine.source, fresh.source + len(mine.source_names)]).astype(np.int16),
            source_names=(*mine.source_names, *fresh.source_names),
        )
        return Pool(joined, np.concatenate([self.numbers, np.full(len(fresh), number, dtype=np.int8)]))

    def made_by(self, rows: Rows) -> NDArray[np.int8]:
        """The number of the pipeline that gave each of `rows`; -1: none did."""
        pool = self.slate.rows
        if not len(pool):
            return np.full(len(rows), -1, dtype=np.int8)
        order = np.argsort(pool)
        places = order[np.minimum(np.searchsorted(pool, rows, sorter=order), len(pool) - 1)]
        return np.where(pool[places] == rows, self.numbers[places], -1).astype(np.int8)
