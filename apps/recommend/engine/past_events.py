"""What a user did, event by event: for sources that must tell a view from a purchase, and which came last."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import EventWorth, Mask, Rows, Times

VIEWED = ("view_item", "select_item")
"""What is called having viewed an item: many shops only report the click that led to its page."""


@dataclass(frozen=True, eq=False)
class PastEvents:
    """A user's taste events, latest first, one entry an event; `rows` are always catalog rows.

    A *place* is a position in these columns: of two events, the one with the lower place happened later, also where
    both have one time.
    """

    rows: Rows
    types: NDArray[np.int16]
    times: Times
    worth: Mapping[int, EventWorth]

    def __len__(self) -> int:
        return len(self.rows)

    def are(self, *names: str) -> Mask:
        """Which events are of one of the named canonical types. O(events)."""
        wanted = np.zeros(max(self.worth, default=0) + 1, dtype=bool)
        wanted[[code for code, one in self.worth.items() if one.name in names]] = True
        return np.asarray(wanted[self.types], dtype=bool)

    def before(self, places: NDArray[np.integer], ends: Mask) -> Mask:
        """Which of the events at `places` happened before one of `ends` with the same item. O(places × ends)."""
        later = np.flatnonzero(ends)
        if not len(later):
            return np.zeros(len(places), dtype=bool)
        same = self.rows[places][:, None] == self.rows[later]
        return np.asarray((same & (later < places[:, None])).any(axis=1), dtype=bool)

    @cached_property
    def viewed(self) -> NDArray[np.int64]:
        """The place of the latest view of each item viewed, latest first, without those bought or disliked since.

        What was bought and given back counts as not bought.
        """
        places = np.flatnonzero(self.are(*VIEWED))
        _, first = np.unique(self.rows[places], return_index=True)
        places = places[np.sort(first)]
        done = self.are("dislike")
        done[self.bought] = True
        return places[~self.before(places, done)]

    @cached_property
    def bought(self) -> NDArray[np.int64]:
        """The places of all purchases, latest first, without those of items given back or disliked since."""
        places = np.flatnonzero(self.are("purchase"))
        return places[~self.before(places, self.are("refund", "dislike"))]

    @cached_property
    def last_viewed(self) -> int | None:
        """The row of the item viewed last and not bought since; None where there is none."""
        places = self.viewed
        return int(self.rows[places[0]]) if len(places) else None
