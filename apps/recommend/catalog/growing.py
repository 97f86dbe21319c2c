"""Columns that others look at while they grow and change."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MIN_ROOM = 64


def room_for(size: int) -> int:
    """How much longer a buffer for `size` entries is made, so that appending seldom copies it."""
    return max(MIN_ROOM, size // 20)


class _Buffer:
    """An array of which the first `used` entries belong to somebody."""

    __slots__ = ("array", "used")

    def __init__(self, array: NDArray[Any], used: int) -> None:
        self.array, self.used = array, used


class Column:
    """One value an item; `values` is read-only and never changes. Made by one thread at a time.

    The next column shares this one's memory where it only appends: the entries after `values` are claimed by whoever
    comes first, and everybody else copies. So a memory-mapped column stays one, with a few pages of this process's own.
    """

    __slots__ = ("_buffer", "values")

    def __init__(self, buffer: NDArray[Any], size: int) -> None:
        """The first `size` entries of `buffer`, which from now on belongs to this column and those after it."""
        self._take(_Buffer(buffer, size), size)

    @classmethod
    def of(cls, *parts: NDArray[Any]) -> Self:
        """The parts one after the other, in memory of the column's own with room to grow."""
        size = sum(map(len, parts))
        buffer = np.empty(size + room_for(size), parts[0].dtype)
        np.concatenate(parts, out=buffer[:size])
        return cls(buffer, size)

    def __len__(self) -> int:
        return len(self.values)

    def patched(self, rows: NDArray[Any], values: NDArray[Any], size: int) -> "Column":
        """`values` at the ascending `rows`, and `size` entries in all; every entry added must be among `rows`.

        The same column where nothing changes. O(len(rows)) where entries are only added, else one copy.
        """
        before = len(self)
        old = int(np.searchsorted(rows, before))
        unchanged = _same(self.values[rows[:old]], values[:old])
        if unchanged and size == before:
            return self
        if unchanged and self._buffer.used == before and size <= len(self._buffer.array):
            self._buffer.array[before:size] = values[old:]
            self._buffer.used = size
            return self._sharing(size)
        buffer = np.empty(size + room_for(size), self.values.dtype)
        buffer[:before] = self.values
        buffer[rows] = values
        return Column(buffer, size)

    def spread(self, places: NDArray[Any], size: int) -> "Column":
        """Entry i at `places[i]`, zero at all other places of `size`. A copy."""
        buffer = np.zeros(size + room_for(size), self.values.dtype)
        buffer[places] = self.values
        return Column(buffer, size)

    def _sharing(self, size: int) -> "Column":
        column = Column.__new__(Column)
        column._take(self._buffer, size)
        return column

    def _take(self, buffer: _Buffer, size: int) -> None:
        self._buffer = buffer
        self.values = buffer.array[:size]
        self.values.flags.writeable = False


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
