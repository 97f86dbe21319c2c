"""A model's full ranking of everything it knows, for many users at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.evaluation.splits import Split
from apps.recommend.engine.protocols import Model
from apps.recommend.engine.types import Evidence, Interactions, Query, Rows, rows_of, tie_break

BATCH_SCORES = 8_000_000  # scores computed at once: bounds memory at about 200 MB


def histories(train: Interactions, users: Rows, limit: int | None) -> sparse.csr_matrix:
    """Evidence weights of `users` (rows) by item as of `train.as_of`: each user's `limit` latest taste events."""
    weights = train.weights()
    chosen = np.flatnonzero((weights != 0) & np.isin(train.users, users))
    if limit is not None:
        order = chosen[np.lexsort((-train.times[chosen], train.users[chosen]))]
        by_user = train.users[order]
        chosen = order[np.arange(len(order)) - np.searchsorted(by_user, by_user) < limit]
    places = rows_of(users.astype(np.int64), train.users[chosen].astype(np.int64))
    shape = (len(users), train.n_items)
    matrix = sparse.csr_matrix((weights[chosen], (places, train.items[chosen])), shape=shape, dtype=np.float32)
    matrix.sort_indices()
    return matrix


def recommended_rows(
    model: Model, split: Split, evidence: sparse.csr_matrix, k: int, *, exclude_had: bool, as_of: int
) -> Rows:
    """The `k` best items for each tested user as rows of `split.train.item_ids`, -1 where the model has no more.

    `evidence` is what `histories` gives. Items of the model that no event ever named keep their place in the
    ranking but can never be a hit: they get rows beyond the last item.
    """
    model_ids = np.asarray(model.item_ids)
    to_split = rows_of(split.train.item_ids, model_ids)
    strangers = np.flatnonzero(to_split < 0)
    to_split[strangers] = split.train.n_items + np.arange(len(strangers))
    columns = rows_of(model_ids, split.train.item_ids)
    known_items = np.flatnonzero(columns >= 0)
    translate = sparse.csr_matrix(
        (np.ones(len(known_items), np.float32), (known_items, columns[known_items])),
        shape=(split.train.n_items, len(model_ids)),
    )
    evidence = (evidence @ translate).tocsr()
    evidence.sort_indices()
    had = (split.had.astype(np.float32) @ translate).tocsr()
    result = np.full((len(split.users), k), -1, dtype=np.int32)
    for batch in _batches(len(split.users), len(model_ids)):
        scores = _scores(model, evidence[batch], as_of)
        if exclude_had:
            mine = had[batch].tocoo()
            scores[mine.row, mine.col] = np.nan
        best = top_rows(scores, k)
        result[batch, : best.shape[1]] = np.where(best >= 0, to_split[best], -1)
    return result


def top_rows(scores: NDArray[np.float32], k: int) -> Rows:
    """Columns of the `k` highest of each row, best first, -1 for NaN; ties in the order of their hash, not place."""
    k = min(k, scores.shape[1])
    best = np.full((len(scores), k), -1, dtype=np.int32)
    if k:
        losses = np.where(np.isnan(scores), np.float32(np.inf), -scores)
        bounds = np.partition(losses, k - 1, axis=1)[:, k - 1]
        users, columns = np.nonzero((losses <= bounds[:, None]) & (losses < np.inf))
        order = np.lexsort((tie_break(columns), losses[users, columns], users))
        users, columns = users[order], columns[order]
        places = np.arange(len(users)) - np.searchsorted(users, users)
        kept = places < k
        best[users[kept], places[kept]] = columns[kept]
    return best


def _scores(model: Any, evidence: sparse.csr_matrix, as_of: int) -> NDArray[np.float32]:
    if hasattr(model, "score_batch"):
        return np.asarray(model.score_batch(evidence), dtype=np.float32)
    rows = np.arange(evidence.shape[1], dtype=np.int32)
    scores = np.empty(evidence.shape, dtype=np.float32)
    for user in range(evidence.shape[0]):
        mine = slice(evidence.indptr[user], evidence.indptr[user + 1])
        items = evidence.indices[mine].astype(np.int32)
        history = Evidence(items, evidence.data[mine], np.full(len(items), -1, np.int16))
        scores[user] = model.score(Query(history=history, now=as_of), rows)
    return scores


def _batches(n_users: int, n_items: int) -> Iterator[slice]:
    size = max(1, BATCH_SCORES // max(n_items, 1))
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))
