"""What everybody wants: best sellers, trending."""

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import Query, Slate


@SOURCES.register("most_wanted")
class MostWanted:
    """The best of a model that answers everybody alike. Items nobody wanted are left out."""

    asks: Asks = "nothing"

    class Config(ComponentConfig):
        model: str
        """A popularity model, by its name in models.toml."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        if model is None:
            return Slate.empty()
        slate = model.best(Query(now=query.now), context.eligible, limit, self.config.model)
        return slate.take(slate.scores > 0)
