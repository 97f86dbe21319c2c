"""Writes: recording events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.catalog import selectors as catalog
from apps.interactions import event_store
from apps.interactions.entry_token import EntryToken
from apps.interactions.event_input import EventInput, EventResult, EventRow, Rejected
from apps.interactions.event_reader import EventReader
from apps.users import services as users

__all__ = ["EventInput", "EventResult", "events_record"]


def events_record(events: Sequence[EventInput], *, received_at: datetime | None = None) -> list[EventResult]:
    """Store each event once, by its event id; one result for each event, in order.

    Bad events are "rejected" with field and reason while the good ones are stored; an event id that is known,
    or comes twice in `events`, is "duplicate" and changes nothing. Users are created on their first event.
    Taste events move their users' taste revision, once a call. Any number of events; memory grows with it,
    so files come in batches of some 10,000. Reads first, then writes everything in one transaction.
    """
    now = received_at or timezone.now()
    reader = EventReader(now=now, zone=timezone.get_default_timezone())
    results: dict[int, EventResult] = {}
    rows: dict[str, EventRow] = {}
    places: dict[str, int] = {}
    repeats: list[tuple[int, str]] = []
    for place, event in enumerate(events):
        try:
            row = reader.read(event)
        except Rejected as error:
            results[place] = _rejected(error, event.event_id)
            continue
        if row.event_id in rows:
            repeats.append((place, row.event_id))
        else:
            rows[row.event_id] = row
            places[row.event_id] = place

    for event_id, refusal in _items_resolve(rows).items():
        del rows[event_id]
        results[places[event_id]] = _rejected(refusal, event_id)
    inserted = _store(list(rows.values()), received_at=now)
    for event_id, row in rows.items():
        results[places[event_id]] = EventResult("stored" if event_id in inserted else "duplicate", event_id, row.user)
    for place, event_id in repeats:
        first = results[places[event_id]]
        results[place] = replace(first, status="duplicate") if first.status == "stored" else first
    return [results[place] for place in range(len(events))]


def _rejected(error: Rejected, event_id: str) -> EventResult:
    return EventResult("rejected", event_id=event_id, field=error.field, reason=str(error), code=error.code)


def _items_resolve(rows: dict[str, EventRow]) -> dict[str, Rejected]:
    """Set `item_pk` of every row that names an item; the rows that name none of the catalog, with why."""
    known = catalog.item_ids_of(external_ids=list({row.item for row in rows.values() if row.item}), deleted=True)
    tokens = {row.attribution.item_id for row in rows.values() if isinstance(row.attribution, EntryToken)}
    existing = catalog.external_ids_of(ids=list(tokens)) if tokens else {}
    refused: dict[str, Rejected] = {}
    for event_id, row in rows.items():
        token = row.attribution if isinstance(row.attribution, EntryToken) else None
        if row.item:
            row.item_pk = known.get(row.item)
            if row.item_pk is None:
                refused[event_id] = Rejected("item_id", f"There is no item {row.item!r}.", "unknown_item")
            elif token is not None and token.item_id != row.item_pk:
                refused[event_id] = Rejected("token", f"The token is not for item {row.item!r}.", "bad_token")
        elif token is not None:
            row.item_pk = token.item_id
            if token.item_id not in existing:
                refused[event_id] = Rejected("token", "The token's item no longer exists.", "unknown_item")
    return refused


def _store(rows: list[EventRow], *, received_at: datetime) -> dict[str, int]:
    if not rows:
        return {}
    people = {row.user for row in rows if not row.anonymous}
    visitors = {row.user for row in rows if row.anonymous} - people
    user_pks = users.users_ensure(external_ids=list(people), anonymous=False) if people else {}
    if visitors:
        user_pks |= users.users_ensure(external_ids=list(visitors), anonymous=True)
    for row in rows:
        row.user_pk = user_pks[row.user]
    with transaction.atomic():
        inserted = event_store.insert_new(rows, received_at=received_at)
        new = [row for row in rows if row.event_id in inserted] if len(inserted) < len(rows) else rows
        attributed = [(inserted[row.event_id], row.attribution) for row in new if row.attribution]
        if attributed:
            event_store.insert_attributions(attributed)
        moved = {row.user_pk for row in new if row.kind.taste}
        if moved:
            users.taste_changed(user_ids=sorted(moved))
    return inserted
