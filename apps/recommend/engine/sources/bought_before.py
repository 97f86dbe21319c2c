"""What the user bought before and is likely to buy again."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import DAY, Evidence, Query, Slate


@SOURCES.register("bought_before")
class BoughtBefore:
    """The items the user bought and neither gave back nor disliked since, by what a model says of buying them again.

    The model is asked with one piece of evidence for each purchase, with its time. What it does not know, all while
    it is not trained, follows: first what was bought more often, then what was bought later. It proposes what was
    seen, so it belongs into a pipeline that does not drop that.
    """

    asks: Asks = "history"

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml: of the algorithm `repurchase`."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        events = query.events
        if events is None:
            return Slate.empty()
        places = events.bought
        places = places[context.eligible[events.rows[places]]]
        if not len(places):
            return Slate.empty()
        rows, first, times_bought = np.unique(events.rows[places], return_index=True, return_counts=True)
        age_days = np.maximum(query.now - events.times[places[first]], 0) / DAY
        scores = times_bought + 1 / (1 + age_days)
        model = context.models.get(self.config.model)
        if model is not None:
            purchases = Evidence(
                rows=events.rows[places],
                weights=np.ones(len(places), np.float32),
                types=events.types[places],
                times=events.times[places],
            )
            said = model.score(Query(history=purchases, now=query.now, user=query.user), rows)
            known = ~np.isnan(said)
            least = float(said[known].min(initial=np.inf))
            below = least / 2 / scores.max() if np.isfinite(least) else 1.0
            scores = np.where(known, said, scores * below)
        return Slate.ranked(rows, scores.astype(np.float32), limit, self.config.model)
