"""How many users found anything in the list."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("hit_rate")
class HitRate:
    """1 for a user with at least one hit, else 0."""

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
        return np.asarray(hits.any(axis=1), dtype=np.float64)
