"""How a model looks at events: which are too old to count, how fast they fade, what each type says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from apps.plugins import ComponentConfig
from apps.recommend.engine.protocols import Algorithm, FittedModel
from apps.recommend.engine.tuning.ranges import OneOf
from apps.recommend.engine.types import DAY, EventWorth, Interactions, Items

TYPE_FACTORS = OneOf(0.3, 1.0, 3.0)  # what is tried for a type's weight, times its own


class Lens(ComponentConfig):
    """What is done to the events before an algorithm sees them. A blank lens changes nothing.

    It is for learning only: what a user's own events say when they ask is decided by the event types.
    """

    window_days: Annotated[float | None, OneOf(30.0, 90.0, 365.0, None)] = Field(default=None, gt=0)
    """Events older than this are left out. None: all count."""
    half_life_days: Annotated[float | None, OneOf(7.0, 14.0, 30.0, 90.0, 180.0, 365.0, None)] = Field(
        default=None, gt=0
    )
    """Days after which an event counts half, whatever its type. None: each type's own."""
    weights: dict[str, float] | None = None
    """What a fresh event of a type counts, by the type's name; types that are not named keep their own weight."""

    @property
    def blank(self) -> bool:
        """Whether this lens changes nothing."""
        return not self.parameters()

    def parameters(self) -> dict[str, Any]:
        """What is set, as JSON can hold it; empty for a blank lens."""
        return self.model_dump(mode="json", exclude_none=True)

    def apply(self, interactions: Interactions) -> Interactions:
        """The events as seen through this lens: the same users, items and `as_of`, no event changed. O(events).

        Raises ValueError for a weight of a type that is none of taste: a misspelt name would silently do nothing.
        """
        if self.blank:
            return interactions
        worth = {code: self._seen(one) for code, one in interactions.worth.items()}
        seen = replace(interactions, worth=worth)
        tastes = sorted(one.name for one in worth.values() if one.taste)
        unknown = sorted(set(self.weights or {}) - set(tastes))
        if unknown:
            raise ValueError(f"weights: no event type of taste is called {unknown[0]!r}. Known: {', '.join(tastes)}.")
        if self.window_days is None:
            return seen
        return seen.select(interactions.as_of - interactions.times <= self.window_days * DAY)

    def _seen(self, one: EventWorth) -> EventWorth:
        weight = (self.weights or {}).get(one.name, one.weight)
        return replace(one, weight=weight, half_life_days=self.half_life_days or one.half_life_days)


def through_lens(algorithm: Algorithm, lens: Lens) -> Algorithm:
    """`algorithm`, learning from what `lens` shows it; `algorithm` itself for a blank lens."""
    return algorithm if lens.blank else _ThroughLens(algorithm, lens)


def lens_and_rest(
    config: type[ComponentConfig], parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`parameters` parted into the lens's and the algorithm's own.

    A key that `config` names itself is the algorithm's: a plug-in may have a half-life of its own.
    """
    lens = {key for key in parameters if key in Lens.model_fields and key not in config.model_fields}
    return (
        {key: value for key, value in parameters.items() if key in lens},
        {key: value for key, value in parameters.items() if key not in lens},
    )


class _ThroughLens:
    """An algorithm with a lens before it; everything else is the algorithm's."""

    def __init__(self, algorithm: Algorithm, lens: Lens) -> None:
        self._algorithm = algorithm
        self._lens = lens
        self.Model = algorithm.Model
        self.collaborative = algorithm.collaborative
        self.reads_texts = algorithm.reads_texts
        self.reads_follows = getattr(algorithm, "reads_follows", False)

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> FittedModel:
        return self._algorithm.fit(self._lens.apply(interactions), items, rng)
