"""A linear model of every item by all others, learned as if users had forgotten some of what they had.

H. Steck: Autoencoders that Don't Overfit towards the Identity, NeurIPS 2020: the full-rank model.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from apps.recommend.engine.co_occurrence import wanted_by_user
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.ridge_links import RidgeConfig, ridge_links
from apps.recommend.engine.ridge_model import RidgeModel
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Interactions, Items


@ALGORITHMS.register("edlae")
class Edlae:
    """Like `ease`, but the pull towards zero grows with how often an item was wanted: popular ones speak less."""

    class Config(RidgeConfig):
        dropout: Annotated[float, Between(0.02, 0.8)] = Field(default=0.3, ge=0, lt=1)
        """Share of what users had that is forgotten while learning; 0: `ease`."""
        l2: Annotated[float, Between(1.0, 3_000.0, log=True)] = Field(default=50.0, gt=0)
        """Pull of all weights towards zero beside that, in numbers of users."""

    Model = RidgeModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> RidgeModel:
        """Forgetting is worth a ridge of dropout / (1 - dropout) times the item's sum of squares. Costs as `ease`."""
        matrix, item_ids = wanted_by_user(interactions, self.config.binary)
        squares = np.asarray(matrix.multiply(matrix).sum(axis=0, dtype=np.float64)).ravel()
        dropout = self.config.dropout
        return ridge_links(matrix, item_ids, dropout / (1 - dropout) * squares + self.config.l2, self.config, "edlae")
