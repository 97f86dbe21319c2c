"""What a pipeline proposes to the users of a split before it diversifies: slates to try stages on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.recommend import recipes
from apps.recommend.engine.context import Context
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.exam import HISTORY_LIMIT, Exam
from apps.recommend.engine.evaluation.splits import Split, items_as_of
from apps.recommend.engine.pipeline import Pipeline
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Stage
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Slate
from apps.recommend.engine.worth_columns import WorthColumns


@dataclass(frozen=True, eq=False)
class Candidates:
    """A slate for each tested user of `exam`, in catalog rows, and what it takes to rerank and to measure it."""

    exam: Exam
    context: Context
    queries: Sequence[Query]
    slates: Sequence[Slate]

    @classmethod
    def of(cls, pipeline: Pipeline, split: Split, items: Items, models: Sequence[str], seed: int) -> "Candidates":
        """Fit `models` (recipes by name) on what there was before the split, and ask `pipeline` for every user.

        Models with too little to learn from are left out, as a shop's first days would.
        """
        past = items_as_of(items, split.train, split.at)
        train = split.train.compact()
        served = {}
        for number, name in enumerate(models):
            report("fit", number, len(models))
            try:
                model = recipes.recipe(name).build().fit(train, past, np.random.default_rng([seed, number]))
            except NotEnoughData:
                continue
            served[name] = ServedModel.over(past, model, name=name, version=name)
        report("fit", len(models), len(models))
        context = Context(items=past, eligible=np.ones(len(past), bool), models=served)
        queries = _queries(split, past)
        slates = []
        for number, query in enumerate(queries):
            report("ask", number, len(queries))
            slates.append(pipeline.run(query, context).slate)
        report("ask", len(queries), len(queries))
        return cls(Exam.on(split, n_items=len(past), items=past), context, queries, slates)

    def lists(self, stages: Sequence[Stage], k: int) -> Rows:
        """The first `k` of each slate after `stages`, as rows of the split; -1 where a slate is short."""
        items, train = self.context.items, self.exam.split.train
        of_split = np.full(len(items), -1, dtype=np.int32)
        rows = items.rows_of(train.item_ids)
        of_split[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        strangers = np.flatnonzero(of_split < 0)
        of_split[strangers] = train.n_items + np.arange(len(strangers))
        lists = np.full((len(self.slates), k), -1, dtype=np.int32)
        for user, (slate, query) in enumerate(zip(self.slates, self.queries, strict=True)):
            for stage in stages:
                slate = stage(slate, query, self.context)
            first = slate.rows[:k]
            lists[user, : len(first)] = of_split[first]
        return lists

    def measured(self, lists: Rows, metrics: Sequence[str]) -> dict[str, Any]:
        """Each metric's values, one a user, or its one value for all lists. Raises NotEnoughData as metrics do."""
        split = self.exam.split
        known = (lists >= 0) & (lists < split.train.n_items)
        users = np.broadcast_to(np.arange(len(lists))[:, None], lists.shape)
        wanted = split.truth[users.ravel(), np.where(known, lists, 0).ravel()]
        hits = known & np.asarray(wanted, dtype=bool).reshape(lists.shape)
        found: dict[str, Any] = {}
        for name in metrics:
            metric = METRICS.create(name)
            if hasattr(metric, "overall"):
                found[name] = metric.overall(lists, self.exam.context)
            else:
                found[name] = metric.per_user(lists, hits, split.truth_sizes, self.exam.context)
        return found


def _queries(split: Split, items: Items) -> list[Query]:
    """What each tested user is known to have done, latest first, as serving would ask."""
    known = split.known
    weights = known.weights()
    chosen = np.flatnonzero((weights != 0) & np.isin(known.users, split.users))
    rows = items.rows_of(known.item_ids)[known.items]
    chosen = chosen[rows[chosen] >= 0]
    chosen = chosen[np.lexsort((-known.times[chosen], known.users[chosen]))]
    starts = np.searchsorted(known.users[chosen], split.users)
    ends = np.searchsorted(known.users[chosen], split.users, side="right")
    worth = WorthColumns.of(known.worth)
    queries = []
    for user, start, end in zip(split.users, starts, ends, strict=True):
        mine = chosen[start : min(end, start + HISTORY_LIMIT)]
        history = Evidence.of_events(rows[mine], weights[mine], known.types[mine], worth, known.times[mine])
        queries.append(Query(history=history, now=split.at, user=int(known.user_ids[user])))
    return queries


def cut_times(interactions: Interactions, shares: Sequence[float]) -> list[int]:
    """The times by which these shares of the taste events had happened. Raises NotEnoughData where there are none."""
    wanted = [worth.name for worth in interactions.worth.values() if worth.taste and worth.weight > 0]
    times = interactions.times[interactions.of_types(wanted)]
    if not len(times):
        raise NotEnoughData("events of taste", 0, 1)
    return [int(np.quantile(times, share)) for share in shares]
