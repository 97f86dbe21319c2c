"""How far the list's mix of categories is from the user's own."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.category_shares import divergence, rows_to_one, shares
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("calibration")
class Calibration:
    """Kullback-Leibler divergence of the list's categories from the history's, in nats: 0 is the same mix.

    H. Steck, Calibrated Recommendations, RecSys 2018. The history counts by its evidence weights. 0 for
    a user whose history is in no category, -log(smoothing) for a list that has nothing in common with the history.
    """

    class Config(ComponentConfig):
        smoothing: float = Field(default=0.01, gt=0, lt=1)
        """Share of the history's own mix that is added to the list's, so that nothing is infinitely far."""
        by_rank: bool = False
        """Whether an entry counts 1 / log2(position + 1) instead of all entries alike."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def per_user(
        self,
        recommended: NDArray[np.int32],
        hits: NDArray[np.bool_],
        truth_sizes: NDArray[np.int32],
        context: MetricContext,
    ) -> NDArray[np.float64]:
        if context.categories is None:
            raise NotEnoughData("items with categories", 0, 1)
        by_item = rows_to_one(context.categories)
        users, places = np.nonzero((recommended >= 0) & (recommended < by_item.shape[0]))
        counts = 1 / np.log2(places + 2) if self.config.by_rank else np.ones(len(places))
        lists = sparse.csr_matrix(
            (counts, (users, recommended[users, places])), shape=(len(recommended), by_item.shape[0])
        )
        return divergence(shares(context.histories, by_item), shares(lists, by_item), self.config.smoothing)
