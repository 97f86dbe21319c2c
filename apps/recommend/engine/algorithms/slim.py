"""A sparse linear model of every item by items near it, with weights that are never negative.

X. Ning, G. Karypis: SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011 (fsSLIM: only the items of
highest cosine may explain an item). Coordinate descent on Gram matrices: J. Friedman, T. Hastie, R. Tibshirani:
Regularization Paths for Generalized Linear Models via Coordinate Descent, Journal of Statistical Software 33(1), 2010.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.co_occurrence import wanted_by_user
from apps.recommend.engine.item_links import ItemLinksModel
from apps.recommend.engine.neighbourhoods import links_of_matrix, nearest_items, regressions
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between, OneOf
from apps.recommend.engine.types import Interactions, Items


@ALGORITHMS.register("slim")
class Slim:
    """What users have says what else they have, with few and only positive links."""

    class Config(ComponentConfig):
        l1: Annotated[float, Between(0.001, 10.0, log=True)] = Field(default=0.1, ge=0)
        """Pull of each weight towards exactly zero, in numbers of users that two items share."""
        l2: Annotated[float, Between(1.0, 1_000.0, log=True)] = Field(default=50.0, gt=0)
        """Pull of all weights towards zero, in numbers of users; also divides weights among items alike."""
        neighbourhood: Annotated[int, Between(50, 300, log=True)] = Field(default=200, ge=1)
        """Items near an item that may explain it."""
        keep: int = Field(default=200, ge=1)
        """Links kept for each item: those of largest weight."""
        binary: Annotated[bool, OneOf(True, False)] = True
        """Whether all that a user wanted counts 1. Otherwise event weights count, divided by their mean."""
        tolerance: float = Field(default=1e-4, gt=0)
        """An item's weights are found when none of them moves by more than this."""
        sweeps: int = Field(default=200, ge=1)
        """At most this many passes over an item's weights."""
        num_threads: int = Field(default=0, ge=0)
        """Threads for training; 0: one a core. The result does not depend on it."""

    Model = ItemLinksModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemLinksModel:
        """For each item j: half |x_j - X w|² + l2 / 2 |w|² + l1 |w|₁ at its lowest over w >= 0.

        Each item costs the products of its near items' users, and O(neighbourhood) for each weight that moves.
        """
        config = self.config
        matrix, item_ids = wanted_by_user(interactions, config.binary)
        near = nearest_items(matrix, config.neighbourhood, "slim")
        weights = regressions(matrix, near, self._elastic_nets, "slim", config.num_threads)
        return ItemLinksModel.strongest(item_ids, links_of_matrix(weights), config.keep)

    def _elastic_nets(self, grams: NDArray[np.float64], members: NDArray[np.int32]) -> NDArray[np.float64]:
        from apps.recommend.engine.local_steps import elastic_nets  # compiled, and serving never trains

        config = self.config
        weights = np.empty((len(grams), grams.shape[1] - 1))
        elastic_nets(grams, config.l1, config.l2, config.sweeps, config.tolerance, weights)
        return weights
