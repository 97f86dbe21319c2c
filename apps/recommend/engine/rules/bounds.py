"""What may be shown at all: nothing a rule weighs, pins or promotes gets past this."""

from dataclasses import dataclass

import numpy as np

from apps.recommend.engine.rules.meant import Meant
from apps.recommend.engine.rules.spec import Controls
from apps.recommend.engine.rules.story import Story
from apps.recommend.engine.types import Items, Mask, Rows

_FEW = 12  # up to so many rows are compared one by one with all others


@dataclass(eq=False, slots=True)
class Bounds:
    """The limits of one request."""

    items: Items
    eligible: Mask  # over the catalog
    controls: Controls
    excluded: Rows | None = None
    within: Mask | None = None  # over the catalog

    def mask(self, meant: Meant, story: Story | None = None) -> Mask:
        """Which of the rows the request and the placement let through. Looks at those rows alone."""
        rows = meant.rows
        ok: Mask = self.eligible.take(rows)
        if story is not None:
            story.lost("not available", rows, ok)
        if self.within is not None:
            ok = _kept("not in the category", self.within.take(rows), ok, rows, story)
        if self.excluded is not None and len(self.excluded):
            ok = _kept("excluded by the request", ~_among(rows, self.excluded), ok, rows, story)
        if meant.filter is not None:
            ok = _kept("filter of the request", meant.by_request(), ok, rows, story)
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
        meant: Meant,
        numbers: tuple[int, ...],
        ok: Mask,
        story: Story | None = None,
    ) -> Mask:
        """Which of those rows that are `ok` the hide and include-only rules with those numbers leave."""
        ok = ok.copy()
        for number in numbers:
            spec = meant.active.rules.specs[number]
            named = meant.only_named(number) if spec.action == "hide" and story is None else None
            if named is not None:
                ok[named] = False
                continue
            mask = meant.by(number)
            left = ~mask if spec.action == "hide" else mask
            ok = _kept(spec.action, left, ok, meant.rows, story, spec.id)
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
