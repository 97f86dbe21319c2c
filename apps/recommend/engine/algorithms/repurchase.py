"""When a user will buy again what they bought before: refills and regular orders, without knowing what those are."""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import unknown
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import DAY, Evidence, Interactions, Items, Query, Rows, Scores

INTERVAL = 30.0  # days between two purchases, as if seen once: where nobody has bought anything twice yet
SURELY = 0.99  # nobody comes back more surely than that: what is long overdue is forgotten some time


@dataclass(frozen=True, eq=False)
class RepurchaseModel:
    """By item: the share of its buyers who bought it again, and the mean days until they did.

    Each piece of evidence is a purchase of its item. With k the days on which a user bought an item, t the days since
    the last, and d the sum of the days between them, the share p and the mean interval m are the item's, drawn to the
    user's own: p = (prior · again + k - 1) / (prior + k - 1), m = (prior · interval + d) / (prior + k - 1). A score is
    the chance to buy it within the next day, p f(t) / (1 - p F(t)), of a user who may never come back (P. Schmidt,
    A. Witte, Predicting Criminal Recidivism Using "Split Population" Survival Time Models, Journal of Econometrics 40,
    1989) and else comes after an Erlang-2 interval f of mean m (C. Chatfield, G. Goodhardt, A Consumer Purchasing
    Model with Erlang Inter-Purchase Times, JASA 68, 1973): none just after a purchase, most when it is due, less and
    less when it is long overdue. Where times are not known it is p / m, the chance on any day.
    """

    item_ids: NDArray[np.int64]
    again: NDArray[np.float32]
    interval: NDArray[np.float32]
    prior: float

    def score(self, query: Query, rows: Rows) -> Scores:
        purchases = _positive(query.evidence)
        if not len(purchases):
            return unknown(rows)
        asked, item = np.unique(purchases.rows, return_inverse=True)
        chances = self._chances(purchases, asked, item, query.now)
        place = np.minimum(np.searchsorted(asked, rows), len(asked) - 1)
        return np.where(asked[place] == rows, chances[place], np.nan).astype(np.float32)

    def _chances(self, purchases: Evidence, asked: Rows, item: NDArray[np.int64], now: int) -> NDArray[np.float64]:
        """Of each of `asked`, which `item` of each purchase indexes."""
        again = self.again[asked].astype(np.float64)
        interval = self.interval[asked].astype(np.float64)
        if purchases.times is None or not now:
            return again / interval
        last = np.zeros(len(asked), dtype=np.int64)
        np.maximum.at(last, item, purchases.times)
        first = last.copy()
        np.minimum.at(first, item, purchases.times)
        days = np.unique((purchases.times // DAY) * len(asked) + item) % len(asked)  # once for each item and day
        own = np.bincount(days, minlength=len(asked)) - 1  # k - 1: how often they came back
        weight = self.prior + own
        again = np.minimum((self.prior * again + own) / weight, SURELY)
        interval = (self.prior * interval + np.where(own > 0, (last - first) / DAY, 0.0)) / weight
        since = np.maximum(now - last, 0) / DAY
        rate = 2 / interval
        still_out = np.exp(-rate * since)
        due = rate**2 * since * still_out
        came = 1 - still_out * (1 + rate * since)
        return np.asarray(again * due / (1 - again * came), dtype=np.float64)

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        evidence = query.evidence
        same = (rows[:, None] == evidence.rows[None, :]) & (evidence.weights > 0)
        shared = same / np.maximum(same.sum(axis=1, keepdims=True), 1)
        return np.asarray(shared * np.nan_to_num(self.score(query, rows))[:, None], dtype=np.float32)

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "again": self.again,
            "interval": self.interval,
            "prior": np.array([self.prior]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            item_ids=arrays["item_ids"],
            again=arrays["again"],
            interval=arrays["interval"],
            prior=float(arrays["prior"][0]),
        )


def _positive(evidence: Evidence) -> Evidence:
    speaks = evidence.weights > 0
    times = None if evidence.times is None else evidence.times[speaks]
    return Evidence(evidence.rows[speaks], evidence.weights[speaks], evidence.types[speaks], times)


@ALGORITHMS.register("repurchase")
class Repurchase:
    """Learns from purchases how often and after how many days each item is bought again.

    R. Bhagat et al., Buy It Again, KDD 2018, rank by the share of an item's customers who repeat and by the time
    since, as this does. What was given back does not count. An item's figures are drawn to the shop's; while nothing
    was bought, all items are alike. It proposes nothing new, so it belongs into a pipeline that does not drop what was
    seen.
    """

    class Config(ComponentConfig):
        events: tuple[str, ...] = ("purchase",)
        """The canonical event types that count as buying; `view_item` where things are played or read again."""
        prior: Annotated[float, Between(1.0, 100.0, log=True)] = Field(default=5.0, gt=0)
        """How many buyers an item needs to count as much as the shop, and a user returns to count as the item."""

    Model = RepurchaseModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> RepurchaseModel:
        if not (interactions.weights() > 0).any():
            raise NotEnoughData("taste events with positive weight", 0, 1)
        bought = self._kept(interactions)
        n, prior = interactions.n_items, self.config.prior
        pairs = bought.users.astype(np.int64) * n + bought.items
        days = bought.times // DAY
        order = np.lexsort((days, pairs))
        pairs, days = pairs[order], days[order]
        gap = np.where(pairs[1:] == pairs[:-1], days[1:] - days[:-1], 0)
        returned = gap > 0
        of_gap = pairs[1:][returned] % n
        gaps, spent = np.bincount(of_gap, minlength=n), np.bincount(of_gap, gap[returned], minlength=n)
        buyers = np.bincount(np.unique(pairs) % n, minlength=n)
        repeaters = np.bincount(np.unique(pairs[1:][returned]) % n, minlength=n)
        # One more than happened, so that there is something to be drawn to where nobody has come back yet.
        share = (repeaters.sum() + 1) / (buyers.sum() + 2)
        mean = (spent.sum() + INTERVAL) / (gaps.sum() + 1)
        return RepurchaseModel(
            item_ids=interactions.item_ids,
            again=((repeaters + prior * share) / (buyers + prior)).astype(np.float32),
            interval=((spent + prior * mean) / (gaps + prior)).astype(np.float32),
            prior=prior,
        )

    def _kept(self, interactions: Interactions) -> Interactions:
        """The purchases after which the same user did not give the same item back."""
        bought = interactions.select(interactions.of_types(self.config.events))
        returned = interactions.select(interactions.of_types(["refund"]))
        if not len(returned):
            return bought
        pairs, of_return = np.unique(
            returned.users.astype(np.int64) * interactions.n_items + returned.items, return_inverse=True
        )
        last = np.zeros(len(pairs), dtype=np.int64)
        np.maximum.at(last, of_return, returned.times)
        asked = bought.users.astype(np.int64) * interactions.n_items + bought.items
        place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
        return bought.select((pairs[place] != asked) | (bought.times > last[place]))
