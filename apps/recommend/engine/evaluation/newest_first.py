"""Newest first: what any list of new items has to beat, since nobody has wanted them yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.types import DAY, Interactions, Items, Query, Rows, Scores


@dataclass(frozen=True, eq=False)
class NewestFirstModel:
    """Minus the age of each item in days."""

    item_ids: NDArray[np.int64]
    newness: NDArray[np.float32]

    def score(self, query: Query, rows: Rows) -> Scores:
        return np.asarray(self.newness[rows], dtype=np.float32)

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        return np.zeros((len(rows), len(query.evidence)), dtype=np.float32)

    def to_arrays(self) -> Arrays:
        return {"item_ids": self.item_ids, "newness": self.newness}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "NewestFirstModel":
        return cls(arrays["item_ids"], arrays["newness"])


class NewestFirst:
    """Ranks items by when they came: their publication or their first event, whichever is earlier. A baseline only."""

    Config = ComponentConfig
    Model = NewestFirstModel
    collaborative = False
    reads_texts = False

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> NewestFirstModel:
        seen = items.published.copy()
        rows = items.rows_of(interactions.item_ids)[interactions.items]
        np.minimum.at(seen, rows[rows >= 0], interactions.times[rows >= 0])
        return NewestFirstModel(items.ids, ((seen - interactions.as_of) / DAY).astype(np.float32))
