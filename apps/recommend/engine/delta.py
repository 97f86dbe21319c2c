"""What is said of items beside a model: of those that came, or changed, after it was trained."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Rows


@dataclass(frozen=True, eq=False)
class Delta:
    """Catalog rows, ascending, and the vector of each: the exact part of an answer, beside model and index."""

    rows: Rows
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> Self:
        return cls(np.empty(0, np.int32), np.empty((0, 0), np.float32))

    def places(self, rows: Rows) -> NDArray[np.intp]:
        """Where each of `rows` stands in this delta, -1 where it does not. O(len(rows) log n)."""
        if not len(self.rows):
            return np.full(len(rows), -1)
        found = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[found] == rows, found, -1)

    def changed(self, rows: Rows, vectors: NDArray[np.float32]) -> Self:
        """This delta with these vectors for `rows` (each once); a vector of zeros takes its row out."""
        if not len(rows):
            return self
        kept = self.places(rows)
        stays = np.ones(len(self.rows), dtype=bool)
        stays[kept[kept >= 0]] = False
        says = vectors.any(axis=1)
        if not stays.any():
            joined, of_joined = rows[says], vectors[says]
        else:
            joined = np.concatenate([self.rows[stays], rows[says]])
            of_joined = np.concatenate([self.vectors[stays], vectors[says]])
        order = np.argsort(joined)
        return type(self)(joined[order].astype(np.int32), np.ascontiguousarray(of_joined[order], dtype=np.float32))
