"""Leaves out the very items the list is about, and their variants."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.item_groups import families
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Query, Slate


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
        return slate.take(~np.isin(families(parents, slate.rows), families(parents, query.seeds.rows)))
