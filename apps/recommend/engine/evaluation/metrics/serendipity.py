"""How much of a list is wanted and would not have been shown anyway."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.types import tie_break


@METRICS.register("serendipity")
class Serendipity:
    """Hits that nobody would have expected, as a share of the list's length k.

    Expected are the k most popular items that the user had not met, which is what a plain list of bestsellers
    would show, and whatever they had met. M. Ge, C. Delgado-Battenfeld, D. Jannach, Beyond Accuracy: Evaluating
    Recommender Systems by Coverage and Serendipity, RecSys 2010, with popularity as the primitive model; M. Kaminskas,
    D. Bridge, Diversity, Serendipity, Novelty, and Coverage, ACM TiiS 7(1), 2016.
    """

    class Config(ComponentConfig):
        """Nothing to set."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def per_user(
        self,
        recommended: NDArray[np.int32],
        hits: NDArray[np.bool_],
        truth_sizes: NDArray[np.int32],
        context: MetricContext,
    ) -> NDArray[np.float64]:
        n_users, k = recommended.shape
        n_items = len(context.popularity)
        rank = np.empty(n_items, dtype=np.int64)
        rank[np.lexsort((tie_break(np.arange(n_items)), -context.popularity))] = np.arange(n_items)
        users = np.repeat(np.arange(n_users), np.diff(context.histories.indptr))
        met_ranks = rank[context.histories.indices]
        order = np.lexsort((met_ranks, users))
        before = np.arange(len(users)) - np.searchsorted(users, users)  # how many of the user's items are more popular
        passed = met_ranks[order] - before < k  # stands before the k-th item that the user had not met
        last_expected = k - 1 + np.bincount(users[passed], minlength=n_users)
        met = np.sort(users * n_items + context.histories.indices)
        asked = np.arange(n_users)[:, None] * n_items + recommended
        known = (recommended >= 0) & (recommended < n_items)
        places = np.searchsorted(met, asked)
        was_met = known & (np.append(met, -1)[places] == asked)
        ranks = np.append(rank, n_items + k)[np.where(known, recommended, n_items)]  # strangers are no bestsellers
        unexpected = (ranks > last_expected[:, None]) & ~was_met
        return np.asarray((hits & unexpected).sum(axis=1) / max(k, 1), dtype=np.float64)
