"""What a learned ranking may look at: of each candidate what the parts say, the item, the user and how they meet.

Everything is a function of the query and of arrays that the model holds, so it is the same in training and serving.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.category_shares import entries_of
from apps.recommend.engine.evaluation.top import top_rows_and_scores
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.types import DAY, Ids, Interactions, Items, Queries, Rows

Features = NDArray[np.float32]

OF_PART = ("standing", "place", "silent")
WINDOWS = (1, 7, 30, 90)  # days
OF_ITEM = ("item_age", *(f"wanted_{days}d" for days in WINDOWS), "price_level")
OF_PAIR = ("price_gap", "price_level_gap", "category_share", "own_share", "own_days", "own_days_before_last")
OF_USER = ("history_items", "idle_days")
OF_MOMENT = ("hour", "weekday")
NEED_TIMES = ("idle_days", "own_days", "own_days_before_last")  # of the evidence
FARTHEST = 8.0  # standard deviations beyond which standings are alike


def names(parts: Iterable[str]) -> list[str]:
    """The columns of `columns`, for parts called so."""
    return [f"{part}_{one}" for part in parts for one in OF_PART] + [*OF_ITEM, *OF_PAIR, *OF_USER, *OF_MOMENT]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of a query (its number) and an item (its row), each once, ascending, and what the parts say of each.

    `said` has three columns a part: `standing`, the score in standard deviations from the mean of the part's own list
    for the query (NaN: the part cannot say); `place`, 1 for the first of that list, 1/2 for the second …, 0 for what is
    not in it; and `silent`, 1 where the part had no list.
    """

    queries: NDArray[np.int64]
    rows: Rows
    said: Features

    @classmethod
    def of(cls, scores: Iterable[Features], limit: int, without: sparse.csr_matrix | None = None) -> Self:
        """The union of the best `limit` of each part. `scores`: (queries, items) for each part, NaN: cannot say.

        Entries of `without` (queries x items) are no candidates. O(scores); `scores` are written to.
        """
        tables = list(scores)
        if without is not None:
            number = np.repeat(np.arange(without.shape[0]), np.diff(without.indptr))
            for table in tables:
                table[number, without.indices] = np.nan
        n_items = tables[0].shape[1]
        lists = [top_rows_and_scores(table, limit) for table in tables]
        keys = []
        for best, _ in lists:
            query, place = np.nonzero(best >= 0)
            keys.append((query * np.int64(n_items) + best[query, place], place))
        pool = np.unique(np.concatenate([key for key, _ in keys]))
        queries, rows = np.divmod(pool, max(n_items, 1))
        said = np.zeros((len(pool), len(OF_PART) * len(tables)), dtype=np.float32)
        for part, (table, (best, values), (key, place)) in enumerate(zip(tables, lists, keys, strict=True)):
            column = len(OF_PART) * part
            said[:, column] = _standing(table[queries, rows], queries, best >= 0, values)
            said[np.searchsorted(pool, key), column + 1] = 1 / (place + 1)
            said[:, column + 2] = ((best >= 0).sum(axis=1) == 0)[queries]
        return cls(queries, rows.astype(np.int32), said)

    def take(self, mask: NDArray[np.bool_]) -> Self:
        """Those where `mask` is True."""
        return replace(self, queries=self.queries[mask], rows=self.rows[mask], said=self.said[mask])


