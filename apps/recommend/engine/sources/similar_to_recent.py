"""What goes with the last few things the user looked at."""

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import Evidence, Query, Slate


@SOURCES.register("similar_to_recent")
class SimilarToRecent:
    """Asks a model with the newest items of the history as seeds: follows the moment, forgets the months."""

    asks: Asks = "history"

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""
        recent: int = 5
        """How many of the newest items count."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        recent = query.history.weights[: self.config.recent] > 0
        if model is None or not recent.any():
            return Slate.empty()
        rows = query.history.rows[: self.config.recent][recent]
        return model.best(
            Query(seeds=Evidence.of_rows(rows), now=query.now), context.eligible, limit, self.config.model
        )
