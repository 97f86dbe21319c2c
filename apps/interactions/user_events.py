"""All events of one user: found, exported, erased, given to another user."""

from typing import Any

from django.db import connection

from apps.interactions.event_types import TASTE_CODES_END
from apps.interactions.models import Event

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
            events += [_exported(event) for event in rows.select_related("event_type", "item", "attribution")]
        return {"events": events}

    def erase(self, user_id: int) -> None:
        """Remove the user's events: what somebody did, in order, leads back to them even without a name."""
        with connection.cursor() as cursor:
            for half in _HALVES:
                mine = f"FROM interactions_event WHERE user_id = %s AND {half}"
                cursor.execute(f"DELETE FROM interactions_attribution WHERE event_id IN (SELECT id {mine})", [user_id])
                cursor.execute(f"DELETE {mine}", [user_id])

    def merge(self, from_id: int, into_id: int) -> None:
        """Make the events of one user the other's."""
        with connection.cursor() as cursor:
            for half in _HALVES:
                cursor.execute(
                    f"UPDATE interactions_event SET user_id = %s WHERE user_id = %s AND {half}", [into_id, from_id]
                )


def _exported(event: Event) -> dict[str, Any]:
    exported = {name: getattr(event, name) for name in _EXPORTED}
    exported |= {name: exported[name].isoformat() for name in ("occurred_at", "received_at")}
    exported["value"] = None if event.value is None else str(event.value)
    exported["interaction_type"] = event.event_type.name
    exported["item_id"] = event.item.external_id if event.item else None
    attribution = getattr(event, "attribution", None)
    exported["recommendation"] = attribution and {
        "recomm_id": str(attribution.recomm_id),
        "placement": attribution.placement,
        "position": attribution.position,
    }
    return exported
