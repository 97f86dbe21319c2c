"""What filters, caps and answers read of an item beside the catalog's main columns: brand, stock, categories, tags
and attributes.

Every field is a dictionary-coded column: one to four bytes an item, or only the items that have a value where few
do. Changes are kept beside the columns, so that a patch costs what has changed and not the catalog, and memory-mapped
columns stay shared between processes until a large part of the catalog has changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.field_columns import Column, translated
from apps.recommend.engine.field_reader import ATTRIBUTES, MAX_PATHS, FieldReader
from apps.recommend.engine.value_table import NONE, Codes, Mask, Test

# Changed items are merged into the columns when they are more than an eighth of the items, within these bounds.
_MERGED_FROM, _MERGED_AT = 4_096, 32_768

RowOf = Callable[[str], int | None]


class Labels(NamedTuple):
    """A field of one value an item: `values[codes[i]]` is its text, -1 where there is none (or a list)."""

    codes: NDArray[np.int32]
    values: NDArray[Any]  # StringDType; not every value need occur, and beyond 65,536 one may be there twice


class Sets(NamedTuple):
    """A field of several values an item: entries `indptr[i]` to `indptr[i + 1]` of `indices` are places in `values`."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[Any]  # StringDType


class Place(NamedTuple):
    """Rows, split into those to be read from the columns and those that have changed since."""

    rows: NDArray[np.integer] | None  # None: all
    first: NDArray[np.integer]  # of each row a row that the columns have
    places: NDArray[np.intp]  # which of the rows have changed
    slots: NDArray[np.intp]  # and where they are in `ItemFields.changed`


