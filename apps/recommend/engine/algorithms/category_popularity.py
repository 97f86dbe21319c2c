"""What is wanted most in the categories a user cares for: a good answer for somebody hardly known."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.category_loops import cared_for, reached, shares_of
from apps.recommend.engine.demand import demand
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import unknown
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.scratch import scratch
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Scores, tie_break

DEPTH = 1024  # how many of a category's best are at hand
SAMPLED = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])  # places in a category's list that are looked at first
SINGLE = 1.5  # times what a single category must say of an item that is to be found


@dataclass(frozen=True, eq=False)
class _Leaders:
    """The DEPTH largest shares of each category, best first: from `starts[c]` to `starts[c + 1]`.

    `samples` (categories x SAMPLED) are the shares at those places, 0 where the list is shorter.
    """

    rows: Rows
    starts: NDArray[np.int64]
    samples: NDArray[np.float32]

    @classmethod
    def of(cls, shares: sparse.csr_matrix) -> Self:
        of_category = shares.tocsc()
        sizes = np.diff(of_category.indptr)
        column = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((tie_break(of_category.indices), -of_category.data, column))
        place = np.arange(len(order)) - np.repeat(of_category.indptr[:-1], sizes)
        order, column, place = order[place < DEPTH], column[place < DEPTH], place[place < DEPTH]
        samples = np.zeros((len(sizes), len(SAMPLED)), dtype=np.float32)
        sample = np.searchsorted(SAMPLED, place + 1)
        at = np.flatnonzero((sample < len(SAMPLED)) & (SAMPLED[np.minimum(sample, len(SAMPLED) - 1)] == place + 1))
        samples[column[at], sample[at]] = of_category.data[order[at]]
        starts = np.concatenate([[0], np.cumsum(np.minimum(sizes, DEPTH))])
        return cls(of_category.indices[order].astype(np.int32), starts, samples)


@dataclass(frozen=True, eq=False)
class CategoryPopularityModel:
    """`shares` (items x categories) says which part of what is wanted in a category is wanted of the item.

    A piece of evidence speaks for its item's categories in the parts that `speaks` gives, at the same places as
    `data`: the less is wanted in a category the narrower it is, and the more it is spoken for. An item's score is the
    sum of its shares in the categories spoken for. Dislikes say nothing.
    """

    item_ids: NDArray[np.int64]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    data: NDArray[np.float32]
    speaks: NDArray[np.float32]
    n_categories: int

    @cached_property
    def shares(self) -> sparse.csr_matrix:
        return self._over_categories(self.data)

    @cached_property
    def _speaks_for(self) -> sparse.csr_matrix:
        return self._over_categories(self.speaks)

    def _over_categories(self, data: NDArray[np.float32]) -> sparse.csr_matrix:
        return sparse.csr_matrix((data, self.indices, self.indptr), shape=(len(self.item_ids), self.n_categories))

    def score(self, query: Query, rows: Rows) -> Scores:
        care, spoken = self._cared_for(query)
        if not spoken:
            return unknown(rows)
        scores: Scores = shares_of(self.indptr, self.indices, self.data, care, np.ascontiguousarray(rows, np.int32))
        return scores

    def best_rows(self, query: Query, limit: int) -> tuple[Rows, Scores] | None:
        """The `limit` best rows and some more, with exact scores; all with a score above 0 where those are fewer.

        None: `limit` is beyond DEPTH. Only the beginnings of the lists of the categories cared for are read. An item
        is missed where no single category says 1 / SINGLE of the score that the last of the best has, or where DEPTH
        others are wanted more in each of its categories: with categories in a tree, the very last ones only.
        """
        if limit > DEPTH:
            return None
        care, spoken = self._cared_for(query)
        if not spoken:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        leaders, marks = self._leaders, scratch(len(self.item_ids))
        rows = reached(leaders.rows, leaders.starts, leaders.samples, SAMPLED, care, limit, SINGLE, marks)
        return rows, shares_of(self.indptr, self.indices, self.data, care, rows)

    def _cared_for(self, query: Query) -> tuple[NDArray[np.float32], int]:
        """How much the evidence speaks for each category and for how many it does; 0 where nothing is liked."""
        evidence = query.evidence
        care, spoken = cared_for(
            self.indptr, self.indices, self.speaks, self.n_categories, evidence.rows, evidence.weights
        )
        return care, int(spoken)

    @cached_property
    def _leaders(self) -> "_Leaders":
        return _Leaders.of(self.shares)

    def prepare(self) -> None:
        """Sort each category's items now, so that no request waits for it."""
        _ = self._leaders

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN: nothing liked."""
        liked = histories.maximum(0)
        total = np.asarray(liked.sum(axis=1)).ravel()
        scores = np.asarray((liked @ self._speaks_for @ self.shares.T).todense(), dtype=np.float32)
        return scores / np.where(total > 0, total, np.nan).astype(np.float32)[:, None]

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        evidence = _liked(query.evidence)
        if not evidence.weights.any():
            return np.zeros((len(rows), len(evidence)), dtype=np.float32)
        near = np.asarray((self.shares[rows] @ self._speaks_for[evidence.rows].T).todense())
        return np.asarray(near * evidence.weights / evidence.weights.sum(), dtype=np.float32)

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "indptr": self.indptr,
            "indices": self.indices,
            "data": self.data,
            "speaks": self.speaks,
            "n_categories": np.array([self.n_categories]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            item_ids=arrays["item_ids"],
            indptr=arrays["indptr"],
            indices=arrays["indices"],
            data=arrays["data"],
            speaks=arrays["speaks"],
            n_categories=int(arrays["n_categories"][0]),
        )


def _liked(evidence: Evidence) -> Evidence:
    return Evidence(evidence.rows, np.maximum(evidence.weights, 0), evidence.types)


@ALGORITHMS.register("category_popularity")
class CategoryPopularity:
    """Popularity as a share of each category's; items in no category make one of their own.

    With a short `window_days` and `half_life_days` it is what is trending in the categories the user cares for.
    """

    class Config(ComponentConfig):
        """Nothing to set."""

    Model = CategoryPopularityModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> CategoryPopularityModel:
        if not len(interactions):
            raise NotEnoughData("events", 0, 1)
        popularity = demand(interactions)
        membership = _categories_of(interactions.item_ids, items)
        item = np.repeat(np.arange(membership.shape[0]), np.diff(membership.indptr))
        wanted_in = np.bincount(membership.indices, popularity[item], minlength=membership.shape[1])
        narrow = np.divide(1.0, wanted_in, out=np.zeros_like(wanted_in), where=wanted_in > 0)[membership.indices]
        of_item = np.bincount(item, narrow, minlength=membership.shape[0])
        speaks = narrow / np.where(of_item > 0, of_item, 1)[item]
        return CategoryPopularityModel(
            item_ids=interactions.item_ids,
            indptr=membership.indptr.astype(np.int32),
            indices=membership.indices.astype(np.int32),
            data=(popularity[item] * narrow).astype(np.float32),
            speaks=speaks.astype(np.float32),
            n_categories=membership.shape[1],
        )


def _categories_of(item_ids: NDArray[np.int64], items: Items) -> sparse.csr_matrix:
    """Memberships of `item_ids` (rows), one more column at the end for items without a category."""
    rows = items.rows_of(item_ids)
    of_known = items.categories[rows[rows >= 0]].astype(np.float64)
    places = sparse.csr_matrix(
        (np.ones(of_known.shape[0]), (np.flatnonzero(rows >= 0), np.arange(of_known.shape[0]))),
        shape=(len(item_ids), of_known.shape[0]),
    )
    known = (places @ of_known).tocsr()
    homeless = sparse.csr_matrix((known.getnnz(axis=1) == 0).astype(np.float64)[:, None])
    result: sparse.csr_matrix = sparse.hstack([known, homeless]).tocsr()
    result.sort_indices()
    return result
