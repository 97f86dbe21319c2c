"""New arrivals. Needs no model, so it always has an answer."""

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import DAY, Query, Slate


@SOURCES.register("newest")
class Newest:
    """The items published last; the score is a half-life of age, so that it blends with others."""

    asks: Asks = "nothing"

    class Config(ComponentConfig):
        half_life_days: float = Field(default=30.0, gt=0)
        """Days after which an item is half as new."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        rows = np.flatnonzero(context.eligible).astype(np.int32)[::-1]  # of one second, the last added first
        published = context.items.published[rows]
        if len(rows) > limit:
            # Chosen by date, not by score: of very old items the scores are all alike.
            top = np.argpartition(-published, limit - 1)[:limit]
            rows, published = rows[top], published[top]
        order = np.argsort(-published, kind="stable")
        age_days = np.maximum(query.now - published[order], 0) / DAY
        scores = np.exp2(-age_days / self.config.half_life_days).astype(np.float32)
        return Slate(rows[order], scores, np.zeros(len(rows), np.int16), ("newest",))
