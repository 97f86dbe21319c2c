"""What a blend's weights achieve on validation windows: milliseconds a trial, whatever the parts cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.blend import BlendPart, proposals
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.ranking import top_rows
from apps.recommend.engine.merge import Calibration, Lists, Pool, Weights
from apps.recommend.engine.protocols import Scorer
from apps.recommend.engine.tuning.windows import Window

K = 10


@dataclass(frozen=True, eq=False)
class Figures:
    """What one set of weights achieves: NDCG for each tested user of each window, and coverage for each window.

    `cold_ndcg` is the NDCG of the same users when no more than the latest few events of their histories are known.
    """

    ndcg: Sequence[NDArray[np.float64]]
    coverage: Sequence[float]
    cold_ndcg: Sequence[NDArray[np.float64]]

    @property
    def mean_ndcg(self) -> float:
        """Over all tested users of all windows."""
        return float(np.concatenate(list(self.ndcg)).mean())

    @property
    def mean_cold_ndcg(self) -> float:
        """Over all tested users of all windows."""
        return float(np.concatenate(list(self.cold_ndcg)).mean())

    @property
    def mean_coverage(self) -> float:
        """Over windows."""
        return float(np.mean(self.coverage))


@dataclass(frozen=True, eq=False)
class _Asked:
    """One window's candidates, ready to be ranked by any weights."""

    pool: Pool
    columns: NDArray[np.int64]  # place of each candidate among its user's
    width: int
    hits: NDArray[np.bool_]
    history: NDArray[np.integer]
    ideal: NDArray[np.float64]  # best possible DCG of each user
    n_items: int

    @classmethod
    def of(
        cls,
        window: Window,
        history: sparse.csr_matrix,
        lists: Sequence[Lists],
        calibration: Calibration,
        drops_seen: bool,
    ) -> Self:
        pool = Pool.of(lists, calibration)
        n_items = window.history.shape[1]
        keys = pool.users * np.int64(n_items) + pool.rows
        left_out = [_keys(window.had), _keys(history)] if drops_seen else [_keys(window.had)]
        unseen = ~np.isin(keys, np.concatenate(left_out))
        if not unseen.all():
            pool = Pool(pool.users[unseen], pool.rows[unseen], pool.values[unseen], pool.speaks)
            keys = keys[unseen]
        columns = np.arange(len(pool.users)) - np.searchsorted(pool.users, pool.users)
        discounts = np.cumsum(1 / np.log2(np.arange(2, K + 2)))
        return cls(
            pool=pool,
            columns=columns,
            width=int(columns.max(initial=0)) + 1,
            hits=np.isin(keys, _keys(window.truth)),
            history=np.diff(history.indptr),
            ideal=discounts[np.minimum(window.truth_sizes, K) - 1],
            n_items=len(window.items),
        )

    def figures(self, weights: Weights) -> tuple[NDArray[np.float64], float]:
        """NDCG@10 of each user and coverage@10. O(users × candidates)."""
        shape = (len(self.ideal), self.width)
        scores = np.full(shape, np.nan, dtype=np.float32)
        places = np.zeros(shape, dtype=np.int64)
        scores[self.pool.users, self.columns] = weights.totals(self.pool, self.history)
        places[self.pool.users, self.columns] = np.arange(len(self.columns))
        best = top_rows(scores, K)
        found = best >= 0
        chosen = np.take_along_axis(places, np.maximum(best, 0), axis=1)
        hits = found & self.hits[chosen] if len(self.hits) else found
        gains = hits / np.log2(np.arange(2, best.shape[1] + 2))
        return gains.sum(axis=1) / self.ideal, len(np.unique(self.pool.rows[chosen[found]])) / self.n_items


@dataclass(frozen=True, eq=False)
class Proposed:
    """What one part proposes in one window: to users as they are, and to the same users hardly known."""

    lists: Lists
    cold: Lists


@dataclass(frozen=True, eq=False)
class WeighedWindows:
    """Windows in which every part of a blend has made its proposals; only the weights are still open."""

    asked: Sequence[_Asked]
    cold: Sequence[_Asked]

    @classmethod
    def of(
        cls,
        windows: Sequence[Window],
        proposed: Sequence[Sequence[Proposed]],
        *,
        calibration: Calibration,
        drops_seen: bool,
    ) -> Self:
        """`proposed` holds for each window what each part proposes."""
        made = list(zip(windows, proposed, strict=True))
        return cls(
            [_Asked.of(w, w.history, [part.lists for part in parts], calibration, drops_seen) for w, parts in made],
            [_Asked.of(w, w.cold_history, [part.cold for part in parts], calibration, drops_seen) for w, parts in made],
        )

    def figures(self, weights: Weights) -> Figures:
        """What a blend with these weights would have achieved."""
        each = [window.figures(weights) for window in self.asked]
        cold = [window.figures(weights)[0] for window in self.cold]
        return Figures([ndcg for ndcg, _ in each], [coverage for _, coverage in each], cold)


def fitted_proposals(window: Window, part: BlendPart, rng: np.random.Generator) -> Proposed:
    """What `part`, fitted on the window's past, proposes to its users; nothing where there is too little to learn."""
    try:
        model: Scorer | None = part.algorithm.fit(window.train, window.items, rng)
    except NotEnoughData:
        model = None
    told = (window.history, window.cold_history)
    return Proposed(*(proposals(part, model, window.item_ids, window.asked(history)) for history in told))


def _keys(matrix: sparse.csr_matrix) -> NDArray[np.int64]:
    """A number for each stored entry, by row and column."""
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return rows * matrix.shape[1] + matrix.indices
