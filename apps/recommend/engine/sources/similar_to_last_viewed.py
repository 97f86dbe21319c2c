"""What goes with the item the user viewed last: a list around one thing, which can be named above it."""

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.item_groups import families
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import Evidence, Query, Slate


@SOURCES.register("similar_to_last_viewed")
class SimilarToLastViewed:
    """Asks a model with the item viewed last and not bought since as the seed; neither it nor its variants come back.

    Empty while the model is not trained, or nothing was viewed.
    """

    asks: Asks = "history"

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        row = None if query.events is None else query.events.last_viewed
        if model is None or row is None:
            return Slate.empty()
        seed = Evidence.of_rows([row])
        slate = model.best(Query(seeds=seed, now=query.now), context.eligible, limit, self.config.model)
        parents = context.items.parents
        return slate.take(families(parents, slate.rows) != families(parents, seed.rows)[0])
