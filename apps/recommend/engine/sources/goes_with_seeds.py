"""What goes with the item of the page, or with the items in the cart."""

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import Query, Slate


@SOURCES.register("goes_with_seeds")
class GoesWithSeeds:
    """Asks a model with the seeds. Empty without seeds or while the model is not trained."""

    asks: Asks = "seeds"

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or not len(query.seeds):
            return Slate.empty()
        return model.best(Query(seeds=query.seeds, now=query.now), context.eligible, limit, self.config.model)
