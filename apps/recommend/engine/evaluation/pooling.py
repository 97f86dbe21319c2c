"""Observations of several splits put together: figures, differences and slices with intervals over users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.evaluation.compare import PairedTest, bootstrap_means, intervals, paired_tests, percentiles
from apps.recommend.engine.evaluation.report import CutOff, Difference, Evaluation, Figure, SliceFigure, Timing
from apps.recommend.engine.evaluation.splits import Split
from apps.recommend.engine.types import Rows

Key = tuple[str, int]  # such as ("recall", 10)
PerUser = Mapping[Key, NDArray[np.float64]]
Slices = Mapping[tuple[str, str], tuple[Rows, PerUser]]  # by what and label: places in the split's users, their values


@dataclass(frozen=True, eq=False)
class Observed:
    """What one model achieved on one split, and how long it took."""

    per_user: PerUser
    overall: Mapping[Key, float]
    slices: Slices
    lacking: Mapping[str, str]  # metrics that could not be computed, and what they need
    fit_seconds: float
    rank_seconds: float


@dataclass(eq=False)
class Pooled:
    """What models achieved in one task, split by split."""

    splits: list[Split]
    n_items: list[int] = field(default_factory=list)  # that could be recommended, by split
    observed: dict[str, list[Observed]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # models that are left out, and why
    stopped: str = ""

    def drop(self, model: str, why: str) -> None:
        """Leave `model` out."""
        self.observed.pop(model, None)
        self.skipped[model] = why

    def cut_short(self, models: Sequence[str], why: str) -> None:
        """Keep the splits that all `models` were asked about; if that is none, the models that were asked."""
        counts = {model: len(self.observed.get(model, [])) for model in models}
        if all(count == len(self.splits) for count in counts.values()):
            return
        for model, count in counts.items():
            if not count:
                self.drop(model, "was not reached in the time allowed")
        reached = min((count for count in counts.values() if count), default=0)
        self.stopped = f"This is not all: the run {why}. Shown are {reached} of {len(self.splits)} splits."
        self.splits = self.splits[:reached]
        self.observed = {model: taken[:reached] for model, taken in self.observed.items()}

    @cached_property
    def clusters(self) -> NDArray[np.int64]:
        """The user id of each observation."""
        ids = [split.train.user_ids[split.users] for split in self.splits]
        return np.concatenate(ids) if ids else np.empty(0, np.int64)


def evaluation_of(pooled: Pooled, *, baselines: Sequence[str], seed: int) -> Evaluation:
    """Everything there is to say about `pooled`. Deterministic by `seed`."""
    first, last = pooled.splits[0], pooled.splits[-1]
    figures, differences = _figures_and_differences(pooled, baselines, seed) if pooled.observed else ([], [])
    return Evaluation(
        n_users=len(np.unique(pooled.clusters)),
        n_observations=len(pooled.clusters),
        n_items=pooled.n_items[len(pooled.splits) - 1],
        n_train_events=len(last.train),
        n_truth=sum(int(split.truth.nnz) for split in pooled.splits),
        at=first.at,
        until=last.until,
        new_only=first.new_only,
        figures=figures,
        differences=differences,
        timings={
            model: Timing(sum(one.fit_seconds for one in taken), sum(one.rank_seconds for one in taken))
            for model, taken in pooled.observed.items()
        },
        skipped=pooled.skipped,
        unmeasured={
            metric: why for taken in pooled.observed.values() for one in taken for metric, why in one.lacking.items()
        },
        slices=_slices(pooled, seed),
        cutoffs=_cutoffs(pooled),
        stopped=pooled.stopped,
    )


def _figures_and_differences(
    pooled: Pooled, baselines: Sequence[str], seed: int
) -> tuple[list[Figure], list[Difference]]:
    """All models see the same resamples of the users, drawn once."""
    values = {model: _joined([one.per_user for one in taken]) for model, taken in pooled.observed.items()}
    keys = {model: list(columns) for model, columns in values.items()}
    columns = [column for one in values.values() for column in one.values()]
    table = np.column_stack([np.empty((len(pooled.clusters), 0)), *columns])  # only overall figures: no columns
    resampled = bootstrap_means(table, np.random.default_rng(seed), clusters=pooled.clusters)
    found = iter(percentiles(table.mean(axis=0), resampled))
    figures = []
    for model, taken in pooled.observed.items():
        for key in keys[model]:
            interval = next(found)
            figures.append(Figure(model, _label(key), interval.mean, interval.low, interval.high))
        for key in taken[0].overall:
            mean = float(np.mean([one.overall[key] for one in taken if key in one.overall]))
            figures.append(Figure(model, _label(key), mean, None, None))
    differences = []
    for baseline in baselines:
        others = [model for model in values if model != baseline] if baseline in values else []
        pairs = [(model, key) for model in others for key in keys[model] if key in values[baseline]]
        if pairs:
            table = np.column_stack([values[model][key] - values[baseline][key] for model, key in pairs])
            tests = paired_tests(table, np.random.default_rng(seed), pooled.clusters)
            differences += [
                _difference(model, baseline, key, test) for (model, key), test in zip(pairs, tests, strict=True)
            ]
    return figures, differences


def _difference(model: str, baseline: str, key: Key, test: PairedTest) -> Difference:
    return Difference(
        model=model,
        baseline=baseline,
        metric=_label(key),
        mean=test.difference.mean,
        low=test.difference.low,
        high=test.difference.high,
        p_value=test.p_value,
        wilcoxon_p=test.wilcoxon_p,
        wins=test.wins,
        ties=test.ties,
        losses=test.losses,
    )


def _slices(pooled: Pooled, seed: int) -> list[SliceFigure]:
    parts = {part: None for taken in pooled.observed.values() for one in taken for part in one.slices}
    found = []
    for by, label in parts:
        pieces = {model: [one.slices[by, label] for one in taken] for model, taken in pooled.observed.items()}
        some = next(iter(pieces.values()))
        users = [
            split.train.user_ids[split.users[places]] for split, (places, _) in zip(pooled.splits, some, strict=True)
        ]
        clusters = np.concatenate(users)
        if not len(clusters):
            continue
        columns = {
            (model, key): column
            for model, piece in pieces.items()
            for key, column in _joined([values for places, values in piece if len(places)]).items()
        }
        table = np.column_stack(list(columns.values()))
        for (model, key), one in zip(
            columns, intervals(table, np.random.default_rng(seed), clusters=clusters), strict=True
        ):
            found.append(SliceFigure(by, label, model, _label(key), len(table), one.mean, one.low, one.high))
    return found


def _cutoffs(pooled: Pooled) -> list[CutOff]:
    return [
        CutOff(
            at=split.at,
            until=split.until,
            n_users=len(split.users),
            n_items=pooled.n_items[place],
            n_train_events=len(split.train),
            n_truth=int(split.truth.nnz),
            means={
                model: {_label(key): float(column.mean()) for key, column in taken[place].per_user.items()}
                for model, taken in pooled.observed.items()
            },
        )
        for place, split in enumerate(pooled.splits)
    ]


def _joined(parts: Sequence[PerUser]) -> dict[Key, NDArray[np.float64]]:
    """The columns that all parts have, one part below the other."""
    keys = [key for key in parts[0] if all(key in part for part in parts)]
    return {key: np.concatenate([part[key] for part in parts]) for key in keys}


def _label(key: Key) -> str:
    return f"{key[0]}@{key[1]}"
