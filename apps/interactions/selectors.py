"""Reads: what events are worth, a user's recent taste, events as columns, and how many there are lately."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db import connection

from apps.interactions import event_columns as columns
from apps.interactions.event_columns import EventColumns
from apps.interactions.event_types import TASTE_CODES_END
from apps.interactions.models import Event, EventType
from apps.interactions.profiles import Profile, ProfileOutOfReach, profile
from apps.interactions.taste import TASTE_MAX, TasteColumns

__all__ = [
    "EventColumns",
    "Profile",
    "ProfileOutOfReach",
    "TasteColumns",
    "Worth",
    "event_columns",
    "event_lag_seconds",
    "event_worth",
    "events_since",
    "profile",
    "recent_taste",
]


class Worth(NamedTuple):
    """What one event of a type says about taste."""

    name: str
    taste: bool
    weight: float
    half_life_days: float


def event_worth() -> dict[int, Worth]:
    """Each event type's worth by its code, as merchandisers have set it. One query."""
    rows = EventType.objects.values_list("id", "name", "taste", "weight", "half_life_days")
    return {code: Worth(name, taste, weight, half_life) for code, name, taste, weight, half_life in rows}


def recent_taste(user_id: int, limit: int = TASTE_MAX) -> TasteColumns:
    """The user's latest `limit` taste events; of one moment, the last stored first. One query, O(limit) by an index."""
    seconds = (
        "extract(epoch from occurred_at)"
        if connection.vendor == "postgresql"
        else "strftime('%%s', substr(occurred_at, 1, 19))"
    )
    with connection.cursor() as cursor:
        # The condition is spelled out: a parameter would hide from the planner that the partial index fits.
        cursor.execute(
            f"SELECT item_id, event_type_id, {seconds}, value FROM interactions_event "
            f"WHERE user_id = %s AND event_type_id < {TASTE_CODES_END} AND item_id IS NOT NULL "
            f"ORDER BY occurred_at DESC, id DESC LIMIT %s",
            [user_id, limit],
        )
        rows = cursor.fetchall()
    items, types, times, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    return TasteColumns(
        np.array(items, dtype=np.int64),
        np.array(types, dtype=np.int16),
        np.array(times, dtype=np.float64).astype(np.int64),
        np.array(values, dtype=np.float32),
    )


def event_columns(
    after_id: int = 0, until: int | None = None, chunk: int = 200_000, *, since: int | None = None
) -> Iterator[EventColumns]:
    """All events as columns, `chunk` at a time by ascending id, without a Python object for each event.

    `since` (inclusive) and `until` (exclusive) are seconds since 1970. Events without an item have item id 0.
    Memory is bounded by `chunk`, about 150 bytes an event while one is unpacked.
    """
    return columns.read(after_id=after_id, since=since, until=until, chunk=chunk)


def events_since(moment: datetime, at_most: int) -> int:
    """How many events occurred since `moment`, counted up to `at_most` by an index. Cheap however many there are."""
    return Event.objects.order_by().filter(occurred_at__gte=moment)[:at_most].count()


def event_lag_seconds() -> float:
    """Seconds between an event's arrival and its being stored. 0: the log is the database, written in the request."""
    return 0.0
