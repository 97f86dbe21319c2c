"""A user's recent taste: the form it is handed out in, and the packed form it is stored and sent in.

Packed, an event is one record of `RECORD_BYTES` big-endian bytes, and a taste is its records, newest first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from apps.interactions.event_input import EventRow

TASTE_MAX = 100
"""Events a user is known by: the latest of those that say something about taste."""

_RECORD = np.dtype([("item", ">i8"), ("time", ">i8"), ("value", ">f4"), ("type", ">i2")])  # time: µs since 1970
RECORD_BYTES = _RECORD.itemsize
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False, slots=True)
class TasteColumns:
    """A user's taste events, newest first; entry i of every column is one event."""

    item_ids: NDArray[np.int64]
    types: NDArray[np.int16]
    times: NDArray[np.int64]  # whole seconds since 1970
    values: NDArray[np.float32]  # the rating of a rate event; NaN: none

    def __len__(self) -> int:
        return len(self.item_ids)


def unpacked(records: bytes) -> TasteColumns:
    """The events of packed records. About 5 µs."""
    rows = np.frombuffer(records, dtype=_RECORD)
    return TasteColumns(
        rows["item"].astype(np.int64),
        rows["type"].astype(np.int16),
        rows["time"] // np.int64(1_000_000),
        rows["value"].astype(np.float32),
    )


def packed_text(text: str) -> bytes:
    """The packed form of numbers with commas between: item id, time in µs, value ("nan": none), type, and so on."""
    numbers = np.fromstring(text, dtype=np.float64, sep=",").reshape(-1, 4)
    records = np.empty(len(numbers), dtype=_RECORD)
    for column, name in enumerate(("item", "time", "value", "type")):
        records[name] = numbers[:, column]
    return records.tobytes()


def packed_rows(rows: Iterable[EventRow]) -> bytes:
    """The packed form of events in the order they were stored; of one moment, the last stored comes first."""
    said = [
        (
            row.item_pk,
            (row.occurred_at - _EPOCH) // _MICROSECOND,
            np.nan if row.value is None else row.value,
            row.kind.code,
        )
        for row in rows
    ]
    said.reverse()
    said.sort(key=_time_of, reverse=True)  # stable, also when reversed
    return np.array(said[:TASTE_MAX], dtype=_RECORD).tobytes()


def _time_of(record: tuple[int | None, int, float, int]) -> int:
    return record[1]
