"""A linear model of every item by all others, in closed form.

H. Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
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


@ALGORITHMS.register("ease")
class Ease:
    """What users have says what else they have: least squares with a ridge, an item never explaining itself."""

    class Config(RidgeConfig):
        l2: Annotated[float, Between(1.0, 3_000.0, log=True)] = Field(default=100.0, gt=0)
        """Pull of all weights towards zero, in numbers of users: grows with the data's noise."""

    Model = RidgeModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> RidgeModel:
        """n³ operations and 2 n² bytes (single precision), n being the items or the users, whichever are fewer.

        Where that is more than `memory_gb`, each item is explained by only its `neighbourhood` nearest items (by
        cosine). With all items near that is the exact solution; with fewer, links from the items left out are
        missing, and those from the near ones also say what the missing ones would have said.

        With `keep` = "all" nothing is cut off: the dense model of the paper, against which the short rows can be
        measured. It takes another 4 items² bytes and costs a list O(evidence items); on sparse data it ranks no
        better than the 200 strongest links.
        """
        matrix, item_ids = wanted_by_user(interactions, self.config.binary)
        return ridge_links(matrix, item_ids, np.full(len(item_ids), self.config.l2), self.config, "ease")
