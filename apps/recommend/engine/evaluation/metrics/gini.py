"""How unevenly the lists share out attention among the items."""

import numpy as np
from numpy.typing import NDArray

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("gini")
class Gini:
    """Gini coefficient of how often each item that could be recommended is: 0 all alike, towards 1 always the same.

    Items in no list count with 0. 0 where there are no lists. C. Gini 1912; for recommendations: D. Fleder,
    K. Hosanagar, Blockbuster Culture's Next Rise or Fall, Management Science 55(5), 2009.
    """

    class Config(ComponentConfig):
        """Nothing to set."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def overall(self, recommended: NDArray[np.int32], context: MetricContext) -> float:
        _, shown = np.unique(recommended[recommended >= 0], return_counts=True)
        n = max(context.n_items, len(shown))
        if not len(shown):
            return 0.0
        places = np.arange(n - len(shown) + 1, n + 1)  # those never shown come first and add nothing
        return float(((2 * places - n - 1) * np.sort(shown)).sum() / (n * shown.sum()))
