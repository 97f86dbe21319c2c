"""What a model thinks this user wants, from their recent history."""

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import Query, Slate


@SOURCES.register("nearest_to_user")
class NearestToUser:
    """Asks a model with the user's history. Empty without history or while the model is not trained."""

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or not len(query.history):
            return Slate.empty()
        return model.best(Query(history=query.history, now=query.now), context.eligible, limit, self.config.model)
