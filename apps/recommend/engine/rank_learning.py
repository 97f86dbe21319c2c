"""How a learned ranking is taught: questions from a point in time, what was wanted since, and trees from both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.evaluation.ranking import aligned, histories, latest_times
from apps.recommend.engine.part_models import moved, rows_taken, translated
from apps.recommend.engine.progress import report
from apps.recommend.engine.ranking_features import OF_MOMENT, Candidates, Features
from apps.recommend.engine.trees import Trees
from apps.recommend.engine.types import Interactions, Queries, Rows, tie_break

HISTORY = 100  # taste events of a user that serving looks at
BINS = 127  # different values of a column that trees tell apart


@dataclass(frozen=True, eq=False)
class Questions:
    """Who came again after a point in time: what they are known by until then, and what they wanted since.

    Columns of both are rows of the interactions they were taken from.
    """

    asked: Queries
    truth: sparse.csr_matrix  # queries x items, 1 where wanted

    @classmethod
    def between(cls, past: Interactions, wanted: Interactions, start: int, end: int, *, visits: bool) -> Self:
        """Asked of every user of `past`, which ends at `start`, who has events in `wanted` from then to before `end`.

        They are asked at `start` or, with `visits`, at their first event since. O(events log events).
        """
        since = wanted.select((wanted.times >= start) & (wanted.times < end))
        known = np.zeros(past.n_users, dtype=bool)
        known[past.users[past.weights() > 0]] = True
        known &= np.bincount(since.users, minlength=past.n_users) > 0
        users = np.flatnonzero(known).astype(np.int32)
        told = histories(past, users, HISTORY)
        times = latest_times(past, users)
        times.sort_indices()
        place = np.full(past.n_users, -1)
        place[users] = np.arange(len(users))
        mine = place[since.users] >= 0
        pairs = (place[since.users[mine]], since.items[mine])
        truth = sparse.csr_matrix((np.ones(mine.sum(), np.float32), pairs), shape=told.shape)
        truth.data[:] = 1
        now = np.full(past.n_users, np.iinfo(np.int64).max if visits else start)
        if visits:
            np.minimum.at(now, since.users, since.times)
        return cls(Queries(told, aligned(times, told), past.user_ids[users], now[users]), truth)

    def __len__(self) -> int:
        return len(self.asked)

    def sample(self, count: int, rng: np.random.Generator) -> Self:
        """At most `count` of them."""
        if len(self) <= count:
            return self
        chosen = np.sort(rng.choice(len(self), count, replace=False))
        return replace(self, asked=rows_taken(self.asked, chosen), truth=self.truth[chosen])

    def moved(self, to: Rows, n_items: int) -> Self:
        """The same about items of other rows: item j is at row `to[j]`, and not spoken of where that is -1."""
        return replace(self, asked=translated(self.asked, to, n_items), truth=moved(self.truth, to, n_items))


@dataclass(frozen=True, eq=False)
class Lesson:
    """Candidates of several users, user after user: their features and which of them were wanted."""

    features: Features
    wanted: NDArray[np.bool_]
    sizes: NDArray[np.int64]  # candidates of each user

    @classmethod
    def of(cls, found: Candidates, features: Features, truth: sparse.csr_matrix) -> Self:
        """Of the users of whom some, but not all candidates are in `truth` (queries x items): others teach nothing."""
        keys = np.repeat(np.arange(truth.shape[0], dtype=np.int64), np.diff(truth.indptr)) * truth.shape[1]
        wanted = np.isin(found.queries * np.int64(truth.shape[1]) + found.rows, keys + truth.indices)
        size = np.bincount(found.queries, minlength=truth.shape[0])
        hits = np.bincount(found.queries, wanted, minlength=truth.shape[0])
        teaches = (hits > 0) & (hits < size)
        kept = np.flatnonzero(teaches[found.queries])
        # Candidates that score the same count in the order they come in: it must tell nothing.
        kept = kept[np.lexsort((tie_break(found.rows[kept]), found.queries[kept]))]
        return cls(features[kept], wanted[kept], size[teaches])

    @classmethod
    def joined(cls, lessons: Sequence["Lesson"]) -> Self:
        """One lesson of all of them."""
        return cls(
            np.concatenate([one.features for one in lessons]),
            np.concatenate([one.wanted for one in lessons]),
            np.concatenate([one.sizes for one in lessons]),
        )

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Trainer:
    """LightGBM's LambdaRank with these settings; see LambdaMart.Config. Always the same trees from the same lesson."""

    leaves: int
    learning_rate: float
    min_data: int
    l2: float
    feature_share: float
    depth: int
    parts: int  # the first columns are theirs
    monotone: bool
    visits: bool  # whether hour and weekday are those of visits
    seed: int

    def best_rounds(self, lesson: Lesson, test: Lesson, *, most: int, patience: int) -> int:
        """How many trees learned from `lesson` order `test` best, by NDCG at `depth`; at least 1."""
        import lightgbm

        stop = lightgbm.early_stopping(patience, verbose=False)
        data = self._data(lesson)
        booster = lightgbm.train(
            self._settings(lesson),
            data,
            most,
            valid_sets=[self._data(test, like=data)],
            callbacks=[stop, _telling("choosing the number of trees", most)],
        )
        return max(int(booster.best_iteration), 1)

    def learn(self, lesson: Lesson, rounds: int) -> Trees:
        """`rounds` trees."""
        import lightgbm

        told = _telling("learning trees", rounds)
        booster = lightgbm.train(self._settings(lesson), self._data(lesson), rounds, callbacks=[told])
        return Trees.of_lightgbm(booster.dump_model())

    def _data(self, lesson: Lesson, like: Any = None) -> Any:
        import lightgbm

        features = lesson.features
        if not self.visits:  # all questions of a lesson share the moment: nothing to be learned, much to be mistaken
            features = features.copy()
            features[:, -len(OF_MOMENT) :] = 0
        wanted = lesson.wanted.astype(np.int32)
        return lightgbm.Dataset(features, wanted, group=lesson.sizes, reference=like, params={"verbosity": -1})

    def _settings(self, lesson: Lesson) -> dict[str, Any]:
        rising = [1, 1, 0] * self.parts  # standing, place, silent
        others = [0] * (lesson.features.shape[1] - len(rising))
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [self.depth],
            "lambdarank_truncation_level": self.depth + 5,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_data,
            "lambda_l2": self.l2,
            "feature_fraction": self.feature_share,
            "max_bin": BINS,
            "monotone_constraints": rising + others if self.monotone else None,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }


def _telling(what: str, total: int) -> Any:
    return lambda state: report(what, state.iteration + 1, total)


def usual_times(features: Features, columns: Sequence[int]) -> NDArray[np.float64]:
    """The median of each of these columns where it is known; 0 where it never is."""
    chosen = features[:, list(columns)].astype(np.float64)
    return np.array([np.median(one[~np.isnan(one)]) if (~np.isnan(one)).any() else 0.0 for one in chosen.T])
