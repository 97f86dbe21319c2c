"""Leaves out what the user knows already."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Query, Slate


@STAGES.register("drop_seen")
class DropSeen:
    """Drops the items of the user's history."""

    class Config(ComponentConfig):
        """Nothing to set."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        if not len(query.history):
            return slate
        from apps.recommend.engine.evidence_loops import not_among  # compiled: a second to import

        rows, seen = (np.ascontiguousarray(some, np.int32) for some in (slate.rows, query.history.rows))
        return slate.take(not_among(rows, seen))
