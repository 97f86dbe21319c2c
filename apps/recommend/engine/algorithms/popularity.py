"""Popularity: what is wanted most, the same for everybody. How fast it forgets is a matter of the lens."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.demand import PopularityModel, demand
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Interactions, Items


@ALGORITHMS.register("popularity")
class Popularity:
    """Sums, for each item, what each user's events say; see `demand`.

    Best sellers of a day and of a month differ in `window_days` and `half_life_days`, which any model may set.
    """

    class Config(ComponentConfig):
        """Nothing to set."""

    Model = PopularityModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> PopularityModel:
        if not len(interactions):
            raise NotEnoughData("events", 0, 1)
        return PopularityModel(interactions.item_ids, demand(interactions).astype(np.float32))
