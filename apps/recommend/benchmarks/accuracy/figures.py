"""What a contest came to, for people and for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.benchmarks.accuracy.mix import Mix
from apps.recommend.engine.evaluation.compare import Interval, PairedTest, intervals, paired_tests
from apps.recommend.engine.types import Rows


@dataclass(frozen=True)
class Costs:
    """Seconds of wall-clock time; megabytes of memory at the highest since the fit began."""

    fit_seconds: float
    evaluate_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Entry:
    """One algorithm's figures on the test file, of lists of 20."""

    algorithm: str
    recall: Interval
    ndcg: Interval
    coverage: float
    costs: Costs
    parameters: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "algorithm": self.algorithm,
            "recall@20": round(self.recall.mean, 6),
            "ndcg@20": round(self.ndcg.mean, 6),
            "recall@20_ci95": _ends(self.recall),
            "ndcg@20_ci95": _ends(self.ndcg),
            "coverage@20": round(self.coverage, 6),
            "fit_seconds": round(self.costs.fit_seconds, 2),
            "evaluate_seconds": round(self.costs.evaluate_seconds, 2),
            "peak_rss_mb": round(self.costs.peak_mb),
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True)
class RecipeFigures:
    """The blend, and by how much it is better than each entrant: paired by user."""

    mix: Mix
    measured: Entry
    tune_seconds: float
    best_part: str
    minus: Mapping[str, tuple[PairedTest, PairedTest]]  # by entrant: recall, NDCG

    @property
    def minus_best(self) -> tuple[PairedTest, PairedTest]:
        return self.minus[self.best_part]

    def as_json(self) -> dict[str, Any]:
        found = self.measured.as_json()
        return {
            "name": "blend of " + ", ".join(self.mix.warm),
            "parts": {
                name: {"weight": round(self.mix.warm[name], 6), "cold_weight": round(self.mix.cold[name], 6)}
                for name in self.mix.warm
            },
            "history_half": round(self.mix.half, 6),
            **{key: found[key] for key in ("recall@20", "ndcg@20", "recall@20_ci95", "ndcg@20_ci95", "coverage@20")},
            "tune_seconds": round(self.tune_seconds, 2),
            "fit_seconds": found["fit_seconds"],
            "blend_seconds": found["evaluate_seconds"],
            "minus_best_part": {
                "part": self.best_part,
                **{
                    f"{metric}@20": {
                        "mean": round(one.difference.mean, 6),
                        "ci95": _ends(one.difference),
                        "p_value": one.p_value,
                    }
                    for metric, one in zip(("recall", "ndcg"), self.minus_best, strict=True)
                },
            },
        }


@dataclass(frozen=True)
class Outcome:
    """All of it. `cut_short` says what was left out for want of time or memory."""

    dataset: Mapping[str, Any]
    results: Sequence[Entry]
    recipe: RecipeFigures
    cut_short: Sequence[str] = field(default=())

    def to_json(self) -> str:
        content = {
            "dataset": dict(self.dataset),
            "results": [one.as_json() for one in self.results],
            "recipe": self.recipe.as_json(),
            "cut_short": list(self.cut_short),
        }
        return json.dumps(content, indent=2)

    def to_markdown(self) -> str:
        """The figures as a Markdown table, for documents."""
        data, recipe = self.dataset, self.recipe
        lines = [
            "| algorithm | Recall@20 | NDCG@20 | coverage@20 | fit, s | rank all users, s | memory, MB |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {one.algorithm} | {one.recall} | {one.ndcg} | {one.coverage:.3f} | {one.costs.fit_seconds:.0f} "
            f"| {one.costs.evaluate_seconds:.0f} | {one.costs.peak_mb:,.0f} |"
            for one in [*sorted(self.results, key=lambda one: -one.ndcg.mean), recipe.measured]
        ]
        recall, ndcg = (_change(one.difference) for one in recipe.minus_best)
        parts = ", ".join(
            f"{name} {recipe.mix.warm[name]:.2f} (cold {recipe.mix.cold[name]:.2f})" for name in recipe.mix.warm
        )
        said = (
            f"{data['users']:,} users, {data['items']:,} items, {data['train_pairs']:,} pairs to learn from, "
            f"{data['test_pairs']:,} to foresee; {data['cores']} processor cores. The recipe blends {parts}. It is "
            f"better than {recipe.best_part} by {recall} in Recall@20 and {ndcg} in NDCG@20 (95 % paired bootstrap "
            f"intervals over users); it was tuned in {recipe.tune_seconds / 60:.0f} minutes."
        )
        return "\n".join([*lines, "", said])

    def __str__(self) -> str:
        """A table that fits a terminal of 120 characters."""
        data = self.dataset
        lines = [
            f"{data['users']:,} users, {data['items']:,} items; {data['train_pairs']:,} pairs to learn from.",
            f"{data['test_pairs']:,} pairs to foresee, all items ranked; {data['cores']} cores.",
            "",
            f"{'':<16}{'Recall@20':<27}{'NDCG@20':<27}{'coverage':<10}{'fit s':>8}{'rank s':>8}{'MB':>8}",
        ]
        lines += [
            f"{one.algorithm:<16}{one.recall!s:<27}{one.ndcg!s:<27}{one.coverage:<10.3f}"
            f"{one.costs.fit_seconds:>8.1f}{one.costs.evaluate_seconds:>8.1f}{one.costs.peak_mb:>8,.0f}"
            for one in [*self.results, self.recipe.measured]
        ]
        recall, ndcg = (_change(one.difference) for one in self.recipe.minus_best)
        took, fit = self.recipe.tune_seconds, self.recipe.measured.costs.fit_seconds
        lines += [
            "",
            f"The recipe minus its best part, {self.recipe.best_part}: Recall@20 {recall}, NDCG@20 {ndcg}.",
            f"Tuned in {took:,.0f} s, its parts fitted in {fit:,.0f} s. 95 % bootstrap intervals over users.",
        ]
        lines += [f"Left out: {what}." for what in self.cut_short]
        return "\n".join(lines)


def entry(
    name: str,
    achieved: NDArray[np.float64],
    lists: Rows,
    n_items: int,
    costs: Costs,
    parameters: Mapping[str, Any],
    seed: int,
) -> Entry:
    """Figures of one algorithm from its lists and what `Asked.per_user` says of them."""
    recall, ndcg = intervals(achieved, np.random.default_rng(seed))
    coverage = len(np.unique(lists[lists >= 0])) / n_items
    return Entry(name, recall, ndcg, coverage, costs, parameters)


def paired(ours: NDArray[np.float64], theirs: NDArray[np.float64], seed: int) -> tuple[PairedTest, PairedTest]:
    """How recall and NDCG differ over the same users."""
    recall, ndcg = paired_tests(ours - theirs, np.random.default_rng(seed))
    return recall, ndcg


def _ends(interval: Interval) -> list[float]:
    return [round(interval.low, 6), round(interval.high, 6)]


def _change(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
