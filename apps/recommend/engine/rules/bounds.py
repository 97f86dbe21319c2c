"""What may be shown at all: nothing a rule weighs, pins or promotes gets past this."""

from dataclasses import dataclass

import numpy as np

from apps.recommend.engine.filters import Expression
from apps.recommend.engine.rules.active import ActiveRules
from apps.recommend.engine.rules.named import Found
from apps.recommend.engine.rules.spec import Controls
from apps.recommend.engine.rules.story import Story
from apps.recommend.engine.types import Items, Mask, Rows

_FEW = 12  # up to so many rows are compared one by one with all others


@dataclass(eq=False, slots=True)
class Bounds:
    """The limits of one request."""

    items: Items
    eligible: Mask  # over the catalog
    now: int
    controls: Controls
    filter: Expression | None = None
    excluded: Rows | None = None
    within: Mask | None = None  # over the catalog

    def mask(self, rows: Rows, story: Story | None = None) -> Mask:
        """Which of `rows` the request and the placement let through. NumPy over `rows` alone."""
        ok: Mask = self.eligible.take(rows)
        if story is not None:
            story.lost("not available", rows, ok)
        if self.within is not None:
            ok = _kept("not in the category", self.within.take(rows), ok, rows, story)
        if self.excluded is not None and len(self.excluded):
            ok = _kept("excluded by the request", ~_among(rows, self.excluded), ok, rows, story)
        if self.filter is not None:
            ok = _kept("filter of the request", self.filter.mask(self.items, rows, now=self.now), ok, rows, story)
        low, high = self.controls.price_min, self.controls.price_max
        if low is not None or high is not None:
            price = self.items.price.take(rows)
            inside = price >= (-np.inf if low is None else low)
            if high is not None:
                inside &= price <= high
            ok = _kept("price range", inside, ok, rows, story)
        return ok

    def unrestricted(
        self,
        rows: Rows,
        found: Found | None,
        active: ActiveRules,
        numbers: tuple[int, ...],
        ok: Mask,
        story: Story | None = None,
    ) -> Mask:
        """Which of those of `rows` that are `ok` the hide and include-only rules with those numbers leave."""
        ok = ok.copy()
        for number in numbers:
            spec = active.rules.specs[number]
            if story is None and spec.action == "hide":
                ok[active.meant_at(number, rows, found, self.items, self.now)] = False
                continue
            meant = active.meant(number, rows, found, self.items, self.now)
            left = ~meant if spec.action == "hide" else meant
            ok = _kept(spec.action, left, ok, rows, story, spec.id)
        return ok


def _kept(why: str, left: Mask, ok: Mask, rows: Rows, story: Story | None, rule: int | None = None) -> Mask:
    after: Mask = ok & left
    if story is not None:
        story.lost(why, rows[ok], after[ok], rule)
    return after


def _among(rows: Rows, others: Rows) -> Mask:
    """Which of `rows` are among `others`, in any order."""
    if len(others) <= _FEW:
        return np.asarray((rows == others[:, None]).any(axis=0))
    ordered = np.sort(others)
    return np.asarray(ordered[np.minimum(ordered.searchsorted(rows), len(ordered) - 1)] == rows)
