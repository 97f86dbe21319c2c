"""Items that occur together more often than chance would have it.

T. Dunning: Accurate Methods for the Statistics of Surprise and Coincidence, Computational Linguistics 19(1), 1993:
the log-likelihood ratio -2 log(lambda) of a 2 x 2 table, also known as the G-test.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from scipy.special import xlogy

from apps.plugins import ComponentConfig
from apps.recommend.engine.co_occurrence import ones, sparse_products, wanted_by_unit
from apps.recommend.engine.item_links import ItemLinksModel, Links
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Interactions, Items

Counts = NDArray[np.float64]


@ALGORITHMS.register("llr")
class LogLikelihood:
    """Links between items that share more sessions, or users, than independence explains."""

    class Config(ComponentConfig):
        unit: Literal["user", "session"] = "session"
        """What two items must share: a user, or one session or invoice of theirs."""
        events: tuple[str, ...] | None = None
        """Canonical event types to learn from, such as ["purchase"]. None: all that carry taste."""
        neighbours: int = Field(default=100, ge=1)
        """Links kept for each item."""
        min_llr: float = Field(default=3.84, ge=0)
        """Links with a smaller ratio are chance; 3.84 is the 95 % point for a single pair, 10.83 the 99.9 % point."""
        weight: Literal["llr", "root", "confidence"] = "llr"
        """What a link weighs: the ratio, which holds back what sells with everything; its square root; or the share of
        the item's sessions that have the other one too, which favours popular items. All only for pairs that pass."""

    Model = ItemLinksModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemLinksModel:
        """Counts units, whatever their events weigh. O(products of the co-occurrence matrix)."""
        wanted, item_ids = wanted_by_unit(interactions, self.config.unit, self.config.events)
        return ItemLinksModel.strongest(item_ids, self._links(ones(wanted)), self.config.neighbours)

    def _links(self, wanted: sparse.csr_matrix) -> Iterator[Links]:
        config = self.config
        units = float(np.count_nonzero(wanted.getnnz(axis=1)))
        counts = wanted.getnnz(axis=0).astype(np.float64)
        for _, row, products in sparse_products(wanted.T.tocsr(), wanted, "llr"):
            column, both = products.indices, products.data.astype(np.float64)
            # Together less often than chance would be as surprising, but nothing to recommend.
            keep = (column != row) & (both * units > counts[row] * counts[column])
            row, column, both = row[keep], column[keep], both[keep]
            ratio = log_likelihood_ratio(both, counts[row], counts[column], units)
            weight = ratio
            if config.weight == "root":
                weight = np.sqrt(ratio)
            elif config.weight == "confidence":
                weight = both / counts[row]
            sure = ratio >= config.min_llr
            yield row[sure], column[sure], weight[sure].astype(np.float32)


def log_likelihood_ratio(both: Counts, first: Counts, second: Counts, units: float) -> Counts:
    """G of the table of `units` of which `both` have the two items, `first` the one, `second` the other. Never < 0."""
    table = (both, first - both, second - both, units - first - second + both)
    margins = (first, units - first, second, units - second)
    observed = sum(xlogy(cell, cell) for cell in table)
    expected = sum(xlogy(margin, margin) for margin in margins) - xlogy(units, units)
    return np.asarray(np.maximum(2 * (observed - expected), 0.0))
