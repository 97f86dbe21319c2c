"""Rising: what is wanted more now than it was just before, the same for everybody."""

from typing import Annotated

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.demand import PopularityModel, demand
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Interactions, Items

HOUR = 3_600


@ALGORITHMS.register("rising")
class Rising:
    """The lift of each item: how wanted it is in the last hours, against what the hours before lead one to expect.

    With r the demand for an item in the last `recent_hours` (see `demand`), b that in the `before_hours` before them,
    and R and B those for all items, what is expected is e = R b / B: the item's share as it was, so that a busy day
    of the whole shop lifts nothing. The lift is (r + prior) / (e + prior), the mean of a gamma-Poisson model whose
    rates are 1 before anything is seen (W. DuMouchel, Bayesian Data Mining in Large Frequency Tables, The American
    Statistician 53, 1999): one sale in a quiet night is lifted by little. A score is its binary logarithm, so 1 is
    twice as much as expected, and 0 where the lift is below `least_lift`: that is not rising.
    """

    class Config(ComponentConfig):
        recent_hours: float = Field(default=24.0, gt=0)
        """How long "now" is, back from the last event."""
        before_hours: float = Field(default=72.0, gt=0)
        """How long the time before it is."""
        prior: Annotated[float, Between(1.0, 100.0, log=True)] = Field(default=10.0, gt=0)
        """How many users' demand, in both times, it takes for an item's own lift to count as much as the average."""
        least_lift: float = Field(default=1.1, ge=1)
        """A lower lift counts as none."""

    Model = PopularityModel
    collaborative = False
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> PopularityModel:
        if not len(interactions):
            raise NotEnoughData("events", 0, 1)
        age = (interactions.as_of - interactions.times) / HOUR
        lately = age <= self.config.recent_hours
        recent = demand(interactions.select(lately))
        before = demand(interactions.select(~lately & (age <= self.config.recent_hours + self.config.before_hours)))
        expected = before * (recent.sum() / before.sum()) if before.any() else before
        lift = (recent + self.config.prior) / (expected + self.config.prior)
        scores = np.where(lift >= self.config.least_lift, np.log2(lift), 0.0)
        return PopularityModel(interactions.item_ids, scores.astype(np.float32))
