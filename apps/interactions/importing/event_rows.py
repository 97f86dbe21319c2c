"""Events in the rows of a file."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from apps.catalog.importing.columns import ColumnMap
from apps.catalog.importing.rows import Table
from apps.catalog.importing.storing import KNOWN, STORED, Entry, Outcome, rejected
from apps.catalog.importing.values import BadValue, json_object, missing, text
from apps.interactions.importing.occurrences import Occurrences
from apps.interactions.services import EventInput, events_record

EVENT_FIELDS = (
    "interaction_type",
    "user_id",
    "item_id",
    "occurred_at",
    "event_id",
    "session_id",
    "value",
    "currency",
    "quantity",
    "token",
    "properties",
)
OTHER_NAMES = {
    "event_type": "interaction_type",
    "event_name": "interaction_type",
    "timestamp": "occurred_at",
    "event_time": "occurred_at",
    "rating": "value",
    "price": "value",
    "recomm_id": "token",
}
_REQUIRED = ("interaction_type", "occurred_at")
# Eight digits are a day (20111209), other digits seconds, milliseconds or microseconds since 1970.
_STAMP = re.compile(r"(?!\d{8}$)-?\d{1,17}(\.\d+)?")


class EventDraft(NamedTuple):
    """An event whose id is still to be made: `key`, followed by the number of the key's occurrence.

    Without a key the event's own id stands.
    """

    said: dict[str, Any]
    """The arguments of EventInput."""
    key: str = ""


class EventStore:
    """Stores chunks of drafts. One for each file: it numbers the occurrences of the keys from the file's first row."""

    def __init__(self) -> None:
        self._occurrences = Occurrences()

    def __call__(self, drafts: list[EventDraft]) -> list[Outcome]:
        keys = [draft.key for draft in drafts if draft.key]
        numbers = iter(self._occurrences.numbers(keys) if keys else ())
        events = [
            EventInput(**draft.said, event_id=f"{draft.key}:{next(numbers)}") if draft.key else EventInput(**draft.said)
            for draft in drafts
        ]
        return [
            STORED
            if result.status == "stored"
            else KNOWN
            if result.status == "duplicate"
            else rejected(f"{result.field}: {result.reason}")
            for result in events_record(events)
        ]


def event_columns(*, maps: list[str], constants: list[str], table: Table) -> ColumnMap:
    """The columns of a file of events. Raises UnreadableFile for a mapping that does not fit."""
    return ColumnMap(EVENT_FIELDS, maps=maps, constants=constants, other_names=OTHER_NAMES, sparse=table.sparse)


def event_entries(table: Table, columns: ColumnMap) -> Iterator[Entry[EventDraft]]:
    """Every row as an event, or with the reason why it is none.

    A row without an event_id is identified by what it says, and rows that say the same by their order: exact
    repeats in a file are events of their own, and a second import of the file finds them all known. (A row of
    another file that says exactly the same is known, too.)
    """
    for row in table.rows(label="events"):
        if row.problem:
            yield Entry(row, None, row.problem)
            continue
        try:
            yield Entry(row, _draft(columns.pick(row)))
        except BadValue as error:
            yield Entry(row, None, str(error))


def _draft(cells: dict[str, Any]) -> EventDraft:
    said: dict[str, Any] = {}
    for field, cell in cells.items():
        if missing(cell):
            continue
        try:
            said[field] = _value(field, cell)
        except BadValue as error:
            raise BadValue(f"{field}: {error}") from None
    for field in _REQUIRED:
        if field not in said:
            raise BadValue(f"{field}: missing")
    key = "" if "event_id" in said else _key(said)
    said["event_type"] = said.pop("interaction_type")
    return EventDraft(said, key)


def _value(field: str, cell: Any) -> Any:
    if field == "occurred_at":
        return _time(cell)
    if field == "properties":
        return json_object(cell)
    if field in ("value", "quantity"):
        return cell.strip() if isinstance(cell, str) else cell
    return text(cell)


def _time(cell: Any) -> datetime | str:
    """A time for EventInput, where text and times without an offset mean the shop's own time."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, str):
        cell = cell.strip()
        return _since_1970(float(cell)) if _STAMP.fullmatch(cell) else cell
    if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        return _since_1970(float(cell))
    raise BadValue(f"not a time: {str(cell)[:50]!r}")


def _since_1970(stamp: float) -> datetime:
    size = abs(stamp)
    divisor = 1 if size < 1e11 else 1e3 if size < 1e14 else 1e6
    try:
        return datetime.fromtimestamp(stamp / divisor, tz=UTC)
    except (OverflowError, ValueError, OSError):
        raise BadValue(f"not a time: {stamp!r}") from None


def _key(said: dict[str, Any]) -> str:
    try:
        content = orjson.dumps(said, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        raise BadValue(f"cannot be written as JSON: {error}") from None
    return "file:" + blake2b(content, digest_size=16).hexdigest()
