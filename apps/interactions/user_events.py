"""All events of one user: found, exported, made nobody's, given to another user."""

import secrets
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from apps.interactions.event_types import TASTE_CODES_END
from apps.interactions.models import Attribution, Event

# Each half is answered by its own partial index. Spelled out: behind a parameter SQLite would not see that it fits.
_HALVES = (f"event_type_id < {TASTE_CODES_END}", f"event_type_id >= {TASTE_CODES_END}")
_EXPORTED = ("event_id", "occurred_at", "received_at", "session_id", "value", "currency", "quantity", "properties")
_CHUNK = 5_000


def latest_ids(user_id: int, limit: int) -> list[int]:
    """Row ids of the user's latest events, at most `limit` taste events and as many others."""
    found: list[int] = []
    with connection.cursor() as cursor:
        for half in _HALVES:
            cursor.execute(
                f"SELECT id FROM interactions_event WHERE user_id = %s AND {half} ORDER BY occurred_at DESC LIMIT %s",
                [user_id, limit],
            )
            found += [row_id for (row_id,) in cursor.fetchall()]
    return found


class EventHolder:
    """What the events app does with what it holds about a user (see apps.users.personal_data)."""

    def export(self, user_id: int) -> dict[str, Any]:
        """Every event of the user, oldest first, with the recommendation that led to it."""
        ids = sorted(latest_ids(user_id, limit=2**62))
        events = []
        for start in range(0, len(ids), _CHUNK):
            rows = Event.objects.filter(id__in=ids[start : start + _CHUNK]).order_by("id")
            events += [
                _exported(event) for event in rows.select_related("event_type", "item", "visitor", "attribution")
            ]
        return {"events": events}

    def erase(self, user_id: int) -> None:
        """Keep the user's events, so that counts stay right, without anything that leads from them to the person.

        Types, items, times and amounts stay. What was sent beside them goes; ids that others know too (of events,
        visits and recommendations) become ids that nobody knows, the same for what belonged together.
        """
        salt = secrets.token_bytes(16)  # kept nowhere: what it made cannot be made again
        ids = latest_ids(user_id, limit=2**62)
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            Event.objects.filter(id__in=chunk).update(session_id="", properties=None, visitor=None)
            events = list(Event.objects.filter(id__in=chunk).only("id", "session_key"))
            for event in events:
                event.event_id = f"erased:{uuid4()}"
                event.session_key = event.session_key and int.from_bytes(
                    blake2b(str(event.session_key).encode(), key=salt, digest_size=8).digest(), "big", signed=True
                )
            Event.objects.bulk_update(events, ["event_id", "session_key"], batch_size=500)
            attributions = list(Attribution.objects.filter(event_id__in=chunk))
            for attribution in attributions:
                attribution.recomm_id = UUID(
                    bytes=blake2b(attribution.recomm_id.bytes, key=salt, digest_size=16).digest(), version=4
                )
            Attribution.objects.bulk_update(attributions, ["recomm_id"], batch_size=500)

    def merge(self, from_id: int, into_id: int) -> list[Any]:
        """Make the events of one user the other's. Each keeps the visitor it came from: nothing else is to be known."""
        moved = self._move(
            "SET user_id = %s, visitor_id = coalesce(visitor_id, user_id) WHERE user_id = %s", [into_id, from_id]
        )
        return [{"events": moved}] if moved else []

    def unmerge(self, from_id: int, into_id: int, visitors: list[int], record: list[Any]) -> bool:
        """Give a visitor the events that came from them, and from those who had been merged into them."""
        places = ", ".join(["%s"] * len(visitors))
        moved = self._move(
            f"SET user_id = %s, visitor_id = nullif(visitor_id, %s) WHERE user_id = %s AND visitor_id IN ({places})",
            [into_id, into_id, from_id, *visitors],
        )
        return bool(moved)

    def _move(self, change: str, parameters: list[int]) -> int:
        with connection.cursor() as cursor:
            moved = 0
            for half in _HALVES:
                cursor.execute(f"UPDATE interactions_event {change} AND {half}", parameters)
                moved += cursor.rowcount
            return moved


def _exported(event: Event) -> dict[str, Any]:
    exported = {name: getattr(event, name) for name in _EXPORTED}
    exported |= {name: exported[name].isoformat() for name in ("occurred_at", "received_at")}
    exported["value"] = None if event.value is None else str(event.value)
    exported["interaction_type"] = event.event_type.name
    exported["item_id"] = event.item.external_id if event.item else None
    exported["visitor_id"] = event.visitor.external_id if event.visitor else None
    attribution = getattr(event, "attribution", None)
    exported["recommendation"] = attribution and {
        "recomm_id": str(attribution.recomm_id),
        "placement": attribution.placement,
        "position": attribution.position,
    }
    return exported
