"""How much of the catalog is ever recommended."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("coverage")
class Coverage:
    """Different items in all lists together, as a share of the items that could have been in one."""

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        self.config = config

    def overall(self, recommended: NDArray[np.int32], context: MetricContext) -> float:
        different = len(np.unique(recommended[recommended >= 0]))
        return different / context.n_items if context.n_items else 0.0
