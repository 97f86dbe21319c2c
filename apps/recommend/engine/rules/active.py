"""A placement's rules, compiled, and those of them whose conditions are met right now."""

import weakref
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from apps.recommend.engine.filters import Expression
from apps.recommend.engine.rules.named import Named, Numbers, RowSet
from apps.recommend.engine.rules.spec import RESTRICTS, WEIGHS, RuleSpec, context_holds
from apps.recommend.engine.types import Ids, Items, Mask, Rows

_COMBINATIONS = 256  # sets of active rules that are remembered
_RECHECK = 60  # seconds for which what a filter finds in the whole catalog is believed
_BROUGHT = 200  # items a filter that promotes adds to the candidates, the newest
_NO_ROWS: Rows = np.empty(0, dtype=np.int32)


class Rules:
    """The rules of one placement. Which rows they name is looked up once for each set of item ids.

    `digest` stands for their content, for cache keys. Safe to share between threads.
    """

    def __init__(self, specs: Sequence[RuleSpec], digest: str = "") -> None:
        self.specs = tuple(sorted(specs, key=lambda spec: spec.rank))
        self.digest = digest
        self._windows = [(spec.starts or 0, 1 << 62 if spec.ends is None else spec.ends) for spec in self.specs]
        self.by_segment = any(spec.segments for spec in self.specs)  # whether it matters who asks
        self._conditional = [
            bool(spec.seed_filter or spec.categories or spec.segments or spec.context) for spec in self.specs
        ]
        self._combinations: dict[tuple[int, ...], ActiveRules] = {}
        self._named: tuple[Ids, Named] | None = None

    @classmethod
    def of(cls, specs: Sequence[RuleSpec], digest: str = "") -> Self:
        """The rules `specs`, in any order."""
        return cls(specs, digest)

    def __len__(self) -> int:
        return len(self.specs)

    def active(
        self,
        *,
        now: int,
        items: Items,
        seeds: Rows = _NO_ROWS,
        categories: Collection[int] = (),
        segments: Collection[str] = (),
        context: Mapping[str, Any] | None = None,
    ) -> "ActiveRules":
        """Those that apply: `seeds` are catalog rows, `categories` the page's with its ancestors. ~0.3 µs a rule.

        A filter on the seeds costs what it costs over them, see `Expression.mask`.
        """
        if not self.specs:
            return NO_RULES
        chosen = tuple(
            number
            for number, (starts, ends) in enumerate(self._windows)
            if starts <= now < ends
            and (
                not self._conditional[number]
                or _holds(self.specs[number], now, items, seeds, categories, segments, context or {})
            )
        )
        if not chosen:
            return NO_RULES
        known = self._combinations.get(chosen)
        if known is None:
            if len(self._combinations) >= _COMBINATIONS:
                self._combinations.clear()
            known = self._combinations[chosen] = ActiveRules(self, chosen)
        return known

    def named(self, items: Items) -> Named:
        """Which rows of `items` the rules name."""
        kept = self._named
        if kept is None or kept[0] is not items.ids:
            kept = self._named = (items.ids, Named.of(self.specs, items.ids))
        return kept[1]


def _holds(
    spec: RuleSpec,
    now: int,
    items: Items,
    seeds: Rows,
    categories: Collection[int],
    segments: Collection[str],
    context: Mapping[str, Any],
) -> bool:
    """Whether the rule's conditions, the cheap ones first, are met."""
    if spec.segments and spec.segments.isdisjoint(segments):
        return False
    if spec.context and not context_holds(spec.context, context):
        return False
    if spec.categories and spec.categories.isdisjoint(categories) and not _seed_in(spec.categories, items, seeds):
        return False
    return spec.seed_filter is None or bool(len(seeds) and spec.seed_filter.mask(items, seeds, now=now).any())


def _seed_in(categories: frozenset[int], items: Items, seeds: Rows) -> bool:
    indptr, indices = items.categories.indptr, items.categories.indices
    return any(
        not categories.isdisjoint(items.category_ids[indices[indptr[row] : indptr[row + 1]]].tolist())
        for row in seeds.tolist()
    )


