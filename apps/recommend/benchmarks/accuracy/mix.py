"""Several algorithms' lists become one: the weights are found on validation data by NSGA-II."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.recommend.benchmarks.accuracy.parts import Asked, K
from apps.recommend.engine.evaluation.ranking import each_batch, top_rows
from apps.recommend.engine.merge import Lists, Pool, Weights
from apps.recommend.engine.progress import report
from apps.recommend.engine.tuning.ranges import Between, Range
from apps.recommend.engine.tuning.studies import Values, search
from apps.recommend.engine.types import Rows

WEIGHT = Between(0.0, 1.0)
HALF = Between(2.0, 100.0, log=True)
NO_WEIGHT = 0.02  # of the largest: a part that counts less is left out
CANDIDATES_AT_ONCE = 400_000  # bounds the memory of a block of users at about 50 MB


@dataclass(frozen=True)
class Mix:
    """What each part counts for users with a long history (warm) and with none (cold), and where they meet."""

    warm: Mapping[str, float]
    cold: Mapping[str, float]
    half: float

    def weights(self) -> Weights:
        """In the order of the parts."""
        return Weights(np.array(list(self.warm.values())), np.array(list(self.cold.values())), self.half)


@dataclass(frozen=True, eq=False)
class _Block:
    """Some users' candidates, with their places in a table of one row a user."""

    pool: Pool
    columns: NDArray[np.int64]
    width: int
    history: NDArray[np.integer]

    def ranked(self, weights: Weights) -> Rows:
        shape = (len(self.history), self.width)
        scores = np.full(shape, np.nan, dtype=np.float32)
        rows = np.full(shape, -1, dtype=np.int32)
        scores[self.pool.users, self.columns] = weights.totals(self.pool, self.history)
        rows[self.pool.users, self.columns] = self.pool.rows
        best = top_rows(scores, K)
        chosen = np.take_along_axis(rows, np.maximum(best, 0), axis=1)
        return np.pad(np.where(best >= 0, chosen, -1), ((0, 0), (0, K - best.shape[1])), constant_values=-1)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Every part's candidates for the same users, calibrated and pooled; only the weights are open."""

    blocks: Sequence[_Block]

    @classmethod
    def of(cls, lists: Sequence[Lists], history: NDArray[np.integer]) -> Self:
        """`history` is how many items each user had."""
        made: dict[int, _Block] = {}

        def pool(users: slice) -> None:
            together = Pool.of([Lists(part.rows[users], part.scores[users]) for part in lists])
            columns = np.arange(len(together.users)) - np.searchsorted(together.users, together.users)
            made[users.start] = _Block(together, columns, int(columns.max(initial=0)) + 1, history[users])

        width = sum(part.rows.shape[1] for part in lists)
        each_batch(pool, len(history), max(1, width * 4_000_000 // CANDIDATES_AT_ONCE))
        return cls([made[start] for start in sorted(made)])

    def ranked(self, weights: Weights) -> Rows:
        """The 20 best of each user, -1 where there are fewer. O(candidates)."""
        return np.concatenate([block.ranked(weights) for block in self.blocks])


def tuned_mix(
    names: Sequence[str],
    candidates: Candidates,
    asked: Asked,
    *,
    trials: int,
    journal: Path,
    study: str,
    seed: int,
    go_on: Callable[[], bool],
) -> tuple[Mix, int]:
    """The best mix found, without the parts that hardly count, and how many were tried.

    Maximises Recall@20 and NDCG@20 over the users of `asked`; of what was tried, the best sum of both is taken.
    """
    space: dict[str, Range] = {f"{kind} {name}": WEIGHT for name in names for kind in ("warm", "cold")}
    space["half"] = HALF

    def objective(values: Values) -> tuple[float, ...]:
        recall, ndcg = asked.per_user(candidates.ranked(_mix(names, values).weights())).mean(axis=0)
        return float(recall), float(ndcg)

    def ask(done: int) -> bool:
        report("weigh the parts", done, trials)
        return not done or go_on()

    first: list[Values] = [*(_only(names, [name]) for name in names), _only(names, names)]
    tried = search(journal, study, space, objective, trials=trials, objectives=2, seed=seed, first=first, go_on=ask)
    best = _mix(names, max(tried, key=lambda one: (sum(one.achieved), -one.number)).values)
    largest = max(*best.warm.values(), *best.cold.values()) or 1.0
    kept = [name for name in names if max(best.warm[name], best.cold[name]) >= NO_WEIGHT * largest]
    warm, cold = ({name: one[name] / largest for name in kept} for one in (best.warm, best.cold))
    return Mix(warm, cold, best.half), len(tried)


def _mix(names: Sequence[str], values: Values) -> Mix:
    warm, cold = ({name: float(values[f"{kind} {name}"] or 0) for name in names} for kind in ("warm", "cold"))
    return Mix(warm, cold, float(values["half"] or 1))


def _only(names: Sequence[str], wanted: Sequence[str]) -> Values:
    chosen = {f"{kind} {name}": float(name in wanted) for name in names for kind in ("warm", "cold")}
    return {**chosen, "half": 10.0}
