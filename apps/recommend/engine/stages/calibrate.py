"""Gives each of the user's categories its share of the first places."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.category_shares import entries_of
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import COUNT, chosen_first, to_unit
from apps.recommend.engine.types import Evidence, Query, Slate


@STAGES.register("calibrate")
class Calibrate:
    """Calibrated re-ranking: each place goes to the item that is best for the sum of scores and for how near the
    list's mix of categories is to the history's.

    H. Steck, Calibrated Recommendations, RecSys 2018: greedy, with the divergence that the metric
    `calibration` measures; scores are brought to [0, 1]. Changes nothing for a user whose history is in no category.
    Belongs behind the stages that score; O(count x (categories of the history + categories of the candidates)).
    """

    class Config(ComponentConfig):
        weight: float = Field(default=0.8, ge=0, le=1)
        """How much the mix of categories counts, the scores counting the rest: 0 changes nothing (lambda)."""
        smoothing: float = Field(default=0.01, gt=0, lt=1)
        """Share of the history's own mix that is added to the list's, so that nothing is infinitely far (alpha)."""
        count: int = Field(default=COUNT, ge=1, le=1000)
        """How many places to fill; all other candidates stay behind them in their order."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        count = min(self.config.count, len(slate))
        wanted, share = _mix(query.history, context)
        if count < 2 or not len(wanted):
            return slate
        owners, columns = entries_of(context.items.categories, slate.rows)
        sizes = np.bincount(owners, minlength=len(slate))
        places = np.arange(len(owners)) - (np.cumsum(sizes) - sizes)[owners]
        found = np.minimum(np.searchsorted(wanted, columns), len(wanted) - 1)
        # Which wanted categories a candidate is in; len(wanted) stands for all that are not wanted and count nothing.
        among = np.full((len(slate), max(int(sizes.max()), 1)), len(wanted))
        among[owners, places] = np.where(wanted[found] == columns, found, len(wanted))
        added = (1 - self.config.smoothing) / np.maximum(sizes, 1)[:, None]
        floor = np.append(self.config.smoothing * share, 1.0)
        share = np.append(share, 0.0)

        worth = (1 - self.config.weight) * to_unit(slate.scores)
        mix = np.zeros(len(share))  # the chosen items' categories, summed, times 1 - smoothing
        categorised = 0
        chosen = np.empty(count, dtype=np.int64)
        for place in range(count):
            # One more categorised item makes the sum one larger, whichever it is: only its own categories differ.
            without = share * np.log(mix / (categorised + 1) + floor)
            with_it = share[among] * np.log((mix[among] + added) / (categorised + 1) + floor[among])
            nearness = without.sum() + (with_it - without[among]).sum(axis=1)
            nearness[sizes == 0] = share @ np.log(mix / max(categorised, 1) + floor)
            best = int(np.argmax(worth + self.config.weight * nearness))
            chosen[place] = best
            worth[best] = -np.inf
            if sizes[best]:
                np.add.at(mix, among[best, : sizes[best]], added[best, 0])
                categorised += 1
        return chosen_first(slate, chosen)


def _mix(history: Evidence, context: Context) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The categories of what the user liked, ascending, and the share of each, summing to 1."""
    liked = history.weights > 0
    owners, columns = entries_of(context.items.categories, history.rows[liked])
    sizes = np.bincount(owners, minlength=int(liked.sum()))
    wanted, places = np.unique(columns, return_inverse=True)
    sums = np.bincount(places, (history.weights[liked] / np.maximum(sizes, 1))[owners])
    return wanted, sums / max(sums.sum(), 1e-300)
