"""Leaves out the very items the list is about, and their variants."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Query, Rows, Slate


@STAGES.register("drop_seeds")
class DropSeeds:
    """Drops the seeds, their parents, and everything that shares a parent with them."""

    class Config(ComponentConfig):
        """Nothing to set."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        if not len(query.seeds):
            return slate
        parents = context.items.parents
        return slate.take(~np.isin(_family(parents, slate.rows), _family(parents, query.seeds.rows)))


def _family(parents: Rows, rows: Rows) -> Rows:
    """The row that stands for each row's variants: its parent's, or its own."""
    return np.where(parents[rows] >= 0, parents[rows], rows)