class ActiveRules:
    """Some of a placement's rules, sorted by what they do; of each kind the one that decides comes first.

    Everything here but `ids` and the two methods is for `arrange`. The numbers of rules are places in `rules.specs`.
    """

    def __init__(self, rules: Rules, numbers: tuple[int, ...]) -> None:
        self.rules = rules
        self.numbers = numbers
        self.ids = tuple(rules.specs[number].id for number in numbers)
        self.restricts = self._of(*RESTRICTS)
        self.pins = self._of("pin")
        self.promotes = self._of("promote_share")
        # The last word counts: weighing goes from the rule that decides least to the one that decides most.
        self.weighs = self._of(*WEIGHS)[::-1]
        self.filter_of, self.filters = self._filters()
        self._brought: tuple[Named, Numbers] | None = None
        self._filtered: tuple[Ids, int, RowSet] | None = None
        self._left: tuple[weakref.ref[Items], int, Mask, tuple[int, ...], Mask] | None = None

    def _of(self, *actions: str) -> tuple[int, ...]:
        return tuple(number for number in self.numbers if self.rules.specs[number].action in actions)

    def _filters(self) -> tuple[Mapping[int, int], tuple[Expression, ...]]:
        """The filters of the rules, and which of them is whose."""
        of_rule = {number: self.rules.specs[number].filter for number in self.numbers}
        filters = tuple(dict.fromkeys(one for one in of_rule.values() if one is not None))
        return {number: filters.index(one) for number, one in of_rule.items() if one is not None}, filters

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def by_name(self) -> bool:
        """Whether any of them names items."""
        return any(self.rules.specs[number].items for number in self.numbers)

    @cached_property
    def brings(self) -> bool:
        """Whether some of them want items considered that are no candidates."""
        return bool(self.pins or self.promotes)

    def brought_by_name(self, named: Named) -> Numbers:
        """Which of the named rows pins and promotions want considered; ascending, each once."""
        kept = self._brought
        if kept is None or kept[0] is not named:
            parts = [named.of_rule[number] for number in (*self.pins, *self.promotes)]
            kept = self._brought = (named, np.unique(np.concatenate(parts)))
        return kept[1]

    def brought_by_filter(self, items: Items, now: int) -> RowSet | None:
        """The newest available items that promoting filters match, found anew every minute; None: no such filters.

        Whether they still match is for `arrange` to see.
        """
        filters = [spec.filter for spec in map(self.rules.specs.__getitem__, self.promotes) if spec.filter is not None]
        if not filters:
            return None
        kept = self._filtered
        minute = now // _RECHECK
        if kept is None or kept[0] is not items.ids or kept[1] != minute:
            available = available_at(items, now)
            parts = []
            for expression in filters:
                matching = np.flatnonzero(available & expression.mask(items, now=now))
                newest = np.argsort(-items.published[matching], kind="stable")[:_BROUGHT]
                parts.append(matching[newest])
            kept = self._filtered = (items.ids, minute, RowSet.of(np.concatenate(parts)))
        return kept[2]

    def effective(self, items: Items, now: int, eligible: Mask) -> tuple[int, ...]:
        """The numbers of the restricting rules that hold: all, unless they would leave no `eligible` item.

        Then the one that decides least is set aside, and the next, until something is left. O(items), remembered.
        """
        return self._restricted(items, now, eligible)[0]

    def allowed(self, items: Items, now: int, eligible: Mask) -> Mask | None:
        """Which items hide and include-only rules leave, over the whole catalog; None: there are no such rules.

        O(items) once a minute for each revision of the catalog and each set of eligible items; read-only.
        """
        return self._restricted(items, now, eligible)[1] if self.restricts else None

    def _restricted(self, items: Items, now: int, eligible: Mask) -> tuple[tuple[int, ...], Mask]:
        kept = self._left
        minute = now // _RECHECK
        if kept is not None and kept[0]() is items and kept[1] == minute and kept[2] is eligible:
            return kept[3], kept[4]
        named = self.rules.named(items) if self.by_name else None
        leaves = {}
        for number in self.restricts:
            spec = self.rules.specs[number]
            meant = np.zeros(len(items), dtype=bool) if spec.filter is None else spec.filter.mask(items, now=now)
            if named is not None:
                meant[named.rows.rows[named.of_rule[number]]] = True
            leaves[number] = ~meant if spec.action == "hide" else meant
        numbers = self.restricts
        mask = _all_of(leaves, numbers, len(items))
        if eligible.any():
            while numbers and not (mask & eligible).any():
                numbers = numbers[:-1]
                mask = _all_of(leaves, numbers, len(items))
        mask.setflags(write=False)
        self._left = (weakref.ref(items), minute, eligible, numbers, mask)
        return numbers, mask


def available_at(items: Items, now: int) -> Mask:
    """Which items of the catalog can be shown at `now`, as far as `items` tells: what has expired is in it still."""
    return np.asarray(items.available & (items.published <= now))


def _all_of(leaves: Mapping[int, Mask], numbers: Sequence[int], n: int) -> Mask:
    mask = np.ones(n, dtype=bool)
    for number in numbers:
        mask &= leaves[number]
    return mask


NO_RULES = ActiveRules(Rules(()), ())
