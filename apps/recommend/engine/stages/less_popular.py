"""Moves less known items up, so that attention is shared among more of the catalog."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.reranking import to_unit
from apps.recommend.engine.types import Query, Slate, tie_break


@STAGES.register("less_popular")
class LessPopular:
    """Mixes each candidate's score with its self-information, the negative logarithm of its popularity.

    Both are brought to [0, 1] over the candidates, and the mix back to the span of the scores. P. Castells,
    N. Hurley, S. Vargas, Novelty and Diversity in Recommender Systems, Recommender Systems Handbook, 2015. An item
    that the model knows nothing of counts as the least popular. Changes nothing while that model is not trained.
    """

    class Config(ComponentConfig):
        model: str
        """The model whose scores, such as counts of events, say how popular an item is; they must not be negative."""
        weight: float = Field(default=0.2, ge=0, le=1)
        """How much being little known counts, the score counting the rest: 0 changes nothing."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or len(slate) < 2:
            return slate
        counts = np.nan_to_num(model.score(Query(now=query.now), slate.rows), nan=0.0)
        known = to_unit(np.log1p(np.maximum(counts, 0.0)))
        mixed = (1 - self.config.weight) * to_unit(slate.scores) - self.config.weight * known + self.config.weight
        sound = slate.scores[np.isfinite(slate.scores)]
        low, high = float(sound.min(initial=np.inf)), float(sound.max(initial=-np.inf))
        scores = low + (high - low) * mixed if len(sound) else mixed
        order = np.lexsort((tie_break(slate.rows), -mixed))
        return replace(slate, scores=scores.astype(np.float32)).take(order)
