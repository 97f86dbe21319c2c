"""Storing rows chunk by chunk, counting every one of them, and writing down those that were refused."""

import csv
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TextIO, TypeVar

from apps.catalog.importing.rows import Row, Table

V = TypeVar("V")


class Outcome(NamedTuple):
    """What became of one row: "stored", "known", "rejected" with a reason, or "later".

    Later: it refers to something that may come further down; it is tried again after the last row.
    """

    status: str
    reason: str = ""


STORED = Outcome("stored")
KNOWN = Outcome("known")


def rejected(reason: str) -> Outcome:
    """The outcome of a row that is not stored, for the stated reason."""
    return Outcome("rejected", reason)


class Entry(NamedTuple, Generic[V]):
    """A row as the value to store, or with the `problem` that keeps it from being one."""

    row: Row
    value: V | None
    problem: str = ""
    again: bool = False


@dataclass
class Tally:
    """How many rows there were and what became of them; `read` is always the sum of the other three."""

    stored: int = 0
    known: int = 0
    rejected: int = 0
    seconds: float = 0.0

    @property
    def read(self) -> int:
        return self.stored + self.known + self.rejected

    def __str__(self) -> str:
        rate = self.read / self.seconds if self.seconds else 0
        return (
            f"{self.read:,} rows read = {self.stored:,} stored + {self.known:,} already known "
            f"+ {self.rejected:,} rejected ({self.seconds:.1f} s, {rate:,.0f} rows/s)"
        )


class Rejects:
    """The file of refused rows: line, reason, row. There is none while nothing is refused; an old one is removed.

    Where the wished path cannot be written to, a file of the same name in `spare_folder` is used: see `path`.
    """

    def __init__(self, path: Path, *, spare_folder: Path) -> None:
        self.path = path
        self.count = 0
        self._spare = spare_folder / path.name
        self._file: TextIO | None = None
        for old in (path, self._spare):
            with suppress(OSError):
                old.unlink(missing_ok=True)

    def add(self, line: int, reason: str, row: str) -> None:
        """Write one row down. Raises OSError when neither place can be written to."""
        if self._file is None:
            self._file = self._opened()
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(["line", "reason", "row"])
        self._writer.writerow([line, reason, row])
        self.count += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        try:
            return self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError:
            self.path = self._spare
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def store_rows(
    entries: Iterable[Entry[V]],
    *,
    table: Table,
    write: Callable[[list[V]], Sequence[Outcome]],
    tally: Tally,
    rejects: Rejects,
    chunk: int,
) -> None:
    """Write the entries in chunks of `chunk` rows, each committed by `write`, which says what became of each value.

    `tally` and `rejects` cover the committed chunks only, so they are right also when this ends with an
    exception. Memory: one chunk, and the rows that must wait for others.
    """
    started = time.perf_counter()
    later: list[Entry[V]] = []
    for some in itertools.chain(_chunks(entries, chunk), _chunks(_taken(later), chunk)):
        values = [entry.value for entry in some if entry.value is not None and not entry.problem]
        outcomes = iter(write(values) if values else ())
        for entry in some:
            ready = entry.value is not None and not entry.problem
            outcome = next(outcomes) if ready else rejected(entry.problem)
            if outcome.status == "later" and not entry.again:
                later.append(entry._replace(again=True))
            elif outcome.status == "stored":
                tally.stored += 1
            elif outcome.status == "known":
                tally.known += 1
            else:
                tally.rejected += 1
                rejects.add(entry.row.line, outcome.reason, table.raw(entry.row))
        tally.seconds = time.perf_counter() - started
    tally.seconds = time.perf_counter() - started


def _chunks(entries: Iterable[Entry[V]], size: int) -> Iterator[list[Entry[V]]]:
    iterator = iter(entries)
    while some := list(itertools.islice(iterator, size)):
        yield some


def _taken(entries: list[Entry[V]]) -> Iterator[Entry[V]]:
    """What is in the list once the first of it is asked for."""
    yield from list(entries)
