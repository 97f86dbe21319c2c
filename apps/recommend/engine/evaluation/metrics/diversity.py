"""How unlike each other the items of a list are."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS


@METRICS.register("diversity")
class IntraListDiversity:
    """1 minus the mean cosine similarity of all pairs of items in the list.

    Items are alike by the categories they share or by a model's vectors; an item in no category, or a stranger, is
    like no other. 0 for a list of fewer than two items. C.-N. Ziegler et al., Improving Recommendation Lists Through
    Topic Diversification, WWW 2005 (their similarity is the sum, this is the mean).
    """

    class Config(ComponentConfig):
        by: Literal["categories", "vectors"] = "categories"
        """What items are alike in. Vectors may point in opposite directions: the figure can then exceed 1."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def per_user(
        self,
        recommended: NDArray[np.int32],
        hits: NDArray[np.bool_],
        truth_sizes: NDArray[np.int32],
        context: MetricContext,
    ) -> NDArray[np.float64]:
        described = context.categories if self.config.by == "categories" else context.vectors
        if described is None:
            raise NotEnoughData(f"items with {self.config.by}", 0, 1)
        unit = sparse.csr_matrix(described, dtype=np.float64)
        lengths = np.sqrt(np.asarray(unit.multiply(unit).sum(axis=1)).ravel())
        unit = sparse.diags_array(1 / np.where(lengths > 0, lengths, 1.0)) @ unit
        users, places = np.nonzero((recommended >= 0) & (recommended < unit.shape[0]))
        items = recommended[users, places]
        lists = sparse.csr_matrix((np.ones(len(items)), (users, items)), shape=(len(recommended), unit.shape[0]))
        sums = (lists @ unit).tocsr()  # the square of a sum is the squares and twice every pair
        squares = np.bincount(users, lengths[items] > 0, minlength=len(recommended))
        twice_pairs = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - squares
        size = (recommended >= 0).sum(axis=1)
        return np.where(size > 1, 1 - twice_pairs / np.maximum(size * (size - 1), 1), 0.0)
