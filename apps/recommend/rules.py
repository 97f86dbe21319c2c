"""Merchandisers' rules and placements' controls: rows to what the engine applies."""

import hashlib
import json
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import structlog
from django.db.models import Q
from django.utils import timezone

from apps.recommend.engine.filters import Expression, FilterError, parse
from apps.recommend.engine.rules import NO_CONTROLS, Controls, Rules, RuleSpec
from apps.recommend.models import Placement, Rule

log = structlog.get_logger(__name__)

_COLUMNS = (
    "id", "name", "action", "priority", "items", "filter", "strength", "position", "share", "seed_filter",
    "categories", "segments", "context", "starts_at", "ends_at", "everywhere",
)  # fmt: skip

_made: "weakref.WeakValueDictionary[str, Rules]" = weakref.WeakValueDictionary()


def specs() -> tuple[RuleSpec, ...]:
    """The rules that are on and have not ended, those that start later among them. One query.

    A rule whose filter cannot be read any more is left out and logged, and one whose placements are all deleted is left
    out; the admin says so too.
    """
    wanted = Rule.objects.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=timezone.now()), active=True)
    rows: dict[int, dict[str, Any]] = {}
    placements: dict[int, set[str]] = {}
    for row in wanted.order_by("id").values(*_COLUMNS, "placements__key"):
        key = row.pop("placements__key")
        rows[row["id"]] = row
        placements.setdefault(row["id"], set()).update({key} if key else ())
    placed = [(row, placements[number]) for number, row in rows.items() if row["everywhere"] or placements[number]]
    found = (_readable(row, keys) for row, keys in placed)
    return tuple(spec for spec in found if spec is not None)


def spec_of(rule: Rule, placements: Iterable[str]) -> RuleSpec:
    """One rule for the placements with those keys (none: all). Raises FilterError where a filter cannot be read."""
    return _spec({name: getattr(rule, name) for name in _COLUMNS}, placements)


def rules_for(placement: str, found: Sequence[RuleSpec]) -> Rules:
    """Those of the rules that are for the placement with that key.

    The digest is the same in every process, and differs where anything about them does. As long as they stay the
    same, so does the object, with what it remembers.
    """
    mine = [spec for spec in found if not spec.placements or placement in spec.placements]
    digest = _digest(mine)
    known = _made.get(digest)
    if known is None:
        known = _made[digest] = Rules.of(mine, digest)
    return known


def controls_of(placement: Placement) -> Controls:
    """What the placement asks of every list; `NO_CONTROLS` itself where it asks nothing."""
    controls = Controls(
        max_per_brand=placement.max_per_brand,
        max_per_category=placement.max_per_category,
        min_relevance=placement.min_relevance or None,
        price_min=_number(placement.price_min),
        price_max=_number(placement.price_max),
        collapse_variants=placement.collapse_variants,
        freshness_weight=placement.freshness_weight,
        margin_weight=placement.margin_weight,
        rotation_hours=placement.rotation_hours,
        **({"freshness_half_life_days": placement.freshness_half_life_days} if placement.freshness_weight else {}),
    )
    return NO_CONTROLS if controls == NO_CONTROLS else controls


def _readable(row: Mapping[str, Any], placements: Iterable[str]) -> RuleSpec | None:
    try:
        return _spec(row, placements)
    except FilterError as problem:
        _report(row["id"], row["name"], str(problem))
        return None


@lru_cache(maxsize=1000)
def _report(number: int, name: str, problem: str) -> None:
    """Once in a process, and not at every refresh."""
    log.error("rule left out: its filter cannot be read", rule=number, name=name, problem=problem)


def _spec(row: Mapping[str, Any], placements: Iterable[str]) -> RuleSpec:
    return RuleSpec(
        id=row["id"],
        name=row["name"],
        action=row["action"],
        priority=row["priority"],
        items=tuple(row["items"]),
        filter=_expression(row["filter"]),
        strength=row["strength"],
        position=row["position"],
        share=row["share"],
        seed_filter=_expression(row["seed_filter"]),
        categories=frozenset(row["categories"]),
        segments=frozenset(row["segments"]),
        context=tuple(sorted(row["context"].items())),
        starts=_seconds(row["starts_at"]),
        ends=_seconds(row["ends_at"]),
        placements=frozenset(placements),
    )


def _expression(text: str) -> Expression | None:
    return parse(text) if text.strip() else None


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _digest(found: Sequence[RuleSpec]) -> str:
    if not found:
        return ""
    content = [
        {
            name: sorted(value)
            if isinstance(value, frozenset)
            else str(value)
            if isinstance(value, Expression)
            else value
            for name, value in vars(spec).items()
            if name != "placements"
        }
        for spec in sorted(found, key=lambda spec: spec.rank)
    ]
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
