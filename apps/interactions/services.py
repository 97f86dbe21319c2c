"""Writes: recording events."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.catalog import selectors as catalog
from apps.interactions import event_store, profiles
from apps.interactions.entry_token import EntryToken
from apps.interactions.event_input import EventInput, EventResult, EventRow, Rejected
from apps.interactions.event_reader import EventReader
from apps.users import services as users

__all__ = ["EventInput", "EventResult", "events_record"]


def events_record(events: Sequence[EventInput], *, received_at: datetime | None = None) -> list[EventResult]:
    """Store each event once, by its event id; one result for each event, in order.

    Bad events are "rejected" with field and reason while the good ones are stored; a good one whose event id is
    known, or came with a good one earlier in `events`, is "duplicate" and changes nothing. Users are created on
    their first event. Taste events move their users' revision and profile, once a call, before this returns. Any
    number of events; memory grows with it, so files come in batches of some 10,000. Reads first, then writes
    everything in one transaction.
    """
    now = received_at or timezone.now()
    reader = EventReader(now=now, zone=timezone.get_default_timezone())
    results: dict[int, EventResult] = {}
    read: list[tuple[int, EventRow]] = []
    for place, event in enumerate(events):
        try:
            read.append((place, reader.read(event)))
        except Rejected as error:
            results[place] = _rejected(error, event.event_id)

    refused = _items_resolve([row for _, row in read])
    rows: dict[str, EventRow] = {}
    accepted: list[tuple[int, EventRow]] = []
    for number, (place, row) in enumerate(read):
        if number in refused:
            results[place] = _rejected(refused[number], row.event_id)
        else:
            accepted.append((place, row))
            rows.setdefault(row.event_id, row)
    inserted = _store(list(rows.values()), received_at=now)
    for place, row in accepted:
        first = rows[row.event_id]
        stored = row is first and row.event_id in inserted
        results[place] = EventResult("stored" if stored else "duplicate", row.event_id, first.user)
    return [results[place] for place in range(len(events))]


def _rejected(error: Rejected, event_id: str) -> EventResult:
    return EventResult("rejected", event_id=event_id, field=error.field, reason=str(error), code=error.code)


def _items_resolve(rows: Sequence[EventRow]) -> dict[int, Rejected]:
    """Set `item_pk` of every row that names an item; the positions of rows that name none of the catalog, with why."""
    known = catalog.item_ids_of(external_ids=list({row.item for row in rows if row.item}), deleted=True)
    tokens = {row.attribution.item_id for row in rows if isinstance(row.attribution, EntryToken)}
    existing = catalog.external_ids_of(ids=list(tokens)) if tokens else {}
    refused: dict[int, Rejected] = {}
    for number, row in enumerate(rows):
        token = row.attribution if isinstance(row.attribution, EntryToken) else None
        if row.item:
            row.item_pk = known.get(row.item)
            if row.item_pk is None:
                refused[number] = Rejected("item_id", f"There is no item {row.item!r}.", "unknown_item")
            elif token is not None and token.item_id != row.item_pk:
                refused[number] = Rejected("token", f"The token is not for item {row.item!r}.", "bad_token")
        elif token is not None:
            row.item_pk = token.item_id
            if token.item_id not in existing:
                refused[number] = Rejected("token", "The token's item no longer exists.", "unknown_item")
    return refused


def _store(rows: list[EventRow], *, received_at: datetime) -> dict[str, int]:
    if not rows:
        return {}
    people = {row.user for row in rows if not row.anonymous}
    visitors = {row.user for row in rows if row.anonymous} - people
    behind = users.users_behind(external_ids=list(people), anonymous=False) if people else {}
    if visitors:
        behind |= users.users_behind(external_ids=list(visitors), anonymous=True)
    for row in rows:
        row.user_pk, row.visitor_pk = behind[row.user]
    with transaction.atomic():
        inserted = event_store.insert_new(rows, received_at=received_at)
        new = [row for row in rows if row.event_id in inserted] if len(inserted) < len(rows) else rows
        attributed = [(inserted[row.event_id], row.attribution) for row in new if row.attribution]
        if attributed:
            event_store.insert_attributions(attributed)
        taste: dict[int, list[EventRow]] = {}
        for row in new:
            if row.kind.taste:
                taste.setdefault(row.user_pk, []).append(row)
        moved = users.taste_changed(user_ids=sorted(taste)) if taste else []
        told = profiles.changing(moved, taste)
    told()
    return inserted
