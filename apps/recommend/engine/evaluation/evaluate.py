"""Fits recipes on the past and asks them about what came next, for every user and over all items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.exam import HISTORY_LIMIT, METRIC_NAMES, Exam, Measured, compare, measure
from apps.recommend.engine.evaluation.pooling import Observed, Pooled, Slices, evaluation_of
from apps.recommend.engine.evaluation.report import Evaluation
from apps.recommend.engine.evaluation.slices import Grouping, sliced
from apps.recommend.engine.evaluation.splits import Split, items_as_of
from apps.recommend.engine.progress import OutOfTime, report, time_limit
from apps.recommend.engine.protocols import Algorithm, FittedModel
from apps.recommend.engine.types import Items, rows_of

__all__ = [
    "BASELINES", "HISTORY_LIMIT", "METRIC_NAMES", "Exam", "Measured", "Protocol", "compare", "evaluate",
    "evaluate_tasks", "measure",
]  # fmt: skip

BASELINES = ("popularity", "item_knn")

Slicer = Callable[[Split], Sequence[Grouping]]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How models are asked and measured."""

    seed: int
    ks: Sequence[int] = (10,)
    metrics: Sequence[str] = METRIC_NAMES
    exclude_had: bool | None = None  # leave out what users had; None: when it is no truth
    history_limit: int | None = HISTORY_LIMIT
    slicer: Slicer | None = None  # how to slice a split; None: not at all
    likeness: Algorithm | None = None  # its model's vectors tell metrics how alike items are
    budget_seconds: float | None = None
    threads: int | None = None  # for ranking; None: one a core


def evaluate(
    recipes: Mapping[str, Algorithm],
    items: Items,
    split: Split,
    protocol: Protocol,
    *,
    baselines: Sequence[str] = BASELINES,
) -> Evaluation:
    """`evaluate_tasks` for one split."""
    return evaluate_tasks(recipes, items, {"": [split]}, protocol, baselines={"": baselines})[""]


def evaluate_tasks(
    recipes: Mapping[str, Algorithm],
    items: Items,
    tasks: Mapping[str, Sequence[Split]],
    protocol: Protocol,
    *,
    baselines: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Evaluation]:
    """Fit each recipe on each split's `train`, measure it in each task, and compare it with the task's `baselines`.

    Recipes are algorithms by the name they are to have in the result. Splits that share their `train` (the very
    object) share the fitted models. A task's splits are pooled: each user of each split is an observation, and the
    bootstrap draws users with all theirs. Items that did not exist at a split are hidden from all models. A recipe
    with too little to learn from at any split is left out and named in the result.

    When `protocol.budget_seconds` are over it ends with the splits that all models were asked about, or, if that is
    none, with the models that were asked; the result says so. Raises OutOfTime where nothing at all was finished.
    Deterministic by `protocol.seed`, apart from that.
    """
    run = _Run(recipes, items, {name: Pooled(list(splits)) for name, splits in tasks.items()}, protocol)
    stopped = ""
    try:
        with time_limit(protocol.budget_seconds):
            run.carry_out()
    except OutOfTime as over:
        stopped = str(over)
        if not any(pooled.observed for pooled in run.pooled.values()):
            raise
    found = {}
    for name, pooled in run.pooled.items():
        for model, why in run.skipped.items():
            pooled.drop(model, why)
        if stopped:
            pooled.cut_short([name for name in recipes if name not in run.skipped], stopped)
        if pooled.splits:
            against = (baselines or {}).get(name, BASELINES)
            found[name] = evaluation_of(pooled, baselines=against, seed=protocol.seed)
    return found


