"""Which of a request's candidates its filter and its rules mean."""

from functools import cached_property

import numpy as np

from apps.recommend.engine.filters import Expression
from apps.recommend.engine.filters.program import masks
from apps.recommend.engine.rules.active import ActiveRules
from apps.recommend.engine.rules.named import Found, Numbers
from apps.recommend.engine.types import Items, Mask, Rows


class Meant:
    """The answer for `rows`; `found` says which of them are named. All filters are evaluated at once, when needed."""

    def __init__(
        self, active: ActiveRules, items: Items, rows: Rows, found: Found | None, now: int, filter: Expression | None
    ) -> None:
        self.active, self.items, self.rows, self.found, self.now = active, items, rows, found, now
        self.filter = filter

    @cached_property
    def _filtered(self) -> Mask:
        """The masks of the filters of all active rules, and that of the request."""
        of_rules = self.active.filters
        every = of_rules if self.filter is None else (*of_rules, self.filter)
        return masks(every, self.items, self.rows, self.now)

    def by_request(self) -> Mask:
        """Which the filter of the request, which there must be, is true for."""
        mask: Mask = self._filtered[-1]
        return mask

    def by(self, number: int) -> Mask:
        """Which the rule with that number means; not to be written to."""
        at = self.active.filter_of.get(number)
        mask: Mask = np.zeros(len(self.rows), dtype=bool) if at is None else self._filtered[at]
        if self.found is not None and self.active.rules.specs[number].items:
            named = self.found.at_of(number)
            if len(named):
                mask = mask.copy()
                mask[named] = True
        return mask

    def only_named(self, number: int) -> Numbers | None:
        """The same as a short index, for a rule that only names items; None for others."""
        if self.found is None or number in self.active.filter_of:
            return None
        return self.found.at_of(number)
