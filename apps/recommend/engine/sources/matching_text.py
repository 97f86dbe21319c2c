"""What a search query names, and what is like it."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import Evidence, Query, Slate


@SOURCES.register("matching_text")
class MatchingText:
    """Asks a text model for the words of the query.

    With `meaning`, the best matches become seeds of that model, which finds items that mean the same in other words
    without encoding the query itself (pseudo-relevance feedback: Rocchio 1971).
    """

    asks: Asks = "text"

    class Config(ComponentConfig):
        model: str
        """A model that answers `Query.text`, by its name in models.toml."""
        meaning: str | None = None
        """A model of meaning to ask with the best matches as seeds."""
        seeds: int = 5
        """How many of the best matches become seeds."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        words = context.models.get(self.config.model)
        if words is None or not query.text:
            return Slate.empty()
        matches = words.best(Query(text=query.text, now=query.now), context.eligible, limit, self.config.model)
        if self.config.meaning is None or not len(matches):
            return matches
        meaning = context.models.get(self.config.meaning)
        if meaning is None:
            return Slate.empty()
        best = Evidence.of_rows(matches.rows[: self.config.seeds])
        best = Evidence(best.rows, np.maximum(matches.scores[: self.config.seeds], 0), best.types)
        return meaning.best(Query(seeds=best, now=query.now), context.eligible, limit, self.config.meaning)
