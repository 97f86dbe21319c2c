"""One field of all items: a code an item, into a table of its distinct values (`value_table`)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.value_table import NONE, Coder, Codes, Table

_SWEPT_FROM = 4_096  # values; smaller tables keep those that no item has any more


@dataclass(frozen=True, eq=False)
class Column:
    """Codes of the first items, whole or only of those that have a value, and codes of the changed items."""

    table: Table
    codes: Codes
    rows: NDArray[np.int32] | None  # ascending, one for each of `codes`; None: `codes` has all
    changed: Codes  # at `ItemFields.changed`

    @classmethod
    def of(cls, table: Table, codes: NDArray[np.integer], rows: NDArray[np.int32], size: int) -> "Column":
        """A column of `size` items with `codes` at the ascending `rows`, in whichever form is much smaller."""
        small = _smallest(codes, table)
        none = np.empty(0, np.int8)
        if 2 * (4 + small.itemsize) * len(rows) < small.itemsize * size:
            return cls(table, small, rows, none)
        every = np.full(size, NONE, dtype=small.dtype)
        every[rows] = small
        return cls(table, every, None, none)

    @classmethod
    def empty(cls, changed: int = 0) -> "Column":
        """A column in which no item has a value."""
        none = np.empty(0, np.int8)
        return cls(Table.empty(), none, np.empty(0, np.int32), np.full(changed, NONE, np.int8))

    def at(self, rows: NDArray[np.integer]) -> Codes:
        """The codes at some of the first items."""
        if not len(self.codes):
            return np.full(len(rows), NONE, dtype=np.int8)
        slots = rows
        if self.rows is not None:
            slots = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        codes: Codes = self.codes[slots]
        if self.rows is not None:
            codes[self.rows[slots] != rows] = NONE
        return codes

    def whole(self, size: int, changed: NDArray[np.int32]) -> Codes:
        """The codes of all `size` items, of which those at `changed` have changed."""
        if self.rows is None and not len(changed):
            return self.codes
        codes: Codes = np.full(size, NONE, dtype=np.result_type(self.codes, self.changed))
        codes[slice(len(self.codes)) if self.rows is None else self.rows] = self.codes
        codes[changed] = self.changed
        return codes

    def merged(self, size: int, changed: NDArray[np.int32]) -> "Column":
        """The same with the changes among the first items, and without values that no item has any more."""
        codes = self.whole(size, changed)
        rows = np.flatnonzero(codes != NONE).astype(np.int32)
        used = np.unique(codes[rows])
        values = len(self.table) + self.table.n_lists
        if values < _SWEPT_FROM or 2 * len(used) > values:
            return Column.of(self.table, codes[rows], rows, size)
        return Column.of(*translated(Table.empty(), self.table, codes[rows]), rows, size)


def translated(table: Table, other: Table, codes: Codes) -> tuple[Table, NDArray[np.int32]]:
    """`table` with the values that `codes` of `other` stand for, and their codes in it."""
    coder = Coder(table)
    used, inverse = np.unique(codes, return_inverse=True)
    found = [NONE if code == NONE else coder.code(other.value(code)) for code in used.tolist()]
    return coder.table(), np.array(found, dtype=np.int32)[inverse]


def _smallest(codes: NDArray[np.integer], table: Table) -> Codes:
    """The codes in the smallest integer type that holds all codes of the table."""
    kinds = (np.int8, np.int16)
    fits = (one for one in kinds if len(table) - 1 <= np.iinfo(one).max and table.n_lists < np.iinfo(one).max)
    return codes.astype(next(fits, np.int32), copy=False)
