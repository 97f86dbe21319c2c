"""What diversity costs on this shop's own data: accuracy, calibration and exposure before and after reranking.

Parameters are chosen on one stretch of time and reported on the next.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend import pipelines
from apps.recommend.benchmarks.candidates import Candidates, cut_times
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.compare import Interval, intervals
from apps.recommend.engine.evaluation.splits import temporal_split
from apps.recommend.engine.pipeline import Pipeline
from apps.recommend.engine.protocols import Stage
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Rows
from apps.recommend.snapshot import Snapshot

PIPELINE = "home"
POPULAR = "popular"  # the model that says what is popular
K = 10
USERS = 2_000
CHOSEN_FROM, REPORTED_FROM = 0.8, 0.9  # shares of the taste events: chosen between the two, reported after the second
SPARE = 0.005  # share of NDCG that a choice may lose where it is made: half of what it may lose where it is reported
GROUPS = 100  # of users, left out in turn
TINY = 1e-12  # nothing is divided by less
SEED = 20_240_501
METRICS = ("ndcg", "calibration", "diversity", "novelty", "popularity_lift", "gini", "coverage")

Steps = tuple[tuple[str, Mapping[str, Any]], ...]

GRIDS: dict[str, dict[str, Mapping[str, Sequence[Any]]]] = {
    "calibrate": {"calibrate": {"weight": (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)}},
    "mmr": {"mmr": {"relevance": (0.98, 0.95, 0.92, 0.9, 0.85, 0.8)}},
    "dpp": {"dpp": {"theta": (0.98, 0.96, 0.94, 0.92, 0.9, 0.8)}},
    "less_popular": {"less_popular": {"model": (POPULAR,), "weight": (0.1, 0.2, 0.25, 0.3, 0.4)}},
    "less_popular, calibrate": {
        "less_popular": {"model": (POPULAR,), "weight": (0.1, 0.2, 0.3)},
        "calibrate": {"weight": (0.5, 0.7, 0.8, 0.9)},
    },
}
AIMS = {"calibrate": "calibration", "mmr": "diversity", "dpp": "diversity"}  # of the others: gini
HIGHER_IS_BETTER = {"diversity"}


@dataclass(frozen=True)
class Outcome:
    """One way to diversify, on users it was not chosen for. Changes are shares of what was before, paired by user."""

    name: str
    stages: Steps
    figures: Mapping[str, float]
    ndcg_change: Interval
    calibration_change: Interval
    gini_change: Interval


@dataclass(frozen=True)
class DiversityFigures:
    """Figures at `k` of one pipeline's lists for `users` users before and after each way to diversify them."""

    pipeline: str
    k: int
    users: int
    items: int
    before: Mapping[str, float]
    outcomes: tuple[Outcome, ...]

    def __str__(self) -> str:
        """A table that fits a terminal of 120 characters."""
        title = f"{self.pipeline}, first {self.k}, {self.users:,} users, {self.items:,} items"
        lines = [f"{title}: changes with 95 % intervals, paired by user"]
        head = ("", f"NDCG@{self.k}", "calibration KL", "Gini of exposure", "diversity", "novelty")
        rows = [head, ("before", *self._cells(self.before, None))]
        rows += [(outcome.name, *self._cells(outcome.figures, outcome)) for outcome in self.outcomes]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines += ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += [f"{outcome.name}: {_told(outcome.stages)}" for outcome in self.outcomes]
        return "\n".join(lines)

    def _cells(self, figures: Mapping[str, float], outcome: Outcome | None) -> list[str]:
        changes = (outcome.ndcg_change, outcome.calibration_change, outcome.gini_change) if outcome else (None,) * 3
        cells = [
            f"{figures[name]:.4f}" + ("" if change is None else f" {_percent(change)}")
            for name, change in zip(("ndcg", "calibration", "gini"), changes, strict=True)
        ]
        return [*cells, f"{figures['diversity']:.3f}", f"{figures['novelty']:.2f}"]


def measure(say: Callable[[str], None]) -> DiversityFigures:
    """Choose each family's parameters on the shop's events before the last tenth, and report on the last tenth.

    A choice is the best for its aim that costs at most `SPARE` of NDCG where it is chosen. Raises NotEnoughData for
    a shop with too few events or without categories. A minute or two for the demo shop.
    """
    snapshot = Snapshot.now()
    spec = pipelines.pipelines()[PIPELINE].spec
    plain = Pipeline(spec.model_copy(update={"stages": tuple(one for one in spec.stages if one.use not in _used())}))
    models = tuple(dict.fromkeys((*plain.spec.models, POPULAR)))
    chosen_from, reported_from = cut_times(snapshot.interactions, (CHOSEN_FROM, REPORTED_FROM))

    def candidates(at: int, until: int | None) -> Candidates:
        split = temporal_split(snapshot.interactions, at=at, until=until).sample(USERS, np.random.default_rng(SEED))
        return Candidates.of(plain, split, snapshot.items_with_texts, models, SEED)

    say("asking for the stretch of time to choose on …")
    choosing = candidates(chosen_from, reported_from)
    chosen = {name: _choice(choosing, name, say) for name in GRIDS}
    del choosing
    say("asking for the stretch of time to report on …")
    reporting = candidates(reported_from, None)
    before = reporting.lists((), K)
    found = reporting.measured(before, METRICS)
    return DiversityFigures(
        pipeline=PIPELINE,
        k=K,
        users=len(before),
        items=reporting.exam.context.n_items,
        before=_means(found),
        outcomes=tuple(_outcome(reporting, name, steps, before, found) for name, steps in chosen.items()),
    )


