"""Events as NumPy columns, read in chunks, without a Python object for each event.

The database packs each column of a chunk into one value: text with commas on SQLite, big-endian bytes on
PostgreSQL. Five million events take seconds, and memory holds one chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class EventColumns:
    """Events in ascending order of `ids`; entry i of every column is one event."""

    ids: NDArray[np.int64]
    user_ids: NDArray[np.int64]
    item_ids: NDArray[np.int64]  # 0: the event is about no item
    types: NDArray[np.int16]
    times: NDArray[np.int64]  # whole seconds since 1970
    session_keys: NDArray[np.int64]  # 0: no session
    quantities: NDArray[np.int32]
    values: NDArray[np.float32]  # unit price or rating, NaN: none

    def __len__(self) -> int:
        return len(self.ids)


# In the order of the fields of EventColumns.
_DTYPES: dict[str, np.dtype[Any]] = {
    "ids": np.dtype(np.int64),
    "user_ids": np.dtype(np.int64),
    "item_ids": np.dtype(np.int64),
    "types": np.dtype(np.int16),
    "times": np.dtype(np.int64),
    "session_keys": np.dtype(np.int64),
    "quantities": np.dtype(np.int32),
    "values": np.dtype(np.float32),
}
_SQLITE = {
    "ids": "id",
    "user_ids": "user_id",
    "item_ids": "ifnull(item_id, 0)",
    "types": "event_type_id",
    "times": "strftime('%%s', substr(occurred_at, 1, 19))",  # cut off: strftime would round up
    "session_keys": "session_key",
    "quantities": "quantity",
    "values": "ifnull(value, 'nan')",
}
_POSTGRESQL = {
    "ids": "int8send(id)",
    "user_ids": "int8send(user_id)",
    "item_ids": "int8send(coalesce(item_id, 0))",
    "types": "int2send(event_type_id)",
    "times": "timestamptz_send(occurred_at)",  # as stored: microseconds since 2000, see _seconds
    "session_keys": "int8send(session_key)",
    "quantities": "int4send(quantity)",
    "values": "float4send(coalesce(value, 'NaN')::real)",
}


def read(*, after_id: int, since: int | None, until: int | None, chunk: int) -> Iterator[EventColumns]:
    """The events above `after_id` and `since <= time < until`, by ascending id, at most `chunk` at a time.

    Events stored after the first chunk was asked for are left out.
    """
    postgresql = connection.vendor == "postgresql"
    expressions = _POSTGRESQL if postgresql else _SQLITE
    wrap = "string_agg({}, ''::bytea)" if postgresql else "group_concat({})"
    packed = ", ".join(wrap.format(expressions[name]) for name in _DTYPES)
    unpacked = _unpacked_bytes if postgresql else _unpacked_text
    conditions, bounds = _period(since, until, postgresql=postgresql)
    # Both ends of a chunk are given: a LIMIT would leave PostgreSQL to guess, and without fresh statistics
    # it would read and sort the whole table for each chunk.
    statement = (
        f"SELECT {packed} FROM (SELECT * FROM interactions_event "
        f"WHERE id > %s AND id <= %s{conditions} ORDER BY id) AS chunk"
    )
    first, last = _answer("SELECT min(id), max(id) FROM interactions_event WHERE id > %s", after_id)
    while first is not None and first <= last:
        row = _answer(statement, first - 1, min(first - 1 + chunk, last), *bounds)
        if row[0] is not None:
            columns = {name: unpacked(value, dtype) for value, (name, dtype) in zip(row, _DTYPES.items(), strict=True)}
            if postgresql:
                columns["times"] = _seconds(columns["times"])
            yield EventColumns(**columns)
        # The next id there is: ids may have gaps of any width.
        (first,) = _answer("SELECT min(id) FROM interactions_event WHERE id > %s", first - 1 + chunk)


def _answer(statement: str, *parameters: int) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return tuple(cursor.fetchone())


def _period(since: int | None, until: int | None, *, postgresql: bool) -> tuple[str, list[int]]:
    # SQLite keeps times as text whose order is the order of time; the bound is rendered by SQLite itself.
    bound = "to_timestamp(%s)" if postgresql else "datetime(%s, 'unixepoch')"
    conditions, values = "", []
    if since is not None:
        conditions += f" AND occurred_at >= {bound}"
        values.append(since)
    if until is not None:
        conditions += f" AND occurred_at < {bound}"
        values.append(until)
    return conditions, values


def _unpacked_text(text: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.fromstring(text, dtype=dtype, sep=",")


def _unpacked_bytes(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(data, dtype=dtype.newbyteorder(">")).astype(dtype)


def _seconds(microseconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """PostgreSQL's time stamps as whole seconds since 1970."""
    return microseconds // 1_000_000 + 946_684_800
