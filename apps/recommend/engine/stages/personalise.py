"""Moves what suits this user up, among candidates that were found without them."""

from dataclasses import replace

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.types import Query, Slate, tie_break


@STAGES.register("personalise")
class Personalise:
    """Adds a model's score for the user, brought to the spread of the candidates' own scores."""

    class Config(ComponentConfig):
        model: str
        """The model to ask, by its name in models.toml."""
        weight: float = 0.3
        """How much the user counts against the candidates' own scores, which count 1."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        model = context.models.get(self.config.model)
        if model is None or len(slate) < 2 or not (len(query.history) or model.wants_user):
            return slate
        personal = model.score(Query(history=query.history, now=query.now, user=query.user), slate.rows)
        if np.isnan(personal).all():
            return slate
        personal = np.nan_to_num(personal, nan=float(np.nanmin(personal)))
        spread = float(personal.std())
        if spread < 1e-9:
            return slate
        lift = (personal - personal.mean()) / spread * max(float(slate.scores.std()), 1e-6) * self.config.weight
        scores = (slate.scores + lift).astype(np.float32)
        order = np.lexsort((tie_break(slate.rows), -scores))
        return replace(slate, scores=scores).take(order)
