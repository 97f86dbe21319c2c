"""How far down the first hit is."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("mrr")
class MeanReciprocalRank:
    """One divided by the position of the first hit, 0 without a hit."""

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
        reciprocal = hits / np.arange(1, hits.shape[1] + 1)
        return np.asarray(reciprocal.max(axis=1, initial=0.0), dtype=np.float64)
