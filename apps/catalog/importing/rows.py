"""What every reader of files gives: rows with their line numbers."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol


class Row(NamedTuple):
    """One row of a file. Where `problem` says why it could not be read, `values` holds its raw text under ''."""

    line: int
    """The line it starts on, counted from 1 and with the header; for Parquet the row number."""
    values: dict[str, Any]
    problem: str = ""


class Table(Protocol):
    """A file of rows. Iterating again reads it again (standard input can be read once)."""

    name: str
    sparse: bool
    """Whether a row may lack columns that other rows have."""

    def check(self) -> None:
        """Raises UnreadableFile where the file is missing or has no readable beginning."""

    def rows(self, *, label: str = "") -> Iterator[Row]:
        """The rows in order; bounded memory. Raises UnreadableFile, also in the middle of a damaged file."""

    def raw(self, row: Row) -> str:
        """The row as text, as it would stand in the file."""
