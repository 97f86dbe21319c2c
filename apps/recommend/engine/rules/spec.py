"""What a merchandiser asked for: rules, and the controls of a placement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.recommend.engine.filters import Expression

Action = Literal["pin", "boost", "bury", "hide", "include_only", "promote_share"]

RESTRICTS = ("hide", "include_only")
WEIGHS = ("boost", "bury")


@dataclass(frozen=True)
class RuleSpec:
    """One rule. An item is meant when it is one of `items` (ids, in order) or matches `filter`.

    It applies from `starts` until just before `ends` (seconds since 1970), when each of its conditions holds: some
    seed item matches `seed_filter`; the page's category or a seed item is in one of `categories` (ids); the user is in
    one of `segments`; all of `context` is as said. What is empty or None asks nothing. Of rules that contradict each
    other the one of higher `priority` decides, then the one with the lower id. `placements` are the keys of those it
    is for, empty: all; whoever makes `Rules` for one placement has to look at it.
    """

    id: int
    name: str
    action: Action
    priority: int = 0
    items: tuple[int, ...] = ()
    filter: Expression | None = None
    strength: float = 2.0  # what a boosted score is multiplied by, a buried one divided by; above 0
    position: int = 1  # of the first pinned item, from 1; the others follow it
    share: float = 0.0  # of the places, 0 to 1, that promoted items have at least
    seed_filter: Expression | None = None
    categories: frozenset[int] = frozenset()
    segments: frozenset[str] = frozenset()
    context: tuple[tuple[str, str], ...] = ()
    starts: int | None = None
    ends: int | None = None
    placements: frozenset[str] = frozenset()

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts rules so that the one that decides comes first."""
        return -self.priority, self.id

    @property
    def factor(self) -> float:
        """What the rule multiplies scores by; 1 unless it boosts or buries."""
        if self.action == "boost":
            return self.strength
        return 1.0 / self.strength if self.action == "bury" else 1.0


@dataclass(frozen=True)
class Controls:
    """What holds for every list of a placement. None and 0 mean: not asked for."""

    max_per_brand: int | None = None
    max_per_category: int | None = None  # an item's category is the smallest it is in
    min_relevance: float | None = None  # 0 to 1: the least share of the best candidate's score
    price_min: float | None = None  # an item without a price is in no range
    price_max: float | None = None
    collapse_variants: bool = False
    freshness_weight: float = 0.0
    freshness_half_life_days: float = 14.0
    margin_weight: float = 0.0  # reads `attributes.margin`, 0 to 1
    rotation_hours: float = 0.0

    @property
    def shapes(self) -> bool:
        """Whether they change scores."""
        return self.freshness_weight > 0 or self.margin_weight > 0 or self.rotation_hours > 0


NO_CONTROLS = Controls()


def context_text(value: Any) -> str:
    """How a value of a request's context is compared with a rule's: texts as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def context_holds(wanted: tuple[tuple[str, str], ...], context: Mapping[str, Any]) -> bool:
    """Whether `context` says all that is `wanted`."""
    return all(key in context and context_text(context[key]) == value for key, value in wanted)
