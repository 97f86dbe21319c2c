"""What a model thinks this user wants, from their recent history."""

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import NOBODY, Query, Slate


@SOURCES.register("nearest_to_user")
class NearestToUser:
    """Asks a model with the user's history, and with who they are.

    Empty while the model is not trained, and without history unless the model knows people by who they are.
    """

    asks: Asks = "history"

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or not (len(query.history) or (model.wants_user and query.user != NOBODY)):
            return Slate.empty()
        asked = Query(history=query.history, now=query.now, user=query.user)
        return model.best(asked, context.eligible, limit, self.config.model)
