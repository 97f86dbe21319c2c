"""One algorithm on trial: fitted on pairs, asked about many users at once."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.benchmarks.lightgcn_file import as_interactions
from apps.recommend.engine.evaluation.ranking import each_batch, top_rows_and_scores
from apps.recommend.engine.merge import Lists
from apps.recommend.engine.part_models import answers
from apps.recommend.engine.protocols import Model
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import NOBODY, Items, Queries, Rows

K = 20  # the published figures' list length
DISCOUNTS = 1 / np.log2(np.arange(2, K + 2))


@dataclass(frozen=True, eq=False)
class Asked:
    """Users whose histories (users x items) are known and whose `truth` (same shape) is asked for."""

    histories: sparse.csr_matrix
    truth: sparse.csr_matrix

    def per_user(self, lists: Rows) -> NDArray[np.float64]:
        """Recall@20 and NDCG@20 of each user's list: shape (users, 2). The ideal list holds min(20, truth) hits."""
        n_items = self.truth.shape[1]
        sizes = np.diff(self.truth.indptr)
        users = np.arange(len(sizes), dtype=np.int64)
        wanted = np.repeat(users, sizes) * n_items + self.truth.indices  # ascending, since indices are sorted
        asked = users[:, None] * n_items + lists
        places = np.minimum(np.searchsorted(wanted, asked), len(wanted) - 1)
        hits = (lists >= 0) & (wanted[places] == asked)
        gains = (hits * DISCOUNTS[: lists.shape[1]]).sum(axis=1)
        ideal = np.cumsum(DISCOUNTS)[np.minimum(sizes, K) - 1]
        return np.stack([hits.sum(axis=1) / sizes, gains / ideal], axis=1)


def fitted(algorithm: str, parameters: Mapping[str, Any], had: sparse.csr_matrix, seed: int) -> tuple[Model, float]:
    """The algorithm's model of the pairs of `had`, and the seconds that fitting took."""
    users, items = had.nonzero()
    pairs = (users.astype(np.int32), items.astype(np.int32))
    interactions = as_interactions(pairs, *had.shape)
    started = time.perf_counter()
    catalog = _nameless(had.shape[1])
    model = ALGORITHMS.create(algorithm, dict(parameters)).fit(interactions, catalog, np.random.default_rng(seed))
    return model, time.perf_counter() - started


def lists_of(model: Model, histories: sparse.csr_matrix, length: int) -> Lists:
    """The `length` best items for each history, without what it holds, in ids; row -1: no more. On every core."""
    ids = np.asarray(model.item_ids)
    known = histories[:, ids].tocsr()
    known.sort_indices()
    rows = np.full((histories.shape[0], length), -1, dtype=np.int32)
    scores = np.zeros((histories.shape[0], length), dtype=np.float32)

    def rank(batch: slice) -> None:
        mine = known[batch]
        asked = Queries(mine, None, np.full(mine.shape[0], NOBODY), np.zeros(mine.shape[0], dtype=np.int64))
        found = np.require(answers(model, asked), np.float32, ["C", "W"])
        had = mine.tocoo()
        found[had.row, had.col] = np.nan
        best, values = top_rows_and_scores(found, length)
        rows[batch, : best.shape[1]] = np.where(best >= 0, ids[best], -1)
        scores[batch, : best.shape[1]] = np.where(best >= 0, values, 0.0)

    each_batch(rank, histories.shape[0], len(ids))
    return Lists(rows, scores)


def _nameless(n_items: int) -> Items:
    """A catalog of which nothing is known but the ids."""
    return Items(
        ids=np.arange(n_items, dtype=np.int64),
        available=np.ones(n_items, dtype=bool),
        price=np.full(n_items, np.nan),
        published=np.zeros(n_items, dtype=np.int64),
        categories=sparse.csr_matrix(np.zeros((n_items, 0), dtype=np.float32)),
        category_ids=np.empty(0, dtype=np.int64),
        parents=np.full(n_items, -1, dtype=np.int32),
    )