def _standing(scores: Features, queries: NDArray[np.int64], listed: NDArray[np.bool_], values: Features) -> Features:
    size = np.maximum(listed.sum(axis=1), 1)
    heard = np.where(listed, values, 0.0).astype(np.float64)
    mean = heard.sum(axis=1) / size
    spread = np.sqrt((np.where(listed, heard - mean[:, None], 0.0) ** 2).sum(axis=1) / size)
    alike = spread <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    standing = (scores - mean[queries]) / np.where(alike, 1.0, spread)[queries]
    standing = np.where(alike[queries] & ~np.isnan(scores), 0.0, standing)
    # Rounded, because scores of one user and of many at once may differ in their last bits.
    return np.round(np.clip(standing, -FARTHEST, FARTHEST), 3).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """Columns by item, as of one time. Numbers that nobody knows are NaN."""

    published: NDArray[np.float64]  # seconds
    wanted: Features  # (items, WINDOWS): see `_wanted`
    log_price: Features
    price_level: Features  # log of the price over what is usual in the item's categories
    category_ends: NDArray[np.int64]  # categories of item i: category_columns[category_ends[i] : category_ends[i + 1]]
    category_columns: NDArray[np.int32]
    n_categories: int

    @classmethod
    def of(cls, item_ids: Ids, items: Items, interactions: Interactions) -> Self:
        """The facts of `item_ids` as of `interactions.as_of`."""
        rows = items.rows_of(item_ids)
        known = rows >= 0
        log_price = np.full(len(item_ids), np.nan)
        price = items.price[rows[known]]
        log_price[known] = np.log(np.where(price > 0, price, np.nan))
        published = np.full(len(item_ids), np.nan)
        published[known] = items.published[rows[known]]
        sizes = np.zeros(len(item_ids), np.int64)
        chosen = items.categories[rows[known]]
        sizes[known] = np.diff(chosen.indptr)
        ends = np.concatenate([[0], np.cumsum(sizes)])
        return cls(
            published=published,
            wanted=_wanted(item_ids, interactions),
            log_price=log_price.astype(np.float32),
            price_level=_price_level(log_price, ends, chosen.indices, chosen.shape[1]),
            category_ends=ends,
            category_columns=chosen.indices.astype(np.int32),
            n_categories=chosen.shape[1],
        )

    @cached_property
    def categories(self) -> sparse.csr_matrix:
        """Items x categories."""
        ones = np.ones(len(self.category_columns), np.float32)
        shape = (len(self.published), self.n_categories)
        return sparse.csr_matrix((ones, self.category_columns, self.category_ends), shape=shape)

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        """(items, 3): log price and price level, 0 where there is none, and whether there is one."""
        there = ~np.isnan(self.log_price)
        return np.column_stack([np.where(there, self.log_price, 0), np.where(there, self.price_level, 0), there])

    def columns(self, found: Candidates, asked: Queries, usual: NDArray[np.float64], as_of: int) -> Features:
        """One row a candidate; columns are called as `names` says.

        `usual` stands in for the columns NEED_TIMES where the times of the evidence are not known, `as_of` for a time
        that is not. O(candidates x columns + evidence).
        """
        query, rows = found.queries, found.rows
        now = np.where(asked.now > 0, asked.now, as_of)
        liked = asked.histories.maximum(0).tocsr()
        total = np.maximum(np.asarray(liked.sum(axis=1)).ravel(), 1e-12)
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = liked @ self._prices
            usual_price, usual_level = sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2]
        own, own_days, idle_days = _own(asked, query, rows, now, usual)
        size = np.diff(asked.histories.indptr)
        of_day = now % DAY // 3600
        table: list[NDArray[Any]] = [
            _days(now[query] - self.published[rows]),
            *self.wanted[rows].T,
            self.price_level[rows],
            self.log_price[rows] - usual_price[query],
            self.price_level[rows] - usual_level[query],
            self._category_share(liked, query, rows) / total[query],
            own / total[query],
            own_days,
            own_days - idle_days[query] if asked.times is not None else np.where(np.isnan(own_days), np.nan, usual[2]),
            np.log1p(size)[query],
            idle_days[query],
            of_day[query],
            ((now // DAY + 3) % 7)[query],  # 1970 began on a Thursday; Monday is 0
        ]
        return np.column_stack([found.said, *table]).astype(np.float32)

    def _category_share(self, liked: sparse.csr_matrix, query: NDArray[np.int64], rows: Rows) -> NDArray[np.float64]:
        """How much of each user's evidence is in the item's categories, on average over them."""
        cares = (liked @ self.categories).toarray()
        owner, category = entries_of(self.categories, rows)
        sums = np.bincount(owner, cares[query[owner], category], minlength=len(rows))
        return sums / np.maximum(np.diff(self.category_ends)[rows], 1)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "n_categories"}
        return arrays | {"n_categories": np.array([self.n_categories])}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        columns = {name: arrays[name] for name in cls.__dataclass_fields__ if name != "n_categories"}
        return cls(**columns, n_categories=int(arrays["n_categories"][0]))


def _own(
    asked: Queries, query: NDArray[np.int64], rows: Rows, now: NDArray[np.int64], usual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What each user's own evidence says of each candidate: its weight (0: never had) and log days since (NaN: never).

    And, by query, the log days since the latest of all.
    """
    histories = asked.histories
    of = np.repeat(np.arange(len(asked)), np.diff(histories.indptr))
    keys = of * np.int64(histories.shape[1]) + histories.indices
    order = np.argsort(keys)
    wanted = query * np.int64(histories.shape[1]) + rows
    place = np.minimum(np.searchsorted(keys[order], wanted), max(len(keys) - 1, 0))
    had = keys[order][place] == wanted if len(keys) else np.zeros(len(wanted), bool)
    weight, days = np.zeros(len(wanted)), np.full(len(wanted), np.nan)
    weight[had] = histories.data[order][place[had]]
    if asked.times is None:
        days[had] = usual[1]
        return weight, days, np.full(len(asked), usual[0])
    days[had] = _days(now[query[had]] - asked.times.data[order][place[had]])
    latest = np.zeros(len(asked))
    np.maximum.at(latest, of, asked.times.data)
    return weight, days, _days(now - latest)


def _days(seconds: NDArray[Any]) -> NDArray[np.float64]:
    """The logarithm of 1 and that many days; what lies ahead counts as now."""
    return np.asarray(np.log1p(np.maximum(seconds, 0) / DAY), dtype=np.float64)


def _wanted(item_ids: Ids, interactions: Interactions) -> Features:
    """How many users wanted each item within each of WINDOWS, over the mean of the items wanted at all; log of 1 and
    that, so that it means the same in a growing shop.
    """
    result = np.zeros((len(item_ids), len(WINDOWS)), dtype=np.float32)
    speaks = interactions.weights() > 0
    users, items, times = (one[speaks] for one in (interactions.users, interactions.items, interactions.times))
    columns = np.searchsorted(item_ids, interactions.item_ids)
    for number, days in enumerate(WINDOWS):
        recent = times >= interactions.as_of - days * DAY
        pairs = np.unique(users[recent].astype(np.int64) * interactions.n_items + items[recent])
        counts = np.bincount(pairs % max(interactions.n_items, 1), minlength=interactions.n_items)
        if counts.any():
            known = counts > 0
            place = np.minimum(columns[known], len(item_ids) - 1)
            same = item_ids[place] == interactions.item_ids[known]
            result[place[same], number] = np.log1p(counts[known][same] / counts[known].mean())
    return result


def _price_level(
    log_price: NDArray[np.float64], ends: NDArray[np.int64], columns: NDArray[np.integer], n_categories: int
) -> Features:
    """Log price less what is usual in the item's categories; less what is usual at all for items in none."""
    owner = np.repeat(np.arange(len(log_price)), np.diff(ends))
    priced = ~np.isnan(log_price[owner])
    counts = np.bincount(columns[priced], minlength=n_categories)
    sums = np.bincount(columns[priced], log_price[owner[priced]], minlength=n_categories)
    usual = sums / np.maximum(counts, 1)
    everywhere = np.nanmean(log_price) if (~np.isnan(log_price)).any() else 0.0
    sizes = np.diff(ends)
    of_item = np.bincount(owner, usual[columns], minlength=len(log_price)) / np.maximum(sizes, 1)
    return (log_price - np.where(sizes > 0, of_item, everywhere)).astype(np.float32)