@dataclass(frozen=True, eq=False)
class ItemFields:
    """Fields of `size` items, the columns over the first `base` of them. Never changes; `patched` makes the next.

    Names: brand, stock, category (external ids, ancestors included), tag, and attributes.<path> with parts joined
    by dots. `row_of` finds an item by the shop's own id.
    """

    size: int
    base: int
    columns: Mapping[str, Column]
    changed: NDArray[np.int32]  # ascending rows; all from `base` on are among them
    row_of: RowOf | None = None
    left_out: tuple[str, ...] = ()  # attributes beyond the MAX_PATHS most frequent ones

    @classmethod
    def of(cls, **columns: Any) -> "ItemFields":
        """The fields of items; see `FieldReader.add`."""
        reader = FieldReader()
        reader.add(**columns)
        return cls.read(reader)

    @classmethod
    def read(cls, reader: FieldReader, row_of: RowOf | None = None) -> "ItemFields":
        """What the reader has collected."""
        columns, left_out = reader.columns()
        return cls(reader.size, reader.size, columns, np.empty(0, np.int32), row_of, left_out)

    def __len__(self) -> int:
        return self.size

    @property
    def names(self) -> list[str]:
        """The fields that some item has, attributes among them, sorted."""
        return sorted(self.columns)

    def place(self, rows: NDArray[np.integer] | None) -> Place:
        """Where `rows` (all where None) are found; made once and used for several fields."""
        nowhere = np.empty(0, np.intp)
        if rows is None:
            return Place(None, nowhere, nowhere, nowhere)
        first = np.minimum(rows, self.base - 1) if self.size > self.base else rows
        if not len(self.changed):
            return Place(rows, first, nowhere, nowhere)
        slots = np.minimum(np.searchsorted(self.changed, rows), len(self.changed) - 1)
        places = np.flatnonzero(self.changed[slots] == rows)
        return Place(rows, first, places, slots[places])

    def codes(self, name: str, place: Place) -> Codes:
        """The codes of a field at `place`; they index `columns[name].table`."""
        column = self.columns[name]
        if place.rows is None:
            return column.whole(self.size, self.changed)
        codes = column.at(place.first)
        if len(place.places):
            codes = codes.astype(np.int32)
            codes[place.places] = column.changed[place.slots]
        return codes

    def matches(self, name: str, test: Test, place: Place) -> Mask:
        """Where the test is true of a field. A field that no item has is without value everywhere."""
        if name not in self.columns:
            return np.full(self.size if place.rows is None else len(place.rows), test.null)
        return self.columns[name].table.matching_at(test, self.codes(name, place))

    def labels(self, name: str, rows: NDArray[np.integer] | None = None) -> Labels | None:
        """The single values of a field at `rows` (all where None); None where no item has it."""
        if name not in self.columns:
            return None
        codes = self.codes(name, self.place(rows)).astype(np.int32)
        return Labels(np.maximum(codes, NONE), self.columns[name].table.labels)

    def numbers(self, name: str, rows: NDArray[np.integer] | None = None) -> NDArray[np.float64] | None:
        """The numbers of a field at `rows` (all where None), NaN where it is none; None where no item has it."""
        if name not in self.columns:
            return None
        return self.columns[name].table.number_of[self.codes(name, self.place(rows))]

    def sets(self, name: str, rows: NDArray[np.integer] | None = None) -> Sets | None:
        """The values of a field at `rows` (all where None), in the order of the list; None where no item has it."""
        if name not in self.columns:
            return None
        table = self.columns[name].table
        indptr, indices = table.members_at(self.codes(name, self.place(rows)))
        return Sets(indptr, indices, table.labels)

    def value(self, name: str, row: int) -> Any:
        """The JSON value of a field at a row, None where it has none.

        `attributes`, or a path that has others below it, is an object of them; `tags` and `categories` are lists.
        """
        name = {"tags": "tag", "categories": "category"}.get(name, name)
        place = self.place(np.array([row]))
        if name in self.columns:
            found = self._value(name, place)
            if found is not None:
                return found
        if name in {"tag", "category"}:
            return []
        within: dict[str, Any] = {}
        prefix = f"{name}."
        for path in self.columns:
            if path.startswith(prefix) and (value := self._value(path, place)) is not None:
                _put(within, path.removeprefix(prefix).split("."), value)
        return within if within or name == "attributes" else None

    def _value(self, name: str, place: Place) -> Any:
        return self.columns[name].table.value(int(self.codes(name, place)[0]))

    def patched(self, rows: NDArray[np.integer], change: "ItemFields", row_of: RowOf | None = None) -> "ItemFields":
        """These fields with item i of `change` at `rows[i]`, in place of what was there, or behind the last item.

        Rows from `len(self)` on must leave no gap; none may be named twice. Costs what has changed since the columns
        were made (at most 32,768 items, or an eighth of the catalog), and now and then a copy of all columns.
        """
        changed = np.union1d(self.changed, rows).astype(np.int32)
        size = max(self.size, int(changed.max(initial=-1)) + 1)
        if len(np.unique(rows)) != len(change) or np.count_nonzero(changed >= self.base) != size - self.base:
            raise ValueError("A patch takes one row for each item, without a gap between the last item and new ones.")
        before, now = np.searchsorted(changed, self.changed), np.searchsorted(changed, rows)
        everywhere = change.place(None)
        columns: dict[str, Column] = {}
        added, left_out = self._room_for(change)
        for name in [*self.columns, *added]:
            column = self.columns.get(name) or Column.empty(len(self.changed))
            codes = np.full(len(changed), NONE, dtype=np.int32)
            codes[before] = column.changed
            codes[now] = NONE
            table = column.table
            if name in change.columns:
                theirs = change.columns[name].table
                table, codes[now] = translated(table, theirs, change.codes(name, everywhere))
            columns[name] = replace(column, table=table, changed=codes)
        found = ItemFields(size, self.base, columns, changed, row_of or self.row_of, left_out)
        return found.merged() if len(changed) > max(_MERGED_FROM, min(_MERGED_AT, self.base // 8)) else found

    def _room_for(self, change: "ItemFields") -> tuple[list[str], tuple[str, ...]]:
        """Which new fields of a change are taken in, and which attributes are left out for want of room."""
        new = sorted(set(change.columns) - set(self.columns))
        attributes = [name for name in new if name.startswith(ATTRIBUTES)]
        room = MAX_PATHS - sum(name.startswith(ATTRIBUTES) for name in self.columns)
        dropped = attributes[max(room, 0) :]
        return [name for name in new if name not in dropped], tuple(
            sorted({*self.left_out, *change.left_out, *dropped})
        )

    def spread(self, places: NDArray[np.int32], size: int, row_of: RowOf | None = None) -> "ItemFields":
        """The same with item i at row `places[i]`, ascending, of `size`; the rows between are without any value."""
        columns = {}
        for name, column in self.columns.items():
            codes = column.whole(self.size, self.changed)
            rows = np.flatnonzero(codes != NONE)
            columns[name] = Column.of(column.table, codes[rows], places[rows], size)
        return ItemFields(size, size, columns, np.empty(0, np.int32), row_of or self.row_of, self.left_out)

    def merged(self) -> "ItemFields":
        """The same with all changes in the columns, and without values and fields that no item has any more."""
        columns = {name: column.merged(self.size, self.changed) for name, column in self.columns.items()}
        used = {name: column for name, column in columns.items() if column.rows is None or len(column.rows)}
        return replace(self, base=self.size, columns=used, changed=np.empty(0, np.int32))


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = into.setdefault(part, {})
        if not isinstance(inner, dict):  # some items have a value where others have an object
            return
        into = inner
    into[path[-1]] = value
