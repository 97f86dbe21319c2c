"""The search for weights: NSGA-II over what each part counts for users with and without history."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from apps.recommend.engine.merge import Weights
from apps.recommend.engine.progress import report
from apps.recommend.engine.tuning.ranges import Between, Range
from apps.recommend.engine.tuning.studies import Tried, Values, search
from apps.recommend.engine.tuning.weighing import Figures, WeighedWindows

WEIGHT = Between(0.0, 1.0)
HALF = Between(0.5, 50.0, log=True)
COLD_SHARE = 0.2  # of the objective: NDCG of users of whom hardly anything is known


def goodness(figures: Figures) -> float:
    """What is maximised beside coverage."""
    return (1 - COLD_SHARE) * figures.mean_ndcg + COLD_SHARE * figures.mean_cold_ndcg


def search_weights(
    names: Sequence[str],
    open_weights: WeighedWindows,
    first: Sequence[Weights],
    *,
    journal: Path,
    study: str,
    trials: int,
    seed: int,
    over: Callable[[], bool],
) -> list[Tried]:
    """Try `trials` sets of weights of the parts `names`: those of `first`, all parts alike, each alone, then others.

    Achieved are `goodness` and mean coverage. Ends when `over` says so, but not before the first trial.
    """

    def objective(values: Values) -> tuple[float, ...]:
        figures = open_weights.figures(_as_weights(names, values))
        return goodness(figures), figures.mean_coverage

    def go_on(done: int) -> bool:
        report("try weights", done, trials)
        return done == 0 or not over()

    size = len(names)
    half = first[0].half
    alone = [replace(only_one(size, number), half=half) for number in range(size)]
    begun = [*first, Weights(np.ones(size), np.ones(size), half), *alone]
    return search(
        journal,
        study,
        _space(names),
        objective,
        trials=trials,
        objectives=2,
        seed=seed,
        first=[_as_values(names, weights) for weights in begun],
        go_on=go_on,
    )


def best_weights(names: Sequence[str], tried: Sequence[Tried], before: Figures) -> Weights:
    """The weights of the best trial whose coverage is not below the present one's, else of the best of all."""
    covering = [one for one in tried if one.achieved[1] >= before.mean_coverage - 1e-9]
    return _as_weights(names, max(covering or tried, key=lambda one: one.achieved[0]).values)


def only_one(size: int, number: int) -> Weights:
    """The weights that leave one of `size` parts to speak."""
    return Weights(np.eye(size)[number], np.eye(size)[number])


def _space(names: Sequence[str]) -> dict[str, Range]:
    space: dict[str, Range] = {f"{kind} {name}": WEIGHT for name in names for kind in ("warm", "cold")}
    return space | {"half": HALF}


def _as_values(names: Sequence[str], weights: Weights) -> Values:
    """`weights` as values of the space: only their proportions matter, so the largest becomes 1."""
    largest = max(float(weights.warm.max()), float(weights.cold.max()))
    values = {f"warm {name}": float(weight / largest) for name, weight in zip(names, weights.warm, strict=True)}
    values |= {f"cold {name}": float(weight / largest) for name, weight in zip(names, weights.cold, strict=True)}
    return values | {"half": float(np.clip(weights.half, HALF.low, HALF.high))}


def _as_weights(names: Sequence[str], values: Values) -> Weights:
    def of(kind: str) -> np.ndarray:
        return np.array([float(values[f"{kind} {name}"] or 0) for name in names])

    return Weights(of("warm"), of("cold"), float(values["half"] or HALF.low))
