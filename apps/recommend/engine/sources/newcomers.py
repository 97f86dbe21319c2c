"""New items that suit the user: those that nobody could judge yet are known by their content alone."""

import math
from dataclasses import dataclass
from typing import Self
from weakref import ref

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine import best_found
from apps.recommend.engine.context import Context
from apps.recommend.engine.protocols import Asks
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.served_model import Gathered, ServedModel
from apps.recommend.engine.types import DAY, Items, Query, Rows, Slate

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class _Fresh:
    """The new items of one catalog, with their vectors of one model: the same for every request for a while.

    Refers to both weakly, so that a source which nobody asks any more does not keep an old catalog in memory.
    """

    items: ref[Items]
    model: ref[ServedModel]
    first: int  # these are the items from this time on
    last: int  # up to this one
    rows: Rows
    gathered: Gathered | None

    @classmethod
    def of(cls, added: int, seconds: int, now: int, items: Items, model: ServedModel) -> Self:
        """Of the `added` items added last those published no more than `seconds` before `now`."""
        start = max(len(items) - added, 0)  # rows are in the order in which items were added
        published = items.published[start:]
        ends = published + seconds
        rows = (np.flatnonzero((published <= now) & (now <= ends)) + start).astype(np.int32)
        # The last item to come or to grow old began it; the next to do either ends it.
        first = max(published[published <= now].max(initial=-NEVER), ends[ends < now].max(initial=-NEVER) + 1)
        last = min(published[published > now].min(initial=NEVER) - 1, ends[ends >= now].min(initial=NEVER))
        return cls(ref(items), ref(model), int(first), int(last), rows, model.gathered(rows))

    def holds(self, now: int, items: Items, model: ServedModel) -> bool:
        """Whether these are the new items still, by the same model."""
        return self.first <= now <= self.last and self.items() is items and self.model() is model

    def score(self, query: Query, model: ServedModel) -> NDArray[np.float32]:
        return model.score(query, self.rows) if self.gathered is None else model.score_gathered(query, self.gathered)


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
        self._last: _Fresh | None = None

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or not len(query.history):
            return Slate.empty()
        fresh = self._last
        if fresh is None or not fresh.holds(query.now, context.items, model):
            seconds = math.floor(self.config.days * DAY)
            fresh = self._last = _Fresh.of(self.config.added, seconds, query.now, context.items, model)
        shown = context.eligible[fresh.rows]
        if not shown.any():
            return Slate.empty()
        scores = fresh.score(Query(history=query.history, now=query.now, user=query.user), model)
        return best_found.best(fresh.rows[shown], scores[shown], limit, self.config.model)
