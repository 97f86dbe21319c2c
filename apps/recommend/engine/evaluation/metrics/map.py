"""Mean average precision: hits count more the fewer misses stand above them."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("map")
class MeanAveragePrecision:
    """Average precision at k: the precision at each hit, summed, over the hits that were possible, min(k, truth)."""

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
        precision = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
        return np.asarray((precision * hits).sum(axis=1) / np.minimum(truth_sizes, k), dtype=np.float64)
