"""What is wanted, the same for everybody: how it is counted, and the model that says it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.types import Interactions, Query, Rows, Scores


def demand(interactions: Interactions) -> NDArray[np.float64]:
    """How much each item is wanted, in units of fresh, fully weighted users. O(events).

    A user counts with the square root of their own sum, so that ten purchases by one are less than ten by ten.
    """
    users_by_items = interactions.matrix()
    users_by_items.data = np.sqrt(users_by_items.data)
    return np.asarray(users_by_items.sum(axis=0, dtype=np.float64)).ravel()


@dataclass(frozen=True, eq=False)
class PopularityModel:
    """One score an item, whoever asks."""

    item_ids: NDArray[np.int64]
    popularity: NDArray[np.float32]

    def score(self, query: Query, rows: Rows) -> Scores:
        return np.asarray(self.popularity[rows], dtype=np.float32)

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        return np.zeros((len(rows), len(query.evidence)), dtype=np.float32)

    def to_arrays(self) -> Arrays:
        return {"item_ids": self.item_ids, "popularity": self.popularity}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(item_ids=arrays["item_ids"], popularity=arrays["popularity"])
