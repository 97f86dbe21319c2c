"""Lets no category, brand or family of variants take more than its share of the first places."""

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.item_groups import GroupedBy, groups
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import COUNT, chosen_first
from apps.recommend.engine.types import Query, Slate


@STAGES.register("cap")
class Cap:
    """At most `most` items of one group among the first `count`; those beyond give way to the next best.

    Nothing is dropped: where too few others are left, what had to give way follows. Items in no group are not
    capped. O(candidates log candidates).
    """

    class Config(ComponentConfig):
        per: GroupedBy = "category"
        """What is capped: an item's category (the smallest it is in), its brand, or a parent with its variants."""
        most: int = Field(default=3, ge=1)
        """How many items of one group there may be."""
        count: int = Field(default=COUNT, ge=1, le=1000)
        """Among how many first places; all other candidates stay behind them in their order."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        found = groups(self.config.per, context.items, slate.rows)
        order = np.argsort(found, kind="stable")
        number = np.empty(len(slate), dtype=np.int64)  # how many of its group stand above each entry
        number[order] = np.arange(len(slate)) - np.searchsorted(found[order], found[order])
        within = np.flatnonzero((number < self.config.most) | (found < 0))
        return chosen_first(slate, within[: self.config.count])
