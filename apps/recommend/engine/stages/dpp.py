"""Fills the first places with the set of items that is best as a whole: that suits, and spans much."""

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import COUNT, chosen_first, item_vectors, to_unit
from apps.recommend.engine.types import Query, Slate


@STAGES.register("dpp")
class Dpp:
    """The most probable set of a determinantal point process, found greedily: each place goes to the item that
    raises the log-determinant of the chosen items' kernel most.

    The kernel is q_i q_j S_ij with q = exp(theta / (2 (1 - theta)) score), scores brought to [0, 1], and S the
    cosines, those between different items times `likeness`. L. Chen, G. Zhang, E. Zhou, Fast Greedy MAP Inference
    for Determinantal Point Process to Improve Recommendation Diversity, NeurIPS 2018, algorithm 1 and the
    trade-off they measure.
    Belongs behind the stages that score; O(count x candidates x (count + length of a vector)).
    """

    class Config(ComponentConfig):
        theta: float = Field(default=0.95, ge=0, le=0.999)
        """How much the scores count against how unlike the items are: 0 not at all, towards 1 alone."""
        likeness: float = Field(default=0.9, gt=0, lt=1)
        """What items are at most alike that are alike in everything: below 1, so that two such can both be chosen."""
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
        worth = self.config.theta / (1 - self.config.theta) * to_unit(slate.scores)  # log q^2: never overflows
        spans = np.ones(len(slate))  # what each item adds to the determinant of S, squared: d^2 in the paper
        factors = np.empty((count, len(slate)))  # c in the paper, one row a chosen item
        chosen = np.empty(count, dtype=np.int64)
        chosen[0] = np.argmax(worth)
        for place in range(1, count):
            last = chosen[place - 1]
            cosines = self.config.likeness * (vectors @ vectors[last])
            known = factors[: place - 1, last] @ factors[: place - 1]
            factors[place - 1] = (cosines - known) / np.sqrt(spans[last])
            spans -= factors[place - 1] ** 2
            worth[last] = -np.inf
            chosen[place] = np.argmax(worth + np.log(np.maximum(spans, 1e-12)))
        return chosen_first(slate, chosen)
