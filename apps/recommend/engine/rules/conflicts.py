"""Rules that stand in each other's way, or in their own, in words for merchandisers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from apps.recommend.engine.rules.active import available_at
from apps.recommend.engine.rules.named import Named
from apps.recommend.engine.rules.spec import RESTRICTS, WEIGHS, RuleSpec
from apps.recommend.engine.types import Items, Mask

_SHOWN = 3  # items named in one sentence
_NEVER = 1 << 62


@dataclass(frozen=True)
class Conflict:
    """One conflict: the ids of the rules in it, and what happens. `{items}` in `text` stands for `items` (ids)."""

    rules: tuple[int, ...]
    text: str
    items: tuple[int, ...] = ()

    def sentence(self, names: Mapping[int, str]) -> str:
        """The text with the items by name; those that `names` does not have go by number."""
        shown = [names.get(one, f"number {one}") for one in self.items[:_SHOWN]]
        more = len(self.items) - len(shown)
        listed = ", ".join(shown) + (f" and {more} more" if more else "")
        return self.text.replace("{items}", listed)


@dataclass(frozen=True)
class Reach:
    """How many items a rule means, and how many of those can be shown now."""

    items: int
    available: int


def reach(spec: RuleSpec, items: Items, now: int) -> Reach:
    """What the rule means by itself. O(items) where it has a filter."""
    meant = _meant([spec], items, now)[0]
    return Reach(int(np.count_nonzero(meant)), int(np.count_nonzero(meant & available_at(items, now))))


def conflicts(specs: Sequence[RuleSpec], items: Items, now: int) -> tuple[Conflict, ...]:
    """Every conflict among `specs` that has not ended at `now`, the deciding rules first.

    Rules conflict only where they can apply to one request: their windows, placements and contexts meet. Looks at the
    whole catalog once for each rule, O(items · rules), and at each pair of rules: for people, not for requests.
    """
    lasting = sorted((spec for spec in specs if spec.ends is None or spec.ends > now), key=lambda spec: spec.rank)
    return tuple(_Search(lasting, items, now).found())


class _Search:
    def __init__(self, specs: Sequence[RuleSpec], items: Items, now: int) -> None:
        self.specs, self.items = specs, items
        self.available = available_at(items, now)
        self.meant = dict(zip((spec.id for spec in specs), _meant(specs, items, now), strict=True))

    def found(self) -> Iterator[Conflict]:
        for spec in self.specs:
            yield from self._alone(spec)
        for one, other in combinations(self.specs, 2):
            if _meet(one, other):
                yield from self._pair(one, other)
        yield from self._together()

    def _alone(self, spec: RuleSpec) -> Iterator[Conflict]:
        meant = self.meant[spec.id]
        if spec.action in RESTRICTS:
            if self._nothing([spec]):
                yield Conflict(
                    (spec.id,),
                    f"“{spec.name}” would leave nothing that can be shown. It is set aside while that is so.",
                )
                return
            if spec.action == "include_only":
                return
        if not meant.any():
            yield Conflict((spec.id,), f"“{spec.name}” means no item of the catalog, so it does nothing.")
        elif spec.action == "pin":
            gone = self._ids(meant & ~self.available)
            if gone:
                yield Conflict(
                    (spec.id,),
                    f"“{spec.name}” pins {{items}}, which cannot be shown now: {_they(gone)} left out, and what is "
                    "pinned next takes the place.",
                    gone,
                )
        elif spec.action == "promote_share" and not (meant & self.available).any():
            yield Conflict((spec.id,), f"Nothing that “{spec.name}” promotes can be shown now, so it does nothing.")

    def _pair(self, one: RuleSpec, other: RuleSpec) -> Iterator[Conflict]:
        """`one` is the rule that decides."""
        kinds = {one.action, other.action}
        if kinds <= set(RESTRICTS):
            if self._nothing([one, other]) and not self._nothing([one]) and not self._nothing([other]):
                yield Conflict(
                    (one.id, other.id),
                    f"“{one.name}” and “{other.name}” together would leave nothing that can be shown. "
                    f"“{one.name}” holds: {_why(one, other)}. “{other.name}” is set aside.",
                )
        elif kinds & set(RESTRICTS):
            restricting, wanting = (one, other) if one.action in RESTRICTS else (other, one)
            yield from self._kept_away(restricting, wanting)
        elif kinds == {"pin"}:
            yield from self._same_place(one, other)
        elif kinds <= set(WEIGHS) and one.factor != other.factor:
            both = self._ids(self.meant[one.id] & self.meant[other.id])
            if both:
                yield Conflict(
                    (one.id, other.id),
                    f"“{one.name}” and “{other.name}” both weigh {{items}}. Only “{one.name}” counts for "
                    f"{'it' if len(both) == 1 else 'them'}: {_why(one, other)}.",
                    both,
                )
        elif kinds == {"promote_share"} and one.share + other.share > 1:
            yield Conflict(
                (one.id, other.id),
                f"“{one.name}” and “{other.name}” promote {round(100 * (one.share + other.share))} % of the places "
                f"together. “{one.name}” is served first: {_why(one, other)}.",
            )

    def _kept_away(self, restricting: RuleSpec, wanting: RuleSpec) -> Iterator[Conflict]:
        if self._nothing([restricting]):
            return  # it is set aside anyway
        hides = restricting.action == "hide"
        meant = self.meant[wanting.id] & self.available
        kept_away = meant & (self.meant[restricting.id] if hides else ~self.meant[restricting.id])
        if not kept_away.any():
            return
        does = "hides" if hides else "does not include"
        if wanting.action == "pin":
            gone = self._ids(kept_away)
            yield Conflict(
                (wanting.id, restricting.id),
                f"“{wanting.name}” pins {{items}}, which “{restricting.name}” {does}: {_they(gone)} not shown, and "
                "what is pinned next takes the place.",
                gone,
            )
        elif wanting.action != "bury" and (kept_away == meant).all():
            yield Conflict(
                (wanting.id, restricting.id),
                f"“{wanting.name}” does nothing where “{restricting.name}” applies, which {does} "
                f"{'all' if hides else 'any'} of its items.",
            )

    def _same_place(self, one: RuleSpec, other: RuleSpec) -> Iterator[Conflict]:
        lengths = [int(np.count_nonzero(self.meant[spec.id] & self.available)) for spec in (one, other)]
        first = max(one.position, other.position)
        if first < min(one.position + lengths[0], other.position + lengths[1]):
            yield Conflict(
                (one.id, other.id),
                f"“{one.name}” and “{other.name}” both pin to place {first}. “{one.name}” gets it: {_why(one, other)}. "
                f"What “{other.name}” pins moves down.",
            )

    def _together(self) -> Iterator[Conflict]:
        """Three and more unconditional rules of one placement that leave nothing together."""
        restricting = [
            spec
            for spec in self.specs
            if spec.action in RESTRICTS and not (spec.seed_filter or spec.categories or spec.segments or spec.context)
        ]
        told: set[tuple[int, ...]] = set()
        for key in sorted({key for spec in restricting for key in spec.placements} | {""}):
            holding = [spec for spec in restricting if not spec.placements or key in spec.placements]
            holding = [spec for spec in holding if not self._nothing([spec])]
            ids = tuple(spec.id for spec in holding)
            if len(holding) < 3 or ids in told or not self._nothing(holding):
                continue
            told.add(ids)
            if not any(self._nothing(pair) for pair in combinations(holding, 2)):
                names = ", ".join(f"“{spec.name}”" for spec in holding)
                yield Conflict(
                    ids,
                    f"{names} together would leave nothing that can be shown. “{holding[-1].name}” is set aside "
                    "first, as it decides least.",
                )

    def _nothing(self, specs: Sequence[RuleSpec]) -> bool:
        """Whether the restricting rules leave nothing of what is available now, if there is anything."""
        left = self.available.copy()
        for spec in specs:
            meant = self.meant[spec.id]
            left &= ~meant if spec.action == "hide" else meant
        return bool(self.available.any() and not left.any())

    def _ids(self, mask: Mask) -> tuple[int, ...]:
        return tuple(self.items.ids[mask].tolist())


def _meant(specs: Sequence[RuleSpec], items: Items, now: int) -> list[Mask]:
    if not specs:
        return []
    named = Named.of(specs, items.ids)
    masks = []
    for number, spec in enumerate(specs):
        mask = np.zeros(len(items), dtype=bool) if spec.filter is None else spec.filter.mask(items, now=now)
        mask[named.rows.rows[named.of_rule[number]]] = True
        masks.append(mask)
    return masks


def _meet(one: RuleSpec, other: RuleSpec) -> bool:
    """Whether some request may have both apply, as far as can be told from the rules alone."""
    in_time = max(one.starts or 0, other.starts or 0) < min(
        _NEVER if one.ends is None else one.ends, _NEVER if other.ends is None else other.ends
    )
    in_place = not one.placements or not other.placements or bool(one.placements & other.placements)
    wanted = dict(one.context)
    return in_time and in_place and all(wanted.get(key, value) == value for key, value in other.context)


def _why(one: RuleSpec, other: RuleSpec) -> str:
    return "its priority is higher" if one.priority > other.priority else "it has the same priority and is older"


def _they(items: Sequence[int]) -> str:
    return "it is" if len(items) == 1 else "they are"
