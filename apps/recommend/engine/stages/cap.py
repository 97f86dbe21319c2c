"""Lets no category, brand or family of variants take more than its share of the first places."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.category_shares import entries_of
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import COUNT, chosen_first
from apps.recommend.engine.types import Items, Query, Rows, Slate


@STAGES.register("cap")
class Cap:
    """At most `most` items of one group among the first `count`; those beyond give way to the next best.

    Nothing is dropped: where too few others are left, what had to give way follows. Items in no group are not
    capped. O(candidates log candidates).
    """

    class Config(ComponentConfig):
        per: Literal["category", "brand", "parent"] = "category"
        """What is capped: an item's category (the smallest it is in), its brand, or a parent with its variants."""
        most: int = Field(default=3, ge=1)
        """How many items of one group there may be."""
        count: int = Field(default=COUNT, ge=1, le=1000)
        """Among how many first places; all other candidates stay behind them in their order."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        groups = _groups(self.config.per, context.items, slate.rows)
        order = np.argsort(groups, kind="stable")
        number = np.empty(len(slate), dtype=np.int64)  # how many of its group stand above each entry
        number[order] = np.arange(len(slate)) - np.searchsorted(groups[order], groups[order])
        within = np.flatnonzero((number < self.config.most) | (groups < 0))
        return chosen_first(slate, within[: self.config.count])


def _groups(per: str, items: Items, rows: Rows) -> NDArray[np.int64]:
    """A number for each row that is the same for rows of one group, -1 where it is in none."""
    if per == "parent":
        parents = items.parents[rows]
        return np.where(parents >= 0, parents, rows).astype(np.int64)
    if per == "brand":
        return np.full(len(rows), -1, np.int64) if items.brands is None else items.brands[rows]
    owners, columns = entries_of(items.categories, rows)
    sizes = np.diff(items.by_category.indptr)
    order = np.lexsort((columns, sizes[columns], owners))
    groups = np.full(len(rows), -1, dtype=np.int64)
    first, at = np.unique(owners[order], return_index=True)
    groups[first] = columns[order[at]]
    return groups
