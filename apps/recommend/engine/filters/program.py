"""Several filters of one catalog as a program for one compiled loop, see `program_loop`."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.filters import program_loop as loop
from apps.recommend.engine.filters.evaluation import Evaluation
from apps.recommend.engine.filters.expression import Expression
from apps.recommend.engine.filters.tree import Every, Node, Not, Some, Term, terms
from apps.recommend.engine.types import Items, Mask, Rows

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
    if not loop.run(program.code, np.ascontiguousarray(rows, dtype=np.int32), now, out):
        raise IndexError(f"Filters were asked about rows that a catalog of {len(items):,} items does not have.")
    for number in program.apart:
        out[number] = filters[number].mask(items, rows, now=now)
    return out


class _Program:
    """The `code` for some filters of `items`; `apart` are those too large for it. Keeps what the code points to."""

    def __init__(self, filters: Sequence[Expression], items: Items) -> None:
        self._held: list[NDArray[Any]] = []
        self.apart = tuple(
            number for number, one in enumerate(filters) if any(_is_large(name, items) for name in one.fields)
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
            described += [*self._column(name, items), first, first + len(mine)]
            first += len(mine)
        tests = [number for mine in columns.values() for term in mine for number in self._test(term, items)]
        steps: list[int] = []
        deepest = 1
        for number, node in here.items():
            deepest = max(deepest, self._steps(node, steps))
            steps += [loop.STORE, number]
        fields = items.fields
        head = [
            len(columns),
            len(wanted),
            deepest,
            *((0, 0) if fields is None else (self._address(fields.changed, np.int32), len(fields.changed))),
            len(items),
        ]
        self.code = np.array([*head, *described, *tests, *steps], dtype=np.int64)

    def _address(self, array: NDArray[Any], kind: Any = None) -> int:
        """Where the array is, in one piece and kept there."""
        plain = np.ascontiguousarray(array, dtype=kind)
        self._held.append(plain)
        return int(plain.ctypes.data)

    def _column(self, name: str, items: Items) -> list[int]:
        """What the loop is told of a field, but for its tests."""
        match name:
            case "price":
                return self._plain_column(loop.NUMBERS, items.price, np.float64)
            case "published":
                return self._plain_column(loop.NUMBERS, items.published, np.int64)
            case "age_days":
                return self._plain_column(loop.AGES, items.published, np.int64)
            case "parent_id":
                return self._plain_column(loop.NUMBERS, items.parents, np.int32)
            case "available":
                return self._plain_column(loop.CODES, np.asarray(items.available, dtype=bool).view(np.int8), np.int8)
            case "item_id":
                return [loop.ROWS, 0, 0, 0, 0, 0, 0]
        column = Evaluation(items, None, None).fields.columns.get(name)
        if column is None:
            return [loop.ROWS, 0, 0, 0, 0, 0, 0]  # its tests are constants
        stored, address = _STORED[column.codes.dtype], self._address(column.codes)
        sparse = 0 if column.rows is None else self._address(column.rows, np.int32)
        changes = self._address(column.changed) if len(column.changed) else 0
        return [loop.CODES, stored, address, len(column.codes), sparse, changes, _STORED[column.changed.dtype]]

    def _plain_column(self, holds: int, column: NDArray[Any], kind: Any) -> list[int]:
        return [holds, _STORED[np.dtype(kind)], self._address(column, kind), len(column), 0, 0, 0]

    def _test(self, term: Term, items: Items) -> list[int]:
        """What the loop is told of a comparison."""
        name, test = term.field, term.test
        evaluation = Evaluation(items, None, None)
        match name:
            case "price" | "published" | "age_days":
                return [_TESTS[test.operator], *self._values(test.numbers), int(test.null)]
            case "item_id":
                return [loop.AMONG, *self._values(evaluation.named(test)), 0]
            case "parent_id":
                return [loop.AMONG, *self._values(evaluation.named(test)), 2 * test.null]
            case "available":
                return self._table(np.array([False in test.booleans, True in test.booleans]))
        column = evaluation.fields.columns.get(name)
        return [loop.CONSTANT, 0, 0, int(test.null)] if column is None else self._table(column.table.matching(test))

    def _values(self, values: NDArray[Any]) -> tuple[int, int]:
        return self._address(values, np.float64), len(values)

    def _table(self, table: Mask) -> list[int]:
        return [loop.TABLE, self._address(table, bool), len(table), 0]

    def _steps(self, node: Node, steps: list[int]) -> int:
        """Adds the steps that leave the tree's truth on the stack; how much of the stack they need."""
        match node:
            case Term():
                steps += [loop.PUSH, self._number[node]]
                return 1
            case Not(of):
                deepest = self._steps(of, steps)
                steps += [loop.NOT, 0]
                return deepest
            case Every(parts) | Some(parts):
                deepest = self._steps(parts[0], steps)
                for part in parts[1:]:
                    deepest = max(deepest, 1 + self._steps(part, steps))
                    steps += [loop.AND if isinstance(node, Every) else loop.OR, 0]
                return deepest


def _is_large(name: str, items: Items) -> bool:
    """Whether the values of a field are too many to be tested as a whole."""
    column = None if items.fields is None else items.fields.columns.get(name)
    return column is not None and column.table.is_large
