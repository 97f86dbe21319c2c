"""Fits recipes on the past and asks them about what came next, for every user and over all items."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.compare import Interval, intervals
from apps.recommend.engine.evaluation.ranking import histories, recommended_rows
from apps.recommend.engine.evaluation.report import Difference, Evaluation, Figure, Timing
from apps.recommend.engine.evaluation.splits import Split, items_as_of
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Algorithm, Model
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.types import Interactions, Items, Rows

METRIC_NAMES = ("recall", "ndcg", "map", "mrr", "hit_rate", "coverage")
BASELINES = ("popularity", "item_knn")
HISTORY_LIMIT = 100  # taste events of a user that serving looks at


@dataclass(frozen=True, eq=False)
class Measured:
    """What one model achieved: a column of per-user values for each figure, such as ("recall", 10)."""

    per_user: Mapping[tuple[str, int], NDArray[np.float64]]
    overall: Mapping[tuple[str, int], float]
    recommended: Rows


def measure(
    model: Model,
    split: Split,
    *,
    n_items: int,
    ks: Sequence[int] = (10,),
    metrics: Sequence[str] = METRIC_NAMES,
    exclude_had: bool | None = None,
    history_limit: int | None = HISTORY_LIMIT,
) -> Measured:
    """Ask `model`, which must have been fitted on `split.train` or less, about every tested user.

    All items that the model knows are ranked, none sampled. `n_items` is how many items there were to recommend.
    `exclude_had` leaves out what the user had before, as serving would; default: when such items are no truth.
    """
    evidence = histories(split.train, split.users, history_limit)
    exclude = split.new_only if exclude_had is None else exclude_had
    deepest = max(ks)
    recommended = recommended_rows(model, split, evidence, deepest, exclude_had=exclude, as_of=split.at)
    hits = _hits(recommended, split)
    per_user, overall = {}, {}
    for name in metrics:
        metric = METRICS.create(name)
        for k in ks:
            if hasattr(metric, "overall"):
                overall[name, k] = metric.overall(recommended[:, :k], n_items)
            else:
                per_user[name, k] = metric.per_user(recommended[:, :k], hits[:, :k], split.truth_sizes)
    return Measured(per_user=per_user, overall=overall, recommended=recommended)


def evaluate(
    recipes: Mapping[str, Algorithm],
    interactions: Interactions,
    items: Items,
    split: Split,
    *,
    seed: int,
    ks: Sequence[int] = (10,),
    metrics: Sequence[str] = METRIC_NAMES,
    baselines: Sequence[str] = BASELINES,
    exclude_had: bool | None = None,
    history_limit: int | None = HISTORY_LIMIT,
) -> Evaluation:
    """Fit each recipe on `split.train`, measure it, and compare it, paired by user, with each of `baselines`.

    Recipes are algorithms by the name they are to have in the result. Items that did not exist at the split are
    hidden from all of them. A recipe with too little to learn from is left out and named in the result.
    Intervals are percentile bootstrap intervals over users. Deterministic by `seed`.
    """
    past_items = items_as_of(items, split.train, split.at)
    train = split.train.compact()
    measured: dict[str, Measured] = {}
    timings, skipped = {}, {}
    for number, (name, algorithm) in enumerate(recipes.items()):
        report(f"evaluate {name}", number, len(recipes))
        started = time.perf_counter()
        try:
            model = algorithm.fit(train, past_items, np.random.default_rng([seed, number]))
        except NotEnoughData as lack:
            skipped[name] = str(lack)
            continue
        fitted = time.perf_counter()
        measured[name] = measure(
            model,
            split,
            n_items=len(past_items),
            ks=ks,
            metrics=metrics,
            exclude_had=exclude_had,
            history_limit=history_limit,
        )
        timings[name] = Timing(fitted - started, time.perf_counter() - fitted)
    return Evaluation(
        n_users=len(split.users),
        n_items=len(past_items),
        n_train_events=len(split.train),
        n_truth=int(split.truth.nnz),
        at=split.at,
        until=split.until,
        new_only=split.new_only,
        figures=_figures(measured, seed),
        differences=_differences(measured, baselines, seed),
        timings=timings,
        skipped=skipped,
    )


def compare(ours: Measured, theirs: Measured, *, seed: int) -> dict[str, Interval]:
    """Mean difference of each per-user figure ("ndcg@10") of the same split, paired by user, with its interval."""
    keys = list(ours.per_user)
    values = np.stack([ours.per_user[key] - theirs.per_user[key] for key in keys], axis=1)
    found = intervals(values, np.random.default_rng(seed))
    return {_label(key): interval for key, interval in zip(keys, found, strict=True)}


def _hits(recommended: Rows, split: Split) -> NDArray[np.bool_]:
    """Which recommended items are in the user's truth."""
    n_items = split.train.n_items
    users = np.repeat(np.arange(len(split.users), dtype=np.int64), np.diff(split.truth.indptr))
    truth = np.sort(users * n_items + split.truth.indices)
    asked = np.arange(len(split.users), dtype=np.int64)[:, None] * n_items + recommended
    possible = (recommended >= 0) & (recommended < n_items)
    places = np.minimum(np.searchsorted(truth, asked), len(truth) - 1)
    return np.asarray(possible & (truth[places] == asked))


def _figures(measured: Mapping[str, Measured], seed: int) -> list[Figure]:
    figures = []
    for name, result in measured.items():
        values: Any = np.stack(list(result.per_user.values()), axis=1) if result.per_user else np.empty((1, 0))
        for key, interval in zip(result.per_user, intervals(values, np.random.default_rng(seed)), strict=True):
            figures.append(Figure(name, _label(key), interval.mean, interval.low, interval.high))
        figures += [Figure(name, _label(key), value, None, None) for key, value in result.overall.items()]
    return figures


def _differences(measured: Mapping[str, Measured], baselines: Sequence[str], seed: int) -> list[Difference]:
    differences = []
    for baseline in baselines:
        for name, result in measured.items():
            if baseline in measured and name != baseline and result.per_user:
                for metric, interval in compare(result, measured[baseline], seed=seed).items():
                    differences.append(Difference(name, baseline, metric, interval.mean, interval.low, interval.high))
    return differences


def _label(key: tuple[str, int]) -> str:
    return f"{key[0]}@{key[1]}"
