"""Orders the best candidates by what a model says of them: the second stage of a pipeline."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Query, Slate, tie_break


@STAGES.register("rescore")
class Rescore:
    """Orders the first `keep` entries by a model's scores, brought to the range of the scores they had.

    Entries the model cannot score follow in the order they were in, then the rest of the slate. Where it cannot score
    at least two, the slate stays as it is.
    """

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""
        keep: int = Field(default=200, ge=2)
        """How many of the slate's best to order anew."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or len(slate) < 2:
            return slate
        head = min(self.config.keep, len(slate))
        said = model.score(query, slate.rows[:head]).astype(np.float64)
        scored = ~np.isnan(said)
        if scored.sum() < 2:
            return slate
        lowest, highest = float(slate.scores[:head].min()), float(slate.scores[:head].max())
        least, most = float(said[scored].min()), float(said[scored].max())
        share = (said - least) / (most - least) if most > least else np.where(scored, 1.0, np.nan)
        scores = slate.scores.copy()
        scores[:head] = np.where(scored, lowest + share * (highest - lowest), lowest)
        place = np.where(scored, -1, np.arange(head))
        order = np.lexsort((tie_break(slate.rows[:head]), place, -np.nan_to_num(said, nan=-np.inf)))
        return replace(slate, scores=scores).take(np.concatenate([order, np.arange(head, len(slate))]))
