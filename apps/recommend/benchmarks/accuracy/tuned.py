"""Finds parameters of one algorithm on validation data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import sparse

from apps.recommend.benchmarks.accuracy.parts import Asked, K, fitted, lists_of
from apps.recommend.engine.merge import Lists
from apps.recommend.engine.progress import report
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import ranges
from apps.recommend.engine.tuning.studies import Values, search

WORTHLESS = -1.0
LISTED = 300  # candidates of each part that the blend sees


@dataclass(frozen=True, eq=False)
class Tuned:
    """An algorithm's best parameters, and what it then proposes to the validation users."""

    parameters: Values
    lists: Lists
    achieved: float  # mean of Recall@20 and NDCG@20
    trials: int
    too_large: int = 0  # of these: memory did not allow them


@dataclass(eq=False)
class Search:
    """Trials of one algorithm, fitted on `train` and judged by `asked`. Keeps the lists of the best."""

    algorithm: str
    fixed: Values
    train: sparse.csr_matrix
    asked: Asked
    seed: int
    best: Tuned | None = field(default=None, init=False)

    def tuned(self, trials: int, journal: Path, study: str, go_on: Callable[[], bool]) -> Tuned | None:
        """The best of at most `trials` sets of parameters; fewer where `go_on` ends it, but one at least.

        A set for which there is not enough memory counts as worthless; None where that is so of all. Nothing is
        searched where `trials` is 0 or nothing is left to tune. No set is tried first: what is found depends on the
        ranges and the data alone.
        """
        config = ALGORITHMS[self.algorithm].Config
        space = {name: within for name, within in ranges(config).items() if name not in self.fixed}
        if not trials or not space:
            self._objective({})
            return self.best

        def ask(done: int) -> bool:
            report(f"tune {self.algorithm}", done, trials)
            return not done or go_on()

        tried = search(journal, study, space, self._objective, trials=trials, objectives=1, seed=self.seed, go_on=ask)
        winner = max(tried, key=lambda one: (one.achieved[0], -one.number))
        if winner.achieved[0] == WORTHLESS:
            return None
        if self.best is None or self.best.parameters != {**self.fixed, **winner.values}:  # known from the journal only
            self.best = self._tried(winner.values)
        too_large = sum(one.achieved[0] == WORTHLESS for one in tried)
        return Tuned(self.best.parameters, self.best.lists, self.best.achieved, len(tried), too_large)

    def _objective(self, values: Values) -> tuple[float, ...]:
        try:
            one = self._tried(values)
        except MemoryError:
            return (WORTHLESS,)
        if self.best is None or one.achieved > self.best.achieved:
            self.best = one
        return (one.achieved,)

    def _tried(self, values: Values) -> Tuned:
        parameters = {**self.fixed, **values}
        model, _ = fitted(self.algorithm, parameters, self.train, self.seed)
        lists = lists_of(model, self.asked.histories, LISTED)
        return Tuned(parameters, lists, float(np.mean(self.asked.per_user(lists.rows[:, :K]))), 1)
