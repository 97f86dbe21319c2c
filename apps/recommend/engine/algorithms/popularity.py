"""Time-decayed popularity: what is wanted most at the moment, the same for everybody."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY, Interactions, Items, Query, Rows, Scores


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
    """Sums, for each item, what each user's events say, each event fading with a half-life.

    A user counts with the square root of their own sum, so that ten purchases by one are less than ten by ten.
    """

    class Config(ComponentConfig):
        half_life_days: float = Field(default=14.0, gt=0)
        """Days after which an event counts half; replaces the event types' own half-lives."""
        window_days: float | None = Field(default=None, gt=0)
        """Ignore events older than this. None: use all."""

    Model = PopularityModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> PopularityModel:
        if not len(interactions):
            raise NotEnoughData("events", 0, 1)
        age = np.maximum(interactions.as_of - interactions.times, 0) / DAY
        weights = _taste_weights(interactions) * np.exp2(-age / self.config.half_life_days)
        if self.config.window_days is not None:
            weights[age > self.config.window_days] = 0.0
        pairs = interactions.users.astype(np.int64) * interactions.n_items + interactions.items
        unique, inverse = np.unique(pairs, return_inverse=True)
        per_pair = np.sqrt(np.maximum(np.bincount(inverse, weights, minlength=len(unique)), 0.0))
        popularity = np.bincount(unique % interactions.n_items, per_pair, minlength=interactions.n_items)
        return PopularityModel(interactions.item_ids, popularity.astype(np.float32))


def _taste_weights(interactions: Interactions) -> NDArray[Any]:
    by_code = np.zeros(max(interactions.worth, default=0) + 1)
    for code, worth in interactions.worth.items():
        by_code[code] = worth.weight if worth.taste else 0.0
    return by_code[interactions.types]
