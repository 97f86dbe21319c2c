"""A polynomial graph filter in its simplest form: one sparse matrix of items, no singular vectors.

J.-D. Park, Y.-M. Shin, W.-Y. Shin: Turbo-CF: Matrix Decomposition-Free Graph Filtering for Fast Recommendation,
SIGIR 2024 (the linear low-pass filter).
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.co_occurrence import sparse_products, wanted_by_unit
from apps.recommend.engine.item_links import ItemLinksModel, Links
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Interactions, Items


@ALGORITHMS.register("turbo_cf")
class TurboCf:
    """Items are linked by (R'ᵀR')ˢ, entry by entry, where R' = D_U^-α R D_I^(α-1)."""

    class Config(ComponentConfig):
        alpha: Annotated[float, Between(0.3, 0.8)] = Field(default=0.5, ge=0, le=1)
        """How much users rather than items normalise: more of it holds popular items back less."""
        power: Annotated[float, Between(0.4, 1.2)] = Field(default=0.7, gt=0, le=3)
        """s: below 1, weak links come closer to strong ones."""
        neighbours: int = Field(default=500, ge=1)
        """Links kept for each item."""

    Model = ItemLinksModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemLinksModel:
        """O(products of the co-occurrence matrix); memory is bounded by blocks."""
        wanted, item_ids = wanted_by_unit(interactions)
        totals = np.asarray(wanted.sum(axis=1), dtype=np.float64).ravel()
        of_users = np.where(totals > 0, totals, 1.0) ** -self.config.alpha
        of_items = np.asarray(wanted.sum(axis=0)).ravel() ** (self.config.alpha - 1)
        normal = (sparse.diags(of_users) @ wanted @ sparse.diags(of_items)).astype(np.float32).tocsr()
        return ItemLinksModel.strongest(item_ids, self._links(normal), self.config.neighbours)

    def _links(self, normal: sparse.csr_matrix) -> Iterator[Links]:
        for _, row, products in sparse_products(normal.T.tocsr(), normal, "turbo_cf"):
            keep = products.indices != row
            yield row[keep], products.indices[keep], products.data[keep] ** np.float32(self.config.power)
