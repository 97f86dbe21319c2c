"""Lets new items that nobody could judge yet be seen, but no more often than agreed."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.explore_loops import explored, in_turn, published_within
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import COUNT
from apps.recommend.engine.types import DAY, Query, Slate


@STAGES.register("explore")
class Explore:
    """At most `share` of the first `count` places, spread evenly, go to candidates that are new and unproven.

    New is what was published within `days`; unproven what the `evidence` model does not know or gives no more than
    `least`. The `among` best of them are drawn from: by chance where the context has a generator, else in turn, the
    turn changing every `hours` and from user to user. All others keep their order, before and behind those places;
    what was not drawn stands last. So the share is a cap on all of them, whatever their scores; only where there are
    too few others to fill the first places they follow sooner: nothing is dropped.

    Where there was chance, a drawn entry's propensity is that of just this item at just this place, 1 / (items drawn
    from); entries that chance could not move have 1, times what they had before. Belongs at the end, behind filters and
    caps: what drops out later leaves a gap. Brings no candidates of its own: the pipeline needs a source that proposes
    new items, such as `newest`, or a content model's.
    """

    class Config(ComponentConfig):
        share: float = Field(default=0.1, ge=0, le=1)
        """How much of the first places may go to new items, at most; a place is never shared, so rounded down."""
        count: int = Field(default=COUNT, ge=1, le=1000)
        """How many places are the first ones."""
        days: float = Field(default=14.0, gt=0)
        """How long an item is new after it was published."""
        evidence: str = "popular"
        """The model that says how much an item is wanted already, by its name in models.toml."""
        least: float = Field(default=3.0, ge=0)
        """How much of that is hardly any: for a popularity model, users."""
        among: int = Field(default=50, ge=1)
        """How many new items are drawn from."""
        hours: float = Field(default=1.0, gt=0)
        """How long a turn lasts where there is no chance."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        config = self.config
        fresh = self._new(slate, query, context)
        if not len(fresh):
            return slate
        first = min(config.count, len(slate))
        drawn_from = fresh[: config.among]
        quota = min(int(config.share * first + 1e-9), len(drawn_from))
        if context.rng is None:
            # Not by score: what is at hand for all users would then be shown to all of them at once.
            turn = int(query.now // (config.hours * 3_600)) + query.user
            shift = turn * max(1, int(config.share * config.count)) % len(drawn_from)
            return slate.take(explored(in_turn(slate.rows, drawn_from, shift), fresh, len(slate), first, quota))
        drawn_from = context.rng.permutation(drawn_from)
        order = explored(drawn_from, fresh, len(slate), first, quota)
        result = slate.take(order)
        before = np.ones(len(result), np.float32) if result.propensities is None else result.propensities
        chance = np.where(np.isin(order, drawn_from), 1 / len(drawn_from), 1.0)
        return replace(result, propensities=(before * chance).astype(np.float32))

    def _new(self, slate: Slate, query: Query, context: Context) -> NDArray[np.int64]:
        """Where entries stand that are new and unproven."""
        places: NDArray[np.int64] = published_within(
            slate.rows, context.items.published, query.now, math.floor(self.config.days * DAY)
        )
        model = context.models.get(self.config.evidence)
        if model is not None and len(places):
            wanted = model.score(Query(now=query.now), slate.rows[places])
            places = places[~(wanted > self.config.least)]  # NaN: the model does not know it
        return places
