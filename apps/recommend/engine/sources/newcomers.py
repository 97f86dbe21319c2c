"""New items that suit the user: those that nobody could judge yet are known by their content alone."""

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import DAY, Query, Slate


@SOURCES.register("newcomers")
class Newcomers:
    """Of the items added last, those published lately, by what a model says of them for the user's history.

    Empty without history or while the model is not trained. With a weight of 0 it proposes without counting, and the
    stage `explore` decides how many are shown. Its cost does not depend on the size of the catalog.
    """

    asks: Asks = "history"

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml: one that knows items by their content."""
        days: float = Field(default=14.0, gt=0)
        """How long an item is new after it was published."""
        added: int = Field(default=300, ge=1)
        """How many of the items added last are looked at."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or not len(query.history):
            return Slate.empty()
        first = max(len(context.items) - self.config.added, 0)  # rows are in the order in which items were added
        age = query.now - context.items.published[first:]
        fresh = context.eligible[first:] & (age >= 0) & (age <= self.config.days * DAY)
        rows = (np.flatnonzero(fresh) + first).astype(np.int32)
        if not len(rows):
            return Slate.empty()
        asked = Query(history=query.history, now=query.now, user=query.user)
        return Slate.ranked(rows, model.score(asked, rows), limit, self.config.model)
