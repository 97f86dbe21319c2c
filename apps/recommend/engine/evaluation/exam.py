"""Asks a fitted model about every tested user of a split, and measures the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.compare import Interval, intervals
from apps.recommend.engine.evaluation.metric_context import context_of
from apps.recommend.engine.evaluation.ranking import evidence_of, recommended_rows
from apps.recommend.engine.evaluation.splits import Split
from apps.recommend.engine.protocols import MetricContext, Model
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.types import Items, Mask, Rows

METRIC_NAMES = ("recall", "ndcg", "map", "mrr", "hit_rate", "coverage")
HISTORY_LIMIT = 100  # taste events of a user that serving looks at


@dataclass(frozen=True, eq=False)
class Measured:
    """What one model achieved: a column of per-user values for each figure, such as ("recall", 10)."""

    per_user: Mapping[tuple[str, int], NDArray[np.float64]]
    overall: Mapping[tuple[str, int], float]
    recommended: Rows
    hits: Mask  # which of `recommended` are in the user's truth
    lacking: Mapping[str, str]  # metrics that could not be computed, and what they need


@dataclass(frozen=True, eq=False)
class Exam:
    """A split with what is the same for every model that is asked about it: computed once."""

    split: Split
    evidence: sparse.csr_matrix
    context: MetricContext

    @classmethod
    def on(
        cls,
        split: Split,
        *,
        n_items: int,
        items: Items | None = None,
        history_limit: int | None = HISTORY_LIMIT,
        vectors: NDArray[np.float32] | None = None,
    ) -> "Exam":
        """`n_items` is how many items there were to recommend; `items` and `vectors` are told to metrics.

        Figures that need categories (`items`) or vectors (one row an item of `split.train`) are left out without.
        """
        evidence = evidence_of(split, history_limit)
        return cls(split, evidence, context_of(split, evidence, n_items=n_items, items=items, vectors=vectors))

    def take(
        self,
        model: Model,
        *,
        ks: Sequence[int] = (10,),
        metrics: Sequence[str] = METRIC_NAMES,
        exclude_had: bool | None = None,
        threads: int | None = None,
    ) -> Measured:
        """Ask `model`, which must have been fitted on `split.train` or less, about every tested user.

        All items that the model knows are ranked, none sampled. `exclude_had` leaves out what the user had before,
        as serving would; default: when such items are no truth. Metrics are named as for `metric_called`.
        """
        split = self.split
        exclude = split.new_only if exclude_had is None else exclude_had
        recommended = recommended_rows(
            model, split, self.evidence, max(ks), exclude_had=exclude, as_of=split.at, threads=threads
        )
        hits = _hits(recommended, split)
        sizes = split.truth_sizes
        per_user, overall, lacking = {}, {}, {}
        for name in metrics:
            metric = metric_called(name)
            for k in ks:
                try:
                    if hasattr(metric, "overall"):
                        overall[name, k] = metric.overall(recommended[:, :k], self.context)
                    else:
                        per_user[name, k] = metric.per_user(recommended[:, :k], hits[:, :k], sizes, self.context)
                except NotEnoughData as lack:  # such as categories in a catalog that has none
                    lacking[name] = str(lack)
        return Measured(per_user=per_user, overall=overall, recommended=recommended, hits=hits, lacking=lacking)


def measure(
    model: Model,
    split: Split,
    *,
    n_items: int,
    items: Items | None = None,
    ks: Sequence[int] = (10,),
    metrics: Sequence[str] = METRIC_NAMES,
    exclude_had: bool | None = None,
    history_limit: int | None = HISTORY_LIMIT,
) -> Measured:
    """`Exam.on` and `Exam.take` in one, for one model."""
    exam = Exam.on(split, n_items=n_items, items=items, history_limit=history_limit)
    return exam.take(model, ks=ks, metrics=metrics, exclude_had=exclude_had)


def compare(ours: Measured, theirs: Measured, *, seed: int) -> dict[str, Interval]:
    """Mean difference of each per-user figure ("ndcg@10") of the same split, paired by user, with its interval."""
    keys = list(ours.per_user)
    values = np.stack([ours.per_user[key] - theirs.per_user[key] for key in keys], axis=1)
    found = intervals(values, np.random.default_rng(seed))
    return {f"{name}@{k}": interval for (name, k), interval in zip(keys, found, strict=True)}


def metric_called(name: str) -> Any:
    """The metric of this name; `diversity_by_vectors` is the metric `diversity` with its parameter `by` at vectors."""
    if name in METRICS:
        return METRICS.create(name)
    plain, _, by = name.partition("_by_")
    return METRICS.create(plain, {"by": by} if by else None)


def _hits(recommended: Rows, split: Split) -> Mask:
    """Which recommended items are in the user's truth."""
    n_items = split.train.n_items
    users = np.repeat(np.arange(len(split.users), dtype=np.int64), np.diff(split.truth.indptr))
    truth = np.sort(users * n_items + split.truth.indices)
    asked = np.arange(len(split.users), dtype=np.int64)[:, None] * n_items + recommended
    possible = (recommended >= 0) & (recommended < n_items)
    places = np.minimum(np.searchsorted(truth, asked), len(truth) - 1)
    return np.asarray(possible & (truth[places] == asked))
