"""Writing events: each at most once, in bulk, in the way that is fast for the database at hand."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.interactions.entry_token import EntryToken
from apps.interactions.event_input import EventRow
from apps.interactions.models import Attribution

_COLUMNS = (
    "event_id, user_id, item_id, event_type_id, occurred_at, received_at, "
    "session_id, session_key, value, currency, quantity, properties, visitor_id"
)
_PLACES = ", ".join(["%s"] * 13)
_INSERT = f"INSERT INTO interactions_event ({_COLUMNS})"
_INSERT_NUMBERED = f"INSERT INTO interactions_event (id, {_COLUMNS})"
_NEW_IDS = "SELECT nextval(pg_get_serial_sequence('interactions_event', 'id')) FROM generate_series(1, %s)"
_ONCE = "ON CONFLICT (event_id) DO NOTHING"
_COPY_FROM = 200  # rows from which a staging table is worth its making


def insert_new(rows: Sequence[EventRow], *, received_at: datetime) -> dict[str, int]:
    """Insert the rows whose event_id is not stored yet; the inserted ones' event ids, mapped to their row ids.

    Event ids must differ within `rows`. Must run in a transaction. On SQLite row ids are looked up only
    where they were needed to tell new rows from known ones, or for attributed rows; elsewhere they are 0.
    """
    if connection.vendor == "postgresql":
        return _insert_postgresql(rows, received_at)
    return _insert_sqlite(rows, received_at)


def _insert_sqlite(rows: Sequence[EventRow], received_at: datetime) -> dict[str, int]:
    # The transaction has held the write lock since it began, so ids above `last` are this call's own.
    times: dict[datetime, str] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM interactions_event")
        (last,) = cursor.fetchone()
        parameters = list(_parameters(rows, _sqlite_time(received_at), times, _sqlite_time))
        cursor.executemany(f"{_INSERT} VALUES ({_PLACES}) {_ONCE}", parameters)
        if cursor.rowcount == len(rows) and not any(row.attribution for row in rows):
            return dict.fromkeys((row.event_id for row in rows), 0)
        cursor.execute("SELECT event_id, id FROM interactions_event WHERE id > %s", [last])
        return dict(cursor.fetchall())


def _insert_postgresql(rows: Sequence[EventRow], received_at: datetime) -> dict[str, int]:
    times: dict[datetime, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(_NEW_IDS, [len(rows)])
        numbered = [
            (row_id, *row)
            for (row_id,), row in zip(
                cursor.fetchall(),
                _parameters(rows, received_at.isoformat(), times, datetime.isoformat),
                strict=True,
            )
        ]
        # Row ids follow the order given, the writing that of event ids, everywhere: two batches with events
        # in common then wait for each other instead of deadlocking.
        numbered.sort(key=_event_id_of)
        if len(numbered) < _COPY_FROM:
            values = ", ".join([f"(%s, {_PLACES})"] * len(numbered))
            flat = [value for row in numbered for value in row]
            cursor.execute(f"{_INSERT_NUMBERED} VALUES {values} {_ONCE} RETURNING event_id, id", flat)
            return dict(cursor.fetchall())
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS event_staging ON COMMIT DROP AS "
            f"SELECT id, {_COLUMNS} FROM interactions_event WITH NO DATA"
        )
        cursor.execute("TRUNCATE event_staging")
        with cursor.copy(f"COPY event_staging (id, {_COLUMNS}) FROM STDIN") as copy:
            for row in numbered:
                copy.write_row(row)
        cursor.execute(
            f"{_INSERT_NUMBERED} SELECT id, {_COLUMNS} FROM event_staging "
            f'ORDER BY event_id COLLATE "C" {_ONCE} RETURNING event_id, id'
        )
        return dict(cursor.fetchall())


def _parameters(
    rows: Iterable[EventRow], received: str, times: dict[datetime, str], text_of: Any
) -> Iterable[tuple[Any, ...]]:
    for row in rows:
        at = times.get(row.occurred_at)
        if at is None:
            at = times[row.occurred_at] = text_of(row.occurred_at)
        yield (
            row.event_id,
            row.user_pk,
            row.item_pk,
            row.kind.code,
            at,
            received,
            row.session_id,
            row.session_key,
            row.value,
            row.currency,
            row.quantity,
            row.properties,
            row.visitor_pk,
        )


def _event_id_of(numbered: tuple[Any, ...]) -> bytes:
    return numbered[1].encode()  # the byte order that COLLATE "C" goes by


def _sqlite_time(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat(" ")


def insert_attributions(rows: Iterable[tuple[int, EntryToken | UUID]]) -> None:
    """Store which recommendation led to which event (by row id)."""
    Attribution.objects.bulk_create([_attribution(event_pk, said) for event_pk, said in rows], batch_size=500)


def _attribution(event_pk: int, said: EntryToken | UUID) -> Attribution:
    if isinstance(said, UUID):
        return Attribution(event_id=event_pk, recomm_id=said)
    return Attribution(
        event_id=event_pk,
        recomm_id=said.recomm_id,
        placement=said.placement,
        plan_digest=said.plan_digest,
        variant=said.variant,
        model_version=said.model_version,
        position=said.position,
        source=said.source,
        propensity=said.propensity,
        policy_state=said.policy_state,
    )
