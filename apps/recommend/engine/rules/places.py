"""Who gets which place: pins first, then by value, within caps, with a share for what is promoted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from apps.recommend.engine.rules.spec import RuleSpec


class Cap(NamedTuple):
    """At most `most` entries of one group; `group` has a candidate's group, below 0 for none, which is never full."""

    why: str
    most: int
    group: Mapping[int, int]


class Promoted(NamedTuple):
    """Candidates, best first, that are to have `places` of the places, spread evenly over them."""

    queue: Sequence[int]
    places: int


class Filled(NamedTuple):
    """The candidates that have a place, in order, the places that are pinned, and who met which full cap.

    `dry`: some queue came to its end, so that a longer one would have had a say.
    """

    chosen: list[int]
    pinned: list[int]
    blocked: dict[int, str]
    dry: bool


def fill(
    queue: Sequence[int],
    limit: int,
    *,
    pins: Mapping[int, int],
    promoted: Sequence[Promoted] = (),
    caps: Sequence[Cap] = (),
) -> Filled:
    """Up to `limit` places. `queue` are candidates by value, best first; `pins` has the candidate of each pinned place.

    Places count from 0. Among the first p of n places there are at least floor(k · p / n + 1/2) of a promotion with k
    places, as long as it has candidates. Pins count for caps but need not keep them; whoever meets a full cap gives
    way to the next. Pins to places that the list is too short for stand at its end.

    One look at each candidate. Ranking within groups in NumPy takes as long for a list of 20, and where two caps meet
    it would leave out more than has to be.
    """
    room = _Room(pins.values(), caps)
    rest = iter(queue)
    lanes = [_Lane(lane.places, iter(lane.queue), frozenset(lane.queue)) for lane in promoted]
    chosen: list[int] = []
    pinned: list[int] = []
    for place in range(limit):
        candidate = pins.get(place)
        if candidate is not None:
            pinned.append(place)
        else:
            for lane in lanes:
                if lane.placed < (2 * lane.places * (place + 1) + limit) // (2 * limit):
                    candidate = room.next_of(lane.rest)
                    if candidate is not None:
                        break
            if candidate is None:
                candidate = room.next_of(rest)
            if candidate is None:
                candidate = room.next_of(chain.from_iterable(lane.rest for lane in lanes))
            if candidate is None:
                break
        chosen.append(candidate)
        for lane in lanes:
            lane.placed += candidate in lane.members
    for place in sorted(pins):
        if len(chosen) <= place and len(chosen) < limit:
            pinned.append(len(chosen))
            chosen.append(pins[place])
    return Filled(chosen, pinned, room.blocked, room.dry)


@dataclass(eq=False, slots=True)
class _Lane:
    """A promotion while places are filled."""

    places: int
    rest: Iterator[int]
    members: frozenset[int]
    placed: int = 0


class _Room:
    """Who has a place already, and how much room each cap leaves."""

    def __init__(self, pinned: Iterable[int], caps: Sequence[Cap]) -> None:
        self.used = set(pinned)
        self.blocked: dict[int, str] = {}
        self.dry = False
        # Group -1 starts so low that it is never full.
        self.caps: list[tuple[Mapping[int, int], dict[int, int], int, str]] = [
            (cap.group, {-1: -len(cap.group)}, cap.most, cap.why) for cap in caps
        ]
        for candidate in self.used:
            for group, taken, _, _ in self.caps:
                taken[group[candidate]] = taken.get(group[candidate], 0) + 1

    def next_of(self, candidates: Iterator[int]) -> int | None:
        """The next that has no place and finds room, which it takes; None: there is none."""
        used, caps = self.used, self.caps
        for candidate in candidates:
            if candidate in used:
                continue
            for group, taken, most, why in caps:
                if taken.get(group[candidate], 0) >= most:
                    self.blocked[candidate] = why
                    break
            else:
                used.add(candidate)
                for group, taken, _, _ in caps:
                    mine = group[candidate]
                    taken[mine] = taken.get(mine, 0) + 1
                return candidate
        self.dry = True
        return None


def pin_places(pinning: Sequence[tuple[RuleSpec, Sequence[int]]], limit: int, offset: int = 0) -> dict[int, int]:
    """The candidate pinned to each place, from 0, below `limit`; `pinning` has the deciding rule first.

    A rule's candidates take the places from its position on, without gaps. A place that is taken shifts a pin down to
    the next free one. Pins below `limit` are left out. `offset` places stood on earlier pages.
    """
    places: dict[int, int] = {}
    done: set[int] = set()
    for spec, candidates in pinning:
        wanted = max(spec.position - 1 - offset, 0)
        for candidate in candidates:
            if candidate in done:
                continue
            while wanted in places:
                wanted += 1
            if wanted >= limit:
                break
            places[wanted] = candidate
            done.add(candidate)
            wanted += 1
    return places
