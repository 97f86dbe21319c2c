"""What is wanted most in the categories a user cares for: a good answer for somebody hardly known."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import unknown
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Scores


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
        evidence = _liked(query.evidence)
        if not evidence.weights.any():
            return unknown(rows)
        cared_for = evidence.weights @ self._speaks_for[evidence.rows]
        return np.asarray(self.shares[rows] @ cared_for / evidence.weights.sum(), dtype=np.float32)

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
        users_by_items = interactions.matrix()
        users_by_items.data = np.sqrt(users_by_items.data)  # as popularity counts: ten by one are less than ten by ten
        popularity = np.asarray(users_by_items.sum(axis=0, dtype=np.float64)).ravel()
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
