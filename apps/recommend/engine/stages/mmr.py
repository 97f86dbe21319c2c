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
    Belongs behind the stages that score; O(count x candidates x length of a vector).
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
        vectors = item_vectors(slate.rows, context, self.config.model)
        worth = self.config.relevance * to_unit(slate.scores)
        nearest = np.full(len(slate), -np.inf)
        chosen = np.empty(count, dtype=np.int64)
        chosen[0] = np.argmax(worth)
        for place in range(1, count):
            last = chosen[place - 1]
            worth[last] = -np.inf
            np.maximum(nearest, vectors @ vectors[last], out=nearest)
            chosen[place] = np.argmax(worth - (1 - self.config.relevance) * nearest)
        return chosen_first(slate, chosen)
