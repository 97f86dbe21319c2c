"""How much more popular than a user's own taste the list is."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("popularity_lift")
class PopularityLift:
    """Mean popularity of the list over that of the history, minus 1: 0 is the user's own, 1 twice as popular.

    Popularity is the share of users who had the item before. 0 for an empty list or history. H. Abdollahpouri,
    M. Mansoury, R. Burke, B. Mobasher, The Unfairness of Popularity Bias in Recommendation, RMSE workshop at RecSys
    2019, for one user instead of a group of users.
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
        popularity = np.append(context.popularity, 0.0)  # the last one for strangers and where the list is short
        there = recommended >= 0
        known = np.where(there, np.minimum(recommended, len(popularity) - 1), len(popularity) - 1)
        listed = popularity[known].sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        liked = context.histories > 0
        sums = np.asarray(liked @ context.popularity, dtype=np.float64)
        own = sums / np.maximum(liked.getnnz(axis=1), 1)
        defined = there.any(axis=1) & (own > 0)
        return np.where(defined, listed / np.where(own > 0, own, 1.0) - 1, 0.0)