class _Run:
    """Fits and asks, one split after another, and keeps what came out."""

    def __init__(
        self, recipes: Mapping[str, Algorithm], items: Items, pooled: dict[str, Pooled], protocol: Protocol
    ) -> None:
        self.recipes = recipes
        self.items = items
        self.pooled = pooled
        self.protocol = protocol
        self.skipped: dict[str, str] = {}

    def carry_out(self) -> None:
        firsts = {id(split.train): split for pooled in self.pooled.values() for split in pooled.splits}
        steps = len(firsts) * len(self.recipes)
        for number, first in enumerate(firsts.values()):
            self._one_train(first, number * len(self.recipes), steps)
        report("evaluate", steps, steps)

    def _one_train(self, first: Split, done: int, steps: int) -> None:
        """Fit every recipe on what `first` learns from, and ask it in every task that learns from the same."""
        past_items = items_as_of(self.items, first.train, first.at, also=first.candidates)
        train = first.train.compact()
        exams = self._exams(first, past_items)
        for which, (name, algorithm) in enumerate(self.recipes.items()):
            report("evaluate", done + which, steps)
            report(f"fit {name}", 0, 1)
            if name in self.skipped:
                continue
            started = perf_counter()
            try:
                model = algorithm.fit(train, past_items, self._rng(name))
            except NotEnoughData as lack:
                self.skipped[name] = str(lack)
                continue
            except MemoryError:
                self.skipped[name] = "needs more memory than it may use"
                continue
            seconds = perf_counter() - started
            report(f"rank {name}", 0, 1)
            taken = {task: self._asked(model, exam, groupings, seconds) for task, (exam, groupings) in exams.items()}
            for task, observed in taken.items():  # only when all tasks are done: a model counts as a whole
                self.pooled[task].observed.setdefault(name, []).append(observed)

    def _rng(self, name: str) -> np.random.Generator:
        """By name, so that a model is the same in whatever company it is evaluated."""
        return np.random.default_rng([self.protocol.seed, *name.encode()])

    def _exams(self, first: Split, past_items: Items) -> dict[str, tuple[Exam, Sequence[Grouping]]]:
        vectors = self._vectors(first, past_items)
        exams = {}
        for task, pooled in self.pooled.items():
            for split in pooled.splits:
                if split.train is first.train:
                    ranked = len(past_items) if split.candidates is None else len(split.candidates)
                    exam = Exam.on(
                        split,
                        n_items=ranked,
                        items=past_items,
                        history_limit=self.protocol.history_limit,
                        vectors=vectors,
                    )
                    pooled.n_items.append(ranked)
                    exams[task] = (exam, self.protocol.slicer(split) if self.protocol.slicer else ())
        return exams

    def _asked(self, model: FittedModel, exam: Exam, groupings: Sequence[Grouping], fit_seconds: float) -> Observed:
        started = perf_counter()
        protocol = self.protocol
        found = exam.take(
            model,
            ks=protocol.ks,
            metrics=protocol.metrics,
            exclude_had=protocol.exclude_had,
            threads=protocol.threads,
        )
        slices: Slices = {
            (grouping.by, label): sliced(grouping, place, exam.split, found, exam.context, protocol.ks)
            for grouping in groupings
            for place, label in enumerate(grouping.labels)
        }
        return Observed(found.per_user, found.overall, slices, found.lacking, fit_seconds, perf_counter() - started)

    def _vectors(self, first: Split, past_items: Items) -> NDArray[np.float32] | None:
        """One row an item of `first.train`, zero for items the likeness knows nothing of; None without a likeness."""
        if self.protocol.likeness is None:
            return None
        try:
            model = self.protocol.likeness.fit(
                first.train.compact(), past_items, np.random.default_rng(self.protocol.seed)
            )
        except NotEnoughData:
            return None
        known = np.asarray(model.vectors("seeds"), dtype=np.float32)  # type: ignore[attr-defined]
        rows = rows_of(np.asarray(model.item_ids), first.train.item_ids)
        vectors = np.zeros((len(rows), known.shape[1]), dtype=np.float32)
        vectors[rows >= 0] = known[rows[rows >= 0]]
        return vectors
