"""Merchandisers' rules and a placement's controls, applied to candidates."""

from apps.recommend.engine.rules.active import NO_RULES, ActiveRules, Rules
from apps.recommend.engine.rules.arrange import BY_RULE, Arranged, arrange
from apps.recommend.engine.rules.conflicts import Conflict, Reach, conflicts, reach
from apps.recommend.engine.rules.spec import NO_CONTROLS, Controls, RuleSpec
from apps.recommend.engine.rules.story import Moved, Removed

__all__ = [
    "BY_RULE",
    "NO_CONTROLS",
    "NO_RULES",
    "ActiveRules",
    "Arranged",
    "Conflict",
    "Controls",
    "Moved",
    "Reach",
    "Removed",
    "RuleSpec",
    "Rules",
    "arrange",
    "conflicts",
    "reach",
]