def _used() -> set[str]:
    return {stage for grid in GRIDS.values() for stage in grid}


def _options(grid: Mapping[str, Mapping[str, Sequence[Any]]]) -> Iterator[Steps]:
    """Every combination of the parameters of one family's stages."""
    by_stage = [
        [(stage, dict(zip(values, one, strict=True))) for one in product(*values.values())]
        for stage, values in grid.items()
    ]
    yield from product(*by_stage)


def _choice(candidates: Candidates, name: str, say: Callable[[str], None]) -> Steps:
    """The option that is best for its aim among those that cost little; where none does, the one that costs least."""
    aim = AIMS.get(name, "gini")
    base = float(np.mean(candidates.measured(candidates.lists((), K), ("ndcg",))["ndcg"]))
    if not base:
        raise NotEnoughData("wanted items among those recommended", 0, 1)
    tried = []
    for steps in _options(GRIDS[name]):
        found = _means(candidates.measured(candidates.lists(_built(steps), K), ("ndcg", aim)))
        say(f"{_told(steps)}: NDCG@{K} {found['ndcg'] / base - 1:+.1%}, {aim} {found[aim]:.3f}")
        loss = -found[aim] if aim in HIGHER_IS_BETTER else found[aim]
        tried.append((max(1 - SPARE - found["ndcg"] / base, 0.0), loss, steps))
    return min(tried, key=lambda one: one[:2])[2]


def _outcome(candidates: Candidates, name: str, steps: Steps, before: Rows, base: Mapping[str, Any]) -> Outcome:
    lists = candidates.lists(_built(steps), K)
    found = candidates.measured(lists, METRICS)
    return Outcome(
        name=name,
        stages=steps,
        figures=_means(found),
        ndcg_change=_change(found["ndcg"], base["ndcg"]),
        calibration_change=_change(found["calibration"], base["calibration"]),
        gini_change=_gini_change(lists, before, candidates.exam.context.n_items),
    )


def _built(steps: Steps) -> list[Stage]:
    """The stages, filling no more places than are looked at."""
    return [
        STAGES.create(stage, {**config, **({} if stage == "less_popular" else {"count": K})}) for stage, config in steps
    ]


def _change(after: NDArray[np.float64], before: NDArray[np.float64]) -> Interval:
    """The mean difference as a share of what the mean was, with its paired bootstrap interval."""
    was = max(float(before.mean()), TINY)
    return intervals((after - before)[:, None] / was, np.random.default_rng(SEED))[0]


def _gini_change(after: Rows, before: Rows, n_items: int) -> Interval:
    """The change of the Gini coefficient as a share of what it was, with its jackknife interval over groups of users.

    The bootstrap would not do: users who are drawn twice make any exposure less even.
    """
    groups = np.random.default_rng(SEED).permutation(len(after)) % min(GROUPS, len(after))
    kept = np.vstack([np.ones(len(after)), np.arange(groups.max() + 1)[:, None] != groups[None, :]])
    was = _ginis(before, kept, n_items)
    all_users, *without = (_ginis(after, kept, n_items) - was) / np.maximum(was, TINY)
    n = len(without)
    error = np.sqrt((n - 1) / n * ((np.array(without) - np.mean(without)) ** 2).sum())
    return Interval(float(all_users), float(all_users - 1.96 * error), float(all_users + 1.96 * error))


def _ginis(lists: Rows, counted: NDArray[np.float64], n_items: int) -> NDArray[np.float64]:
    """As the metric `gini`, for each row of `counted`, which says how often each user's list counts."""
    users, places = np.nonzero(lists >= 0)
    shown, columns = np.unique(lists[users, places], return_inverse=True)
    times = sparse.csr_matrix((np.ones(len(users)), (users, columns)), shape=(len(lists), len(shown)))
    counts = np.sort(np.asarray(counted @ times), axis=1)
    ranks = np.arange(n_items - len(shown) + 1, n_items + 1)
    return np.asarray(counts @ (2 * ranks - n_items - 1) / (n_items * counts.sum(axis=1)))


def _means(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(np.mean(value)) for name, value in found.items()}


def _told(steps: Steps) -> str:
    return ", ".join(
        stage + "".join(f" {key}={value}" for key, value in config.items() if key != "model") for stage, config in steps
    )


def _percent(change: Interval) -> str:
    return f"{change.mean:+.1%} [{change.low:+.1%}, {change.high:+.1%}]"
