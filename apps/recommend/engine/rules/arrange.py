"""From candidates to the list that is shown: a placement's rules and controls, on the candidates' rows alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from apps.recommend.engine.context import Context
from apps.recommend.engine.filters import Expression
from apps.recommend.engine.item_groups import GroupedBy, families, groups
from apps.recommend.engine.rules.active import NO_RULES, ActiveRules
from apps.recommend.engine.rules.bounds import Bounds
from apps.recommend.engine.rules.meant import Meant
from apps.recommend.engine.rules.named import Found, Numbers
from apps.recommend.engine.rules.places import Cap, Filled, Promoted, fill, pin_places
from apps.recommend.engine.rules.shaping import TRACE, Scale, Values, shaped
from apps.recommend.engine.rules.spec import NO_CONTROLS, Controls
from apps.recommend.engine.rules.story import Moved, Removed, Story
from apps.recommend.engine.types import Mask, Query, Rows, Scores, Slate

BY_RULE = "rule"  # the source of an entry that a rule brought and no source proposed
_SPARE = 8  # entries looked at beyond what a list needs, before all of them are


@dataclass(frozen=True, eq=False)
class Arranged:
    """A list as it is shown, and how it came about; `removed` and `moved` only where a trace was asked for."""

    slate: Slate
    pinned: Mask  # of each entry
    set_aside: tuple[int, ...] = ()  # ids of rules that would have left no available item
    removed: tuple[Removed, ...] = ()
    moved: tuple[Moved, ...] = ()


def arrange(
    slate: Slate,
    *,
    query: Query,
    context: Context,
    limit: int,
    active: ActiveRules = NO_RULES,
    controls: Controls = NO_CONTROLS,
    filter: Expression | None = None,
    excluded: Rows | None = None,
    within: Mask | None = None,
    min_score: float | None = None,
    offset: int = 0,
    trace: bool = False,
) -> Arranged:
    """The first `limit` of `slate` as rules and controls have them. Touches candidates' rows only.

    In this order: what may not be shown goes (not in `context.eligible`, not `within`, `excluded`, not matching
    `filter`, out of the price range, hidden or not included by a rule), then what scores below `min_score` or is less
    relevant than the placement wants; what is left is weighed (`shaped`) and sorted, variants give way to one of their
    family, and places are filled (`fill`). Pins and promotions add their own items to the candidates, as the least
    relevant ones. Only pins need no relevance and no room under a cap; nothing that may not be shown is ever shown.

    A slate that nothing weighs keeps its order and scores; scores are changed together with the order otherwise, but
    where an item was pinned, promoted or capped they need not descend. `offset` is the number of places that stood on
    earlier pages, whose items are among `excluded`. Rules that together leave no available item in the whole catalog
    are set aside, see `ActiveRules.effective`.
    """
    bounds = Bounds(context.items, context.eligible, controls, excluded, within)
    if not len(active) and controls is NO_CONTROLS and min_score is None and not trace:
        kept = bounds.mask(Meant(active, context.items, slate.rows, None, query.now, filter)).nonzero()[0][:limit]
        return Arranged(slate.take(kept), np.zeros(len(kept), dtype=bool))
    story = Story() if trace else None
    return _Arrangement(slate, bounds, active, filter, query, limit, min_score, offset, story).made()


class _Arrangement:
    """One list being made. The pool is the slate and, behind it, what rules brought; entries are places in the pool."""

    def __init__(
        self,
        slate: Slate,
        bounds: Bounds,
        active: ActiveRules,
        filter: Expression | None,
        query: Query,
        limit: int,
        min_score: float | None,
        offset: int,
        story: Story | None,
    ) -> None:
        self.slate, self.bounds, self.active, self.query = slate, bounds, active, query
        self.items, self.controls, self.now = bounds.items, bounds.controls, query.now
        self.limit, self.min_score, self.offset, self.story = limit, min_score, offset, story
        self.restricting = active.restricts
        self.entries: Numbers | None = None  # where in the pool each named row is
        self.rows, found = self._pool()
        self.meant = Meant(active, self.items, self.rows, found, self.now, filter)

    def made(self) -> Arranged:
        ok, set_aside = self._shown()
        scale = Scale(self.slate.scores)
        changed = bool(self.active.weighs or self.controls.shapes)
        values = self._values(scale) if changed else scale.values
        order = self._relevant(ok, scale).nonzero()[0]
        if changed:
            order = order[(-values[order]).argsort(kind="stable")]
        promoted, pins = self._promoted(order), self._pins(ok)
        own = order if len(self.rows) == len(self.slate) else order[order < len(self.slate)]
        likely = [(queue[: places + _SPARE], places) for queue, places in promoted]
        filled, shown = self._filled(own[: self.limit + self.limit // 2 + _SPARE], likely, pins)
        if filled.dry:
            filled, shown = self._filled(own, promoted, pins)
        chosen = np.array(filled.chosen, dtype=np.int64)
        pinned = np.zeros(len(chosen), dtype=bool)
        if filled.pinned:
            pinned[filled.pinned] = True
        result = self._slate(chosen, shown, scale.scores(values[chosen]) if changed else None)
        if self.story is None:
            return Arranged(result, pinned, set_aside)
        self._note_blocked(filled, self.story)
        return Arranged(result, pinned, set_aside, tuple(self.story.removed), self._moved(result, filled))

    def _pool(self) -> tuple[Rows, Found | None]:
        """The slate's rows, then those that rules want considered and that are not among them; who is named."""
        rows, active = self.slate.rows, self.active
        if active.promotes:
            filtered = active.brought_by_filter(self.items, self.now)
            if filtered is not None:
                new = np.ones(len(filtered), dtype=bool)
                new[filtered.look_up(rows)[1]] = False
                rows = np.concatenate([rows, filtered.rows[new]])
        if not active.by_name:
            return rows, None
        named = active.rules.named(self.items)
        found = named.look_up(rows)
        if active.brings:
            brought = active.brought_by_name(named)
            entries = self.entries = found.entries()
            missing = brought[entries[brought] < 0]
            if len(missing):
                entries[missing] = behind = np.arange(len(rows), len(rows) + len(missing))
                rows = np.concatenate([rows, named.rows.rows[missing]])
                found = found.and_of(behind, missing)
        return rows, found

    def _shown(self) -> tuple[Mask, tuple[int, ...]]:
        """Which entries may be shown, and the rules set aside for that."""
        bounds, active = self.bounds, self.active
        ok = bounds.mask(self.meant, self.story)
        if not active.restricts:
            return ok, ()
        left = bounds.unrestricted(self.meant, active.restricts, ok)
        # As long as anything eligible is left, the rules have left something of the catalog.
        if not left.any():
            self.restricting = active.effective(self.items, self.now, bounds.eligible)
        if self.story is not None or self.restricting != active.restricts:
            left = bounds.unrestricted(self.meant, self.restricting, ok, self.story)
        aside = active.restricts[len(self.restricting) :]  # what decides least goes first
        return left, tuple(active.rules.specs[number].id for number in aside)

    def _values(self, scale: Scale) -> Values:
        """What every entry is worth; what a rule brought starts as the least relevant candidate."""
        values = scale.values
        if len(self.rows) > len(values):
            with_brought = np.empty(len(self.rows))
            with_brought[: len(values)] = values
            with_brought[len(values) :] = TRACE
            values = with_brought
        return shaped(values, self.meant, controls=self.controls, user=self.query.user)

    def _relevant(self, ok: Mask, scale: Scale) -> Mask:
        """Which of the entries that may be shown are relevant enough, by the scores the pipeline gave them."""
        share = self.controls.min_relevance
        if (self.min_score is None and not share) or not len(self.slate):
            return ok
        scores = self.slate.scores
        enough = np.ones(len(scores), dtype=bool)
        if self.min_score is not None:
            enough &= scores >= self.min_score
        if share:
            base = min(scale.low, 0.0)
            enough &= scores - base >= share * (scale.best - base)
        relevant = ok.copy()
        relevant[: len(scores)] &= enough
        relevant[len(scores) :] = False  # nobody said anything of their relevance
        if self.story is not None:
            self.story.lost("not relevant enough", self.rows[ok], relevant[ok])
        return relevant

    def _promoted(self, order: Numbers) -> list[tuple[Numbers, int]]:
        """For each rule that promotes its entries, best first, and how many places they are to have."""
        result = []
        for number in self.active.promotes:
            mine = order[self.meant.by(number)[order]]
            places = min(ceil(self.active.rules.specs[number].share * self.limit - 1e-9), len(mine))
            if places > 0:
                result.append((mine, places))
        return result

    def _pins(self, ok: Mask) -> dict[int, int]:
        """The entry for each pinned place, from 0."""
        found = self.meant.found
        if not self.active.pins or found is None or self.entries is None:
            return {}
        pinning = []
        for number in self.active.pins:
            mine = self.entries[found.named.of_rule[number]]
            pinning.append((self.active.rules.specs[number], mine[ok[mine]].tolist()))
        return pin_places(pinning, self.limit, self.offset)

    def _filled(
        self, own: Numbers, promoted: Sequence[tuple[Numbers, int]], pins: dict[int, int]
    ) -> tuple[Filled, Rows | None]:
        """Places filled from the entries `own`; with the row that each entry is shown as, where that may be another."""
        use = own
        if promoted or pins:
            pinned = [np.array([*pins.values()], dtype=np.int64)] if pins else []
            use = np.concatenate([own, *pinned, *[one for one, _ in promoted]])
        known = use.tolist()
        shown, caps = self._families(use, known, pins)
        rows = self.rows[use] if shown is None else shown[use]
        most: tuple[tuple[GroupedBy, int | None], ...] = (
            ("brand", self.controls.max_per_brand),
            ("category", self.controls.max_per_category),
        )
        for per, number in most:
            if number is not None:
                mine = groups(per, self.items, rows).tolist()
                caps.append(Cap(f"enough of its {per}", number, dict(zip(known, mine, strict=True))))
        lanes, end = [], len(own) + len(pins)
        for queue, places in promoted:
            lanes.append(Promoted(known[end : end + len(queue)], places))
            end += len(queue)
        return fill(known[: len(own)], self.limit, pins=pins, promoted=lanes, caps=caps), shown

    def _note_blocked(self, filled: Filled, story: Story) -> None:
        """Add who met a full cap to the story."""
        gone = np.array([*filled.blocked], dtype=np.int64)
        why = np.array([*filled.blocked.values()], dtype=np.dtypes.StringDType())
        for reason in np.unique(why).tolist():
            story.lost(reason, self.rows[gone], why != reason)

    def _families(self, use: Numbers, known: list[int], pins: dict[int, int]) -> tuple[Rows | None, list[Cap]]:
        """Variants collapsed: the row each entry of the pool is shown as (its parent's where that may be shown)."""
        if not self.controls.collapse_variants:
            return None, []
        rows = self.rows[use]
        family = families(self.items.parents, rows)
        cap = Cap("another of its family is shown", 1, dict(zip(known, family.tolist(), strict=True)))
        other = (family != rows).nonzero()[0]
        if not len(other):
            return None, [cap]
        parents = family[other]
        found = None if self.meant.found is None else self.meant.found.named.look_up(parents)
        meant = Meant(self.active, self.items, parents, found, self.now, self.meant.filter)
        ok = self.bounds.unrestricted(meant, self.restricting, self.bounds.mask(meant))
        shown = self.rows.copy()
        shown[use[other[ok]]] = parents[ok]
        pinned = [*pins.values()]
        shown[pinned] = self.rows[pinned]
        return shown, [cap]

    def _slate(self, chosen: Numbers, shown: Rows | None, scores: Scores | None) -> Slate:
        """The chosen entries, with the scores they ended with."""
        slate = self.slate
        rows = self.rows[chosen] if shown is None else shown[chosen]
        brought = chosen >= len(slate)
        if not brought.any():
            taken = slate.take(chosen)
            names = slate.source_names
        else:
            taken, names = _with_brought(slate, chosen, brought), (*slate.source_names, BY_RULE)
        return Slate(rows, taken.scores if scores is None else scores, taken.source, names, taken.propensities)

    def _moved(self, result: Slate, filled: Filled) -> tuple[Moved, ...]:
        movers = [*self.active.pins, *self.active.weighs, *self.active.promotes]
        meant = {number: self.meant.by(number) for number in movers}
        moved = []
        for place, entry in enumerate(filled.chosen):
            before = entry + 1 if entry < len(self.slate) else None
            if before != place + 1:
                rules = tuple(self.active.rules.specs[number].id for number in movers if meant[number][entry])
                moved.append(Moved(int(result.rows[place]), before, place + 1, rules))
        return tuple(moved)


def _with_brought(slate: Slate, chosen: Numbers, brought: Mask) -> Slate:
    """The entries `chosen`, of which rules `brought` some, as little relevant as the last. Their rows are any."""
    if not len(slate):
        count = len(chosen)
        return Slate(np.zeros(count, np.int32), np.zeros(count, np.float32), np.zeros(count, np.int16))
    result = slate.take(np.where(brought, 0, chosen))
    result.source[brought] = len(slate.source_names)
    result.scores[brought] = slate.scores.min()
    if result.propensities is not None:
        result.propensities[brought] = np.nan
    return result
