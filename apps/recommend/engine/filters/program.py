"""Several filters of one catalog as a program for one compiled loop, see `program_loop`."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.filters import program_loop as loop
from apps.recommend.engine.filters.expression import Expression
from apps.recommend.engine.filters.tree import Every, Node, Not, Some, Term, terms
from apps.recommend.engine.types import Items, Mask, Rows
from apps.recommend.engine.value_table import Test

_PROGRAMS = 256  # sets of filters that are remembered for each revision of the catalog
_TESTS: Mapping[str, int] = MappingProxyType(
    {"=": loop.AMONG, "<": loop.LESS, "<=": loop.LESS_EQUAL, ">": loop.GREATER, ">=": loop.GREATER_EQUAL}
)
_STORED = {
    np.dtype(kind): code
    for kind, code in (
        (np.int8, loop.INT8),
        (np.int16, loop.INT16),
        (np.int32, loop.INT32),
        (np.int64, loop.INT64),
        (np.float64, loop.FLOAT64),
    )
}


def masks(filters: Sequence[Expression], items: Items, rows: Rows, now: int) -> Mask:
    """Row e: which of `rows` filter e is true for, as `Expression.mask` tells it. Reads `rows` of the catalog alone.

    About 10 µs for some 400 rows and ten comparisons. The program is remembered with `items`; making it costs 10 µs
    a comparison. IndexError for a row that `items` do not have.
    """
    known: dict[tuple[str, ...], _Program] = items.__dict__.setdefault("_filter_programs", {})
    key = tuple([one.text for one in filters])
    program = known.get(key)
    if program is None:
        if len(known) >= _PROGRAMS:
            known.clear()
        program = known[key] = _Program(filters, items)
    out = np.empty((len(filters), len(rows)), dtype=bool)
    if not loop.run(program.code, _plain(rows), now, out):
        raise IndexError(f"Filters were asked about rows that a catalog of {len(items):,} items does not have.")
    for number in program.apart:
        out[number] = filters[number].mask(items, rows, now=now)
    return out


def _plain(rows: Rows) -> Rows:
    """The rows as the one type that the loop is compiled for."""
    return rows if rows.dtype == np.int32 and rows.flags.carray else np.array(rows, dtype=np.int32)


class _Program:
    """The `code` for some filters of `items`; `apart` are those too large for it. Keeps what the code points to."""

    def __init__(self, filters: Sequence[Expression], items: Items) -> None:
        self._items: Items | None = items
        self._held: list[NDArray[Any]] = []
        self.apart = tuple(
            number for number, one in enumerate(filters) if any(self._is_large(term) for term in terms(one.node))
        )
        here = {number: one.node for number, one in enumerate(filters) if number not in self.apart}
        # Terms of one column stand together: it is read once.
        wanted = dict.fromkeys(term for node in here.values() for term in terms(node))
        columns: dict[str, list[Term]] = {}
        for term in wanted:
            columns.setdefault(term.field, []).append(term)
        self._number = {term: number for number, term in enumerate(one for all_ in columns.values() for one in all_)}
        described, first = [], 0
        for name, mine in columns.items():
            described += [*self._column(name), first, first + len(mine)]
            first += len(mine)
        tests = [number for mine in columns.values() for term in mine for number in self._test(term)]
        steps: list[int] = []
        deepest = 1
        for number, node in here.items():
            deepest = max(deepest, self._steps(node, steps))
            steps += [loop.STORE, number]
        fields = items.fields
        changed = None if fields is None else fields.changed
        head = [
            len(columns),
            len(wanted),
            len(steps) // loop.STEP,
            deepest,
            *((0, 0) if changed is None else (self._address(changed, np.int32), len(changed))),
            0 if fields is None else fields.base,
            len(items),
        ]
        self.code = np.array([*head, *described, *tests, *steps], dtype=np.int64)
        self._items = None  # which remember this program

    def _address(self, array: NDArray[Any], kind: Any = None) -> int:
        """Where the array is, in one piece and kept there."""
        plain = np.ascontiguousarray(array, dtype=kind)
        self._held.append(plain)
        return int(plain.ctypes.data)
