"""Normalised discounted cumulative gain: hits count less further down."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("ndcg")
class Ndcg:
    """Each hit at position p is worth 1 / log2(p + 1); the sum is divided by that of the best list of length k.

    K. Jarvelin, J. Kekalainen: Cumulated Gain-Based Evaluation of IR Techniques, ACM TOIS 20(4), 2002.
    """

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        self.config = config

    def per_user(
        self,
        recommended: NDArray[np.int32],
        hits: NDArray[np.bool_],
        truth_sizes: NDArray[np.int32],
        context: MetricContext,
    ) -> NDArray[np.float64]:
        k = hits.shape[1]
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(discounts)[np.minimum(truth_sizes, k) - 1]
        gain = np.where(hits, discounts, 0.0).sum(axis=1)  # a product would round by who else is in the batch
        return np.asarray(gain / ideal, dtype=np.float64)
