"""What the user viewed lately and may want to find again."""

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import DAY, Query, Slate


@SOURCES.register("recently_viewed")
class RecentlyViewed:
    """The items the user viewed, latest first, without those bought or disliked since. Needs no model.

    The score is a half-life of the time since. It proposes what was seen, so it belongs into a pipeline that does not
    drop that.
    """

    asks: Asks = "history"

    class Config(ComponentConfig):
        half_life_days: float = Field(default=7.0, gt=0)
        """Days after which a view counts half, where this source is blended with others."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        if query.events is None:
            return Slate.empty()
        places = query.events.viewed
        places = places[context.eligible[query.events.rows[places]]][:limit]
        age_days = np.maximum(query.now - query.events.times[places], 0) / DAY
        scores = np.exp2(-age_days / self.config.half_life_days).astype(np.float32)
        return Slate(query.events.rows[places], scores, np.zeros(len(places), np.int16), ("recently_viewed",))
