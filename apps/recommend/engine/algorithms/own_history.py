"""What the user had before and may want again: refills, regular orders, songs.

A. Anderson, R. Kumar, A. Tomkins, S. Vassilvitskii: The Dynamics of Repeat Consumption, WWW 2014, find how often and
how lately it was wanted to decide what is repeated; R. Bhagat et al.: Buy It Again, KDD 2018, add how often an item is
bought again by those who bought it once.
"""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import DAY, Interactions, Items, Query, Rows, Scores


@dataclass(frozen=True, eq=False)
class OwnHistoryModel:
    """How likely each item is wanted again; a score is that times the weight of the item's own evidence."""

    item_ids: NDArray[np.int64]
    again: NDArray[np.float32]

    def score(self, query: Query, rows: Rows) -> Scores:
        scores = np.full(len(self.item_ids), np.nan, dtype=np.float32)
        evidence = query.evidence
        if len(evidence):
            asked = np.unique(evidence.rows)
            sums = np.bincount(evidence.rows, evidence.weights, minlength=len(self.item_ids))[asked]
            scores[asked] = sums * self.again[asked]
        return scores[rows]

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN: never had."""
        scores = np.full(histories.shape, np.nan, dtype=np.float32)
        had = histories.tocoo()
        scores[had.row, had.col] = had.data * self.again[had.col]
        return scores

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        same = rows[:, None] == query.evidence.rows[None, :]
        return np.asarray(same * query.evidence.weights * self.again[rows][:, None], dtype=np.float32)

    def to_arrays(self) -> Arrays:
        return {"item_ids": self.item_ids, "again": self.again}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(item_ids=arrays["item_ids"], again=arrays["again"])


@ALGORITHMS.register("own_history")
class OwnHistory:
    """Ranks the items of the user's own history by how strongly it speaks for them and how often others come back.

    It proposes nothing new, so it belongs into a pipeline that does not drop what was seen.
    """

    class Config(ComponentConfig):
        prior: Annotated[float, Between(1.0, 100.0, log=True)] = Field(default=10.0, gt=0)
        """An item's share of users who came back is drawn to the shop's as if that many users had been average."""

    Model = OwnHistoryModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> OwnHistoryModel:
        speaks = interactions.weights() > 0
        if not speaks.any():
            raise NotEnoughData("taste events with positive weight", 0, 1)
        pairs = interactions.users[speaks].astype(np.int64) * interactions.n_items + interactions.items[speaks]
        days = interactions.times[speaks] // DAY
        order = np.lexsort((days, pairs))
        pairs, days = pairs[order], days[order]
        first = np.append(True, pairs[1:] != pairs[:-1])
        another_day = ~first & np.append(False, days[1:] != days[:-1])
        had, pair = np.unique(pairs, return_inverse=True)
        came_back = np.bincount(pair, another_day) > 0
        item = had % interactions.n_items
        users = np.bincount(item, minlength=interactions.n_items)
        again = np.bincount(item, came_back, minlength=interactions.n_items)
        # One more than happened, so that where nobody has come back yet the history still ranks by itself.
        average = (came_back.sum() + 1) / (len(had) + 2)
        rates = (again + self.config.prior * average) / (users + self.config.prior)
        return OwnHistoryModel(interactions.item_ids, rates.astype(np.float32))
