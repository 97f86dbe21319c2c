"""How little known the recommended items are."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("novelty")
class Novelty:
    """Mean self-information of the list's items in bits: -log2 of the share of users who had the item before.

    An item nobody had counts like the least popular one that somebody had. 0 for an empty list. T. Zhou et al.,
    Solving the apparent diversity-accuracy dilemma of recommender systems, PNAS 107(10), 2010; S. Vargas,
    P. Castells, Rank and Relevance in Novelty and Diversity Metrics, RecSys 2011 (without discounts).
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
        popularity = context.popularity
        rarest = popularity[popularity > 0].min(initial=1.0)
        bits = np.append(-np.log2(np.maximum(popularity, rarest)), -np.log2(rarest))  # the last one for strangers
        there = recommended >= 0
        known = np.where(there, np.minimum(recommended, len(popularity)), len(popularity))
        return np.asarray(np.where(there, bits[known], 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1))
