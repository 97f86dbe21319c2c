"""How much of the catalog is ever recommended."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.registries import METRICS


@METRICS.register("coverage")
class Coverage:
    """Different items in all lists together, as a share of the items that could have been in one."""

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        self.config = config

    def overall(self, recommended: NDArray[np.int32], n_items: int) -> float:
        return len(np.unique(recommended[recommended >= 0])) / n_items if n_items else 0.0
