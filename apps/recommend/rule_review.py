"""What can be said of each rule right now: whether it applies, how many items it means, what stands in its way."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.utils import timezone

from apps.catalog import selectors as catalog
from apps.recommend import rules, serving_state
from apps.recommend.engine.filters import FilterError
from apps.recommend.engine.rules import Reach, conflicts, reach
from apps.recommend.models import Rule


@dataclass(frozen=True)
class Review:
    """One rule, looked at. `reach` is None where its filter cannot be read; `conflicts` are sentences."""

    status: str  # "active now", "scheduled", "expired" or "off"
    reach: Reach | None
    conflicts: tuple[str, ...]


def reviewed(wanted: Iterable[Rule]) -> dict[int, Review]:
    """A review of each of the rules, by id, against all others and the catalog as it is served.

    O(items) for each rule there is, and three queries: for people. A rule that is off conflicts with nothing.
    """
    items = serving_state.current().catalog.items
    now = int(time.time())
    found = conflicts(rules.specs(), items, now)
    names = catalog.external_ids_of(sorted({item for one in found for item in one.items}))
    told: dict[int, list[str]] = {}
    for one in found:
        for number in one.rules:
            told.setdefault(number, []).append(one.sentence(names))
    result = {}
    for rule in wanted:
        review = Review(status(rule), None, tuple(told.get(rule.pk, ())))
        try:
            review = replace(review, reach=reach(rules.spec_of(rule, ()), items, now))
        except FilterError as problem:
            sentence = f"A filter cannot be read any more, so the rule does nothing. {problem}"
            review = replace(review, conflicts=(sentence, *review.conflicts))
        if nowhere(rule):
            sentence = "The placements it was made for are deleted, so it applies nowhere."
            review = replace(review, conflicts=(sentence, *review.conflicts))
        result[rule.pk] = review
    return result


def nowhere(rule: Rule) -> bool:
    """Whether all placements it was made for are gone."""
    return not rule.everywhere and not rule.placements.all()


def status(rule: Rule) -> str:
    """Whether the rule applies at this moment, its other conditions aside."""
    now = timezone.now()
    if not rule.active:
        return "off"
    if rule.ends_at is not None and rule.ends_at <= now:
        return "expired"
    return "scheduled" if rule.starts_at is not None and rule.starts_at > now else "active now"
