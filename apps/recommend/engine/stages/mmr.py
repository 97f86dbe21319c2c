"""Fills the first places with items that suit and that are unlike those above them."""

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import COUNT, chosen_first, item_vectors, to_unit
from apps.recommend.engine.types import Query, Slate


@STAGES.register("mmr")
class Mmr:
    """Maximal marginal relevance: each place goes to the item whose score, less its likeness to the most alike item
    above it, is the highest.

    J. Carbonell, J. Goldstein, The Use of MMR, Diversity-Based Reranking, SIGIR 1998; scores are brought to [0, 1].
    Belongs behind the stages that score; O(count x candidates that can
    still win x length of a vector).
    """

    class Config(ComponentConfig):
        relevance: float = Field(default=0.9, ge=0, le=1)
        """How much an item's score counts, its likeness counting the rest: 1 changes nothing (lambda in the paper)."""
        model: str | None = None
        """The model whose item vectors say what is alike; without one, or where it has none: shared categories."""
        count: int = Field(default=COUNT, ge=1, le=1000)
        """How many places to fill; all other candidates stay behind them in their order."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        count = min(self.config.count, len(slate))
        if count < 2:
            return slate
        worth = self.config.relevance * to_unit(slate.scores)
        unlike = 1 - self.config.relevance
        # Of the `count` of most worth one is always left to be chosen, and likeness lies between -1 and 1: what is
        # worth less than this can never be better. Mostly that spares two thirds of the vectors.
        least = np.partition(worth, len(slate) - count)[len(slate) - count] - 2 * unlike
        within = np.flatnonzero(worth >= least - 1e-9)
        worth = worth[within]
        vectors = item_vectors(slate.rows[within], context, self.config.model)
        nearest = np.full(len(within), -np.inf)
        chosen = np.empty(count, dtype=np.int64)
        chosen[0] = np.argmax(worth)
        for place in range(1, count):
            last = chosen[place - 1]
            worth[last] = -np.inf
            np.maximum(nearest, vectors @ vectors[last], out=nearest)
            chosen[place] = np.argmax(worth - unlike * nearest)
        return chosen_first(slate, within[chosen])
