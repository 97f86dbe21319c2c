"""Leaves out what the user has already."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Query, Slate


@STAGES.register("drop_bought")
class DropBought:
    """Drops the items the user bought and neither gave back nor disliked since; what was only viewed stays."""

    class Config(ComponentConfig):
        """Nothing to set."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        if query.events is None:
            return slate
        return slate.take(~np.isin(slate.rows, query.events.rows[query.events.bought]))
