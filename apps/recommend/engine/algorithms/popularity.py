"""Popularity: what is wanted most, the same for everybody. How fast it forgets is a matter of the lens."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Interactions, Items, Query, Rows, Scores


@dataclass(frozen=True, eq=False)
class PopularityModel:
    """One score an item, in units of fresh, fully weighted users."""

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


@ALGORITHMS.register("popularity")
class Popularity:
    """Sums, for each item, what each user's events say.

    A user counts with the square root of their own sum, so that ten purchases by one are less than ten by ten.
    Best sellers and trending items differ in `window_days` and `half_life_days`, which any model may set.
    """

    class Config(ComponentConfig):
        """Nothing to set."""

    Model = PopularityModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> PopularityModel:
        if not len(interactions):
            raise NotEnoughData("events", 0, 1)
        users_by_items = interactions.matrix()
        users_by_items.data = np.sqrt(users_by_items.data)
        popularity = np.asarray(users_by_items.sum(axis=0, dtype=np.float64)).ravel()
        return PopularityModel(interactions.item_ids, popularity.astype(np.float32))
