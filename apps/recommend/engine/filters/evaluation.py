"""A filter's tree over arrays. Nothing here loops over items; text is compared once per distinct value."""

from collections.abc import Callable
from functools import cached_property, reduce
from operator import and_, ge, gt, le, lt, or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.filters.tree import Every, Node, Not, Some, Term
from apps.recommend.engine.item_fields import ItemFields, Place
from apps.recommend.engine.types import DAY, Items, Mask, Rows
from apps.recommend.engine.value_table import Test

_ORDER: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class Evaluation:
    """One evaluation of a filter: over which items and rows, and as of when."""

    def __init__(self, items: Items, rows: Rows | None, now: int | None) -> None:
        self._items, self._rows, self._now = items, rows, now

    def of(self, node: Node) -> Mask:
        """Where the tree is true. Where a field has no value, every comparison with it is false."""
        match node:
            case Term(name, test):
                return self._term(name, test)
            case Not(of):
                return ~self.of(of)
            case Every(parts):
                return reduce(and_, map(self.of, parts))
            case Some(parts):
                return reduce(or_, map(self.of, parts))

    def _term(self, name: str, test: Test) -> Mask:
        match name:
            case "price":
                return _numbers(self._at(self._items.price), test)
            case "published":
                return _numbers(self._at(self._items.published), test)
            case "age_days":
                return _numbers(self._age_days, test)
            case "available":
                available = self._at(self._items.available)
                matches = np.zeros(len(available), dtype=bool)
                for value in test.booleans:
                    matches |= available == value
                return matches
            case "item_id":
                return np.isin(self._own_rows, self.named(test))
            case "parent_id":
                parents = self._at(self._items.parents)
                among = np.isin(parents, self.named(test))
                return among | (parents < 0) if test.null else among
        return self.fields.matches(name, test, self._place)

    def _at(self, column: NDArray[Any]) -> NDArray[Any]:
        return column if self._rows is None else column[self._rows]

    @property
    def _age_days(self) -> NDArray[np.float64]:
        if self._now is None:
            raise ValueError('A filter on "age_days" needs to be told what time it is.')
        return (self._now - self._at(self._items.published)) / DAY

    @property
    def _own_rows(self) -> Rows:
        return np.arange(len(self._items), dtype=np.int32) if self._rows is None else self._rows

    def named(self, test: Test) -> Rows:
        """Rows of the items whose ids the test names."""
        row_of = self.fields.row_of
        if row_of is None:
            raise ValueError("These items were read without a way to find them by id.")
        rows = map(row_of, test.texts)
        return np.array([row for row in rows if row is not None], dtype=np.int32)

    @property
    def fields(self) -> ItemFields:
        """Those of the items."""
        if self._items.fields is None:
            raise ValueError("These items were read without the fields that filters need.")
        return self._items.fields

    @cached_property
    def _place(self) -> Place:
        return self.fields.place(self._rows)


def _numbers(column: NDArray[Any], test: Test) -> Mask:
    if test.operator != "=":
        return np.asarray(_ORDER[test.operator](column, test.values[0]))
    numbers = test.numbers
    matches: Mask = column == numbers[0] if len(numbers) == 1 else np.isin(column, numbers)
    return matches | np.isnan(column) if test.null else matches
