"""Scenario `engine`: what the engine takes for an uncached request, in this process, without HTTP and database.

That is: the home page's pipeline from a user's history, then the request's filter, the rules and the cap per brand.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend import serving_state
from apps.recommend.asking import Ask
from apps.recommend.benchmarks.serving.asking import LIMIT
from apps.recommend.benchmarks.serving.merchandising import FILTER
from apps.recommend.engine.context import Context
from apps.recommend.engine.filters import parse
from apps.recommend.engine.rules.arrange import arrange
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Mask, Query
from apps.recommend.question import question

DEPTH = 50  # of the recall
_RECALL_QUERIES = 200


def measure(plan: dict[str, Any]) -> dict[str, float]:
    """Milliseconds at the percentiles, and the recall of what the home page's indexes find of the exact best."""
    state = serving_state.refresh()
    asked = question(Ask(placement="home", filter=parse(FILTER), limit=LIMIT), state)
    pipeline, controls, active = asked.plan.chain[0], asked.plan.controls, asked.active
    context = Context(items=state.catalog.items, eligible=asked.eligible, models=state.models)

    def answer(query: Query) -> None:
        slate = pipeline.run(query, context).slate
        arrange(
            slate, query=query, context=context, limit=LIMIT, active=active, controls=controls, filter=asked.ask.filter
        )

    queries = _queries(plan["shop"], asked.now)
    for query in queries[: len(queries) // 5]:
        answer(query)
    took, computed = [], []
    for query in queries:
        started, idle = time.perf_counter(), time.thread_time()
        answer(query)
        took.append(time.perf_counter() - started)
        computed.append(time.thread_time() - idle)
    figures = {f"p{share}_ms": float(np.percentile(took, share) * 1000) for share in (50, 90, 99)}
    recalls = [
        _recall(model, queries[:_RECALL_QUERIES], asked.eligible)
        for name, model in state.models.items()
        if name in pipeline.spec.models and "history" in model.indexes
    ]
    figures["processor_p50_ms"] = float(np.median(computed) * 1000)
    return figures | {"recall": min(recalls, default=1.0), "queries": float(len(queries))}


def _queries(shop: str, now: int) -> list[Query]:
    """Histories of users, latest first, of unequal weights."""
    with np.load(shop) as kept:
        users, items = kept["users"], kept["items"]
    rng = np.random.default_rng(7)
    starts = np.searchsorted(users, np.arange(users.max() + 2))
    queries: list[Query] = []
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        rows: NDArray[np.int32] = np.unique(items[first:last]).astype(np.int32)
        history = replace(Evidence.of_rows(rows), weights=rng.uniform(0.2, 5.0, len(rows)).astype(np.float32))
        queries.append(Query(history=history, now=now, user=len(queries) + 1))
    return queries


def _recall(model: ServedModel, queries: list[Query], eligible: Mask) -> float:
    """The mean share of the DEPTH exact best that are found with the index."""
    exact = replace(model, indexes={})
    shares = []
    for query in queries:
        best = exact.best(query, eligible, DEPTH, "").rows
        found = model.best(query, eligible, DEPTH, "").rows
        shares.append(len(np.intersect1d(best, found)) / max(len(best), 1))
    return float(np.mean(shares))
