"""A model's full ranking of everything it knows, for many users at once, on every core."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

from apps.recommend.engine.evaluation.splits import Split
from apps.recommend.engine.evaluation.top import top_rows, top_rows_and_scores
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Model
from apps.recommend.engine.types import (
    Evidence,
    Ids,
    Interactions,
    Queries,
    Query,
    Rows,
    Scores,
    rows_of,
)

__all__ = ["each_batch", "evidence_of", "histories", "recency", "recommended_rows", "top_rows", "top_rows_and_scores"]

BATCH_SCORES = 4_000_000  # scores a thread computes at once: 16 MB, so that they are still cached when they are ranked


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


def recency(known: Interactions, users: Rows) -> sparse.csr_matrix:
    """For each of `users` (rows) and item, the place in time of the latest taste event: higher is later, from 1."""
    return _of_latest(known, users, times=False)


def latest_times(known: Interactions, users: Rows) -> sparse.csr_matrix:
    """For each of `users` (rows) and item, the time of the latest taste event. Float64, which holds seconds exactly."""
    return _of_latest(known, users, times=True)


def _of_latest(known: Interactions, users: Rows, *, times: bool) -> sparse.csr_matrix:
    chosen = np.flatnonzero((known.weights() != 0) & np.isin(known.users, users))
    chosen = chosen[np.argsort(known.times[chosen], kind="stable")]
    keys = known.users[chosen].astype(np.int64) * known.n_items + known.items[chosen]
    _, from_end = np.unique(keys[::-1], return_index=True)
    last = len(chosen) - 1 - from_end
    places = rows_of(users.astype(np.int64), known.users[chosen[last]].astype(np.int64))
    shape = (len(users), known.n_items)
    data = known.times[chosen[last]].astype(np.float64) if times else last + 1.0
    return sparse.csr_matrix((data, (places, known.items[chosen[last]])), shape=shape)


def aligned(values: sparse.csr_matrix, like: sparse.csr_matrix) -> sparse.csr_matrix:
    """`values` where `like` has entries, in the same places; 0 where `values` has none. Both with sorted indices."""
    width = like.shape[1]
    wanted, known = (
        np.repeat(np.arange(one.shape[0], dtype=np.int64), np.diff(one.indptr)) * width + one.indices
        for one in (like, values)
    )
    places = rows_of(known, wanted)
    data = np.where(places >= 0, values.data[places], 0) if len(known) else np.zeros(len(wanted))
    return sparse.csr_matrix((data, like.indices, like.indptr), shape=like.shape)


def evidence_of(split: Split, limit: int | None) -> sparse.csr_matrix:
    """What the tested users of `split` have to say for themselves: `histories` of what it lets the model know."""
    return histories(split.known, split.users, limit)


def recommended_rows(
    model: Model,
    split: Split,
    evidence: sparse.csr_matrix,
    k: int,
    *,
    exclude_had: bool,
    as_of: int,
    threads: int | None = None,
) -> Rows:
    """The `k` best items for each tested user as rows of `split.train.item_ids`, -1 where the model has no more.

    `evidence` is what `evidence_of` gives. Items of the model that no event ever named keep their place in the
    ranking but can never be a hit: they get rows beyond the last item. Only `split.candidates` are ranked.

    Batches of users are ranked by `threads` threads (default: one a core), BLAS limited to one thread in each;
    the result does not depend on how many. O(users x items).
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
    timed = hasattr(model, "score_queries")
    one_by_one = not (timed or hasattr(model, "score_batch") or hasattr(model, "score_users"))
    order = evidence
    if one_by_one or timed:
        order = ((latest_times if timed else recency)(split.known, split.users) @ translate).tocsr()
        order.sort_indices()
    if timed:
        order = aligned(order, evidence)
    kept = None if split.candidates is None else np.flatnonzero(rows_of(split.candidates, model_ids) >= 0)
    result = np.full((len(split.users), k), -1, dtype=np.int32)

    user_ids = split.train.user_ids[split.users]

    def rank(batch: slice) -> None:
        scores = _scores(model, evidence[batch], order[batch], user_ids[batch], as_of)
        if exclude_had:
            mine = had[batch].tocoo()
            scores[mine.row, mine.col] = np.nan
        best = top_rows(scores if kept is None else scores[:, kept], k)
        columns = best if kept is None or not len(kept) else kept[best]
        result[batch, : best.shape[1]] = np.where(best >= 0, to_split[columns], -1)

    each_batch(rank, len(split.users), len(model_ids), threads)
    return result


def each_batch(work: Callable[[slice], None], n_users: int, n_items: int, threads: int | None = None) -> None:
    """Call `work` with slices that cover `n_users`, in `threads` threads, BLAS limited to one thread.

    The slices do not depend on `threads`. The first exception ends it all.
    """
    from threadpoolctl import threadpool_limits  # not needed where nothing is evaluated

    batches = list(_batches(n_users, n_items))
    threads = min(threads or os.cpu_count() or 1, max(len(batches), 1))
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        for number, _ in enumerate(pool.map(work, batches)):
            report("rank", number + 1, len(batches))


def _scores(model: Any, evidence: sparse.csr_matrix, order: sparse.csr_matrix, user_ids: Ids, as_of: int) -> Scores:
    """Scores of all the model's items, that may be written to.

    `order`: as `recency`, for models asked one by one; for a TimedModel the times of the evidence.
    """
    if hasattr(model, "score_queries"):
        asked = Queries(evidence, order, user_ids, np.full(len(user_ids), as_of, np.int64))
        return np.require(model.score_queries(asked), np.float32, ["C", "W"])
    if hasattr(model, "score_users"):
        return np.require(model.score_users(user_ids, evidence), np.float32, ["C", "W"])
    if hasattr(model, "score_batch"):
        return np.require(model.score_batch(evidence), np.float32, ["C", "W"])
    rows = np.arange(evidence.shape[1], dtype=np.int32)
    scores = np.empty(evidence.shape, dtype=np.float32)
    for user in range(evidence.shape[0]):
        mine = slice(evidence.indptr[user], evidence.indptr[user + 1])
        items = evidence.indices[mine].astype(np.int32)
        times = slice(order.indptr[user], order.indptr[user + 1])
        latest_first = np.argsort(-order.data[times][np.searchsorted(order.indices[times], items)])
        items, weights = items[latest_first], evidence.data[mine][latest_first]
        history = Evidence(items, weights, np.full(len(items), -1, np.int16))
        scores[user] = model.score(Query(history=history, now=as_of, user=int(user_ids[user])), rows)
    return scores


def _batches(n_users: int, n_items: int) -> Iterator[slice]:
    size = max(1, BATCH_SCORES // max(n_items, 1))
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))
