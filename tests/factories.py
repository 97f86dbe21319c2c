"""Items, users, keys and events for tests, each in one call. Made through the services, as everybody makes them."""

from collections.abc import Sequence
from typing import Any

from rest_framework.test import APIClient

from apps.catalog import selectors as catalog
from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import EventInput, events_record
from apps.users.services import api_key_create, users_ensure


def make_items(*rows: dict[str, Any]) -> list[int]:
    """Items from the fields of the API; what is left out is made up. Returns database ids, in order."""
    entries = [parse_item({"item_id": f"item-{n}", "title": f"Item {n}"} | row) for n, row in enumerate(rows, 1)]
    rejected = [result for result in items_upsert(entries) if result.errors]
    assert not rejected, rejected
    ids = catalog.item_ids_of([entry.item_id for entry in entries])
    return [ids[entry.item_id] for entry in entries]


def make_user(external_id: str = "ann", *, anonymous: bool = False) -> int:
    """A user; returns the database id."""
    return users_ensure([external_id], anonymous=anonymous)[external_id]


def make_events(user: str, items: Sequence[str], event_type: str = "view_item", **said: Any) -> None:
    """One event of the user for each item, in order."""
    events = [EventInput(event_type=event_type, user_id=user, item_id=item, **said) for item in items]
    results = events_record(events)
    assert {result.status for result in results} == {"stored"}, results


def client(key: str = "", **headers: str) -> APIClient:
    """An HTTP client that sends `key` (a new secret key with every scope when empty)."""
    made = APIClient(headers={"Authorization": f"Bearer {key or secret_key()}"} | headers)
    made.raise_request_exception = False
    return made


def secret_key(*scopes: str) -> str:
    """A server's key with the given scopes, all of them when none is given."""
    return api_key_create(name="server", scopes=scopes or None)[1]


def public_key(*origins: str) -> str:
    """A browser's key, for any origin when none is given."""
    return api_key_create(name="browser", kind="public", allowed_origins=origins or ["*"])[1]
