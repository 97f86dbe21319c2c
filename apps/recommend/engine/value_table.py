"""The distinct values of a field, and tests of them: text is compared once per value, never per item.

A code of 0 or more is the place of a scalar in the table; -1 is no value; -2 and below are lists, the list l at
-2 - l. So a vector laid out as `scalars, lists reversed, nothing` is indexed by codes as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from operator import ge, gt, le, lt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scalar = str | float | bool
Codes = NDArray[np.signedinteger]
Mask = NDArray[np.bool_]

TEXT = np.dtypes.StringDType()
NONE = -1
IS_TEXT, IS_NUMBER, IS_BOOLEAN = 0, 1, 2

_ORDER: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_INDEXED = 65_536  # tables up to this size are compared as a whole and remembered, larger ones where asked
_REMEMBERED = 64  # tests a table remembers


class Test:
    """A comparison with constants: `=` with any of several (`None`: no value), the others with one."""

    __test__ = False  # not for pytest

    def __init__(self, operator: str, values: Sequence[Scalar | None]) -> None:
        self.operator = operator
        self.values = tuple(values)
        self.texts = [value for value in values if isinstance(value, str)]
        self.booleans = [value for value in values if isinstance(value, bool)]
        self.numbers = np.array([value for value in values if isinstance(value, float)], dtype=np.float64)
        self.null = None in self.values
        self.key = f"{operator} {self.values!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Test) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, eq=False)
class Table:
    """The distinct values of a field. Never changes: `grown` makes the next one, in which old codes stay valid."""

    kinds: NDArray[np.uint8]
    texts: NDArray[Any]  # StringDType; empty where a value is no text
    numbers: NDArray[np.float64]  # NaN where a value is no number; 1 and 0 for true and false
    list_ends: NDArray[np.int32]  # where each list begins in `members`, and the end
    members: NDArray[np.int32]  # codes of scalars, in the order of the list
    _known: dict[str, Mask] = field(default_factory=dict, repr=False)

    @classmethod
    def empty(cls) -> "Table":
        return cls(np.empty(0, np.uint8), np.empty(0, TEXT), np.empty(0), np.zeros(1, np.int32), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def is_large(self) -> bool:
        """Whether tests had better look at the values that are asked for alone."""
        return len(self) > _INDEXED

    @property
    def n_lists(self) -> int:
        return len(self.list_ends) - 1

    def matching(self, test: Test) -> Mask:
        """Which values the test is true for, laid out to be indexed by codes. A list is when one of its members is."""
        found = self._known.get(test.key)
        if found is None:
            scalars = _tested(test, self.kinds, self.texts, self.numbers)
            lists = _any_of(scalars[self.members], self.list_ends)
            if test.null:
                lists |= np.diff(self.list_ends) == 0
            found = self.layout(scalars, lists, test.null)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[test.key] = found
        return found

    def matching_at(self, test: Test, codes: Codes) -> Mask:
        """`matching` at `codes`, without looking at the rest of a large table where they are few."""
        if len(self) <= max(_INDEXED, 4 * len(codes)) or test.key in self._known:
            return self.matching(test)[codes]
        found = np.full(len(codes), test.null)
        scalars = codes >= 0
        at = codes[scalars]
        found[scalars] = _tested(test, self.kinds[at], self.texts[at], self.numbers[at])
        lists = np.flatnonzero(codes <= -2)
        if len(lists):
            ends, members = self.members_at(codes[lists])
            hits = _tested(test, self.kinds[members], self.texts[members], self.numbers[members])
            found[lists] = _any_of(hits, ends) | (np.diff(ends) == 0 if test.null else False)
        return found

    def members_at(self, codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """(ends, scalars): the values at each code as codes of scalars; a scalar counts as a list of one."""
        singles = codes >= 0
        lists = codes <= -2
        at = -2 - codes[lists].astype(np.int64)
        lengths = singles.astype(np.int64)
        lengths[lists] = self.list_ends[at + 1] - self.list_ends[at]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        result = np.empty(int(ends[-1]), dtype=np.int32)
        result[ends[:-1][singles]] = codes[singles]
        long = lengths[lists]
        inside = np.arange(int(long.sum())) - np.repeat(np.cumsum(long) - long, long)
        of_list = self.members[np.repeat(self.list_ends[at].astype(np.int64), long) + inside]
        result[np.repeat(ends[:-1][lists], long) + inside] = of_list
        return ends, result

    @cached_property
    def number_of(self) -> NDArray[np.float64]:
        """The number of each value, NaN where it is none, laid out to be indexed by codes."""
        numbers = np.where(self.kinds == IS_NUMBER, self.numbers, np.nan)
        return self.layout(numbers, np.full(self.n_lists, np.nan), np.nan)

    @cached_property
    def code_of(self) -> dict[Any, int]:
        """The codes of the scalars; true and false as tuples, for they equal 1 and 0. Nothing where there are many:
        values are then added again, a few at a time, until they are swept.
        """
        if len(self) > _INDEXED:
            return {}
        columns = zip(self.kinds.tolist(), self.texts.tolist(), self.numbers.tolist(), strict=True)
        return {
            text if kind == IS_TEXT else number if kind == IS_NUMBER else (bool(number),): code
            for code, (kind, text, number) in enumerate(columns)
        }

    @cached_property
    def code_of_list(self) -> dict[tuple[int, ...], int]:
        """The codes of the lists, by those of their members; nothing where there are many."""
        if self.n_lists > _INDEXED:
            return {}
        ends, members = self.list_ends.tolist(), self.members.tolist()
        return {tuple(members[ends[at] : ends[at + 1]]): -2 - at for at in range(self.n_lists)}

    @cached_property
    def labels(self) -> NDArray[Any]:
        """The text of each scalar (StringDType), numbers as JSON writes them."""
        if (self.kinds == IS_TEXT).all():
            return self.texts
        return np.array([_label(self.scalar(code)) for code in range(len(self))], dtype=TEXT)

    def layout(self, scalars: NDArray[Any], lists: NDArray[Any], nothing: Any) -> NDArray[Any]:
        """A vector that codes index as they are."""
        return np.concatenate([scalars, lists[::-1], np.array([nothing], dtype=scalars.dtype)])

    def scalar(self, code: int) -> str | int | float | bool:
        """The scalar at `code`, as JSON had it; a whole number is an int."""
        kind = self.kinds[code]
        if kind == IS_TEXT:
            return str(self.texts[code])
        number = float(self.numbers[code])
        if kind == IS_BOOLEAN:
            return bool(number)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def value(self, code: int) -> Any:
        """The JSON value at `code`; None: no value."""
        if code == NONE:
            return None
        if code >= 0:
            return self.scalar(code)
        start, end = self.list_ends[-2 - code], self.list_ends[-1 - code]
        return [self.scalar(one) for one in self.members[start:end].tolist()]


def _any_of(hits: Mask, ends: NDArray[np.integer]) -> Mask:
    """Whether any of `hits` is true between each end and the next."""
    total = np.concatenate([[0], np.cumsum(hits)])
    return np.asarray(total[ends[1:]] > total[ends[:-1]])


def _tested(test: Test, kinds: NDArray[np.uint8], texts: NDArray[Any], numbers: NDArray[np.float64]) -> Mask:
    if test.operator != "=":
        [value] = test.values
        of_text = isinstance(value, str)
        matches = _ORDER[test.operator](texts if of_text else numbers, value)
        return np.asarray(matches & (kinds == (IS_TEXT if of_text else IS_NUMBER)))
    matches = np.zeros(len(kinds), dtype=bool)
    if 0 < len(test.texts) <= 8:
        for text in test.texts:
            matches |= texts == text
    elif test.texts:
        wanted = set(test.texts)
        matches |= np.fromiter((text in wanted for text in texts.tolist()), dtype=bool, count=len(texts))
    matches &= kinds == IS_TEXT
    if len(test.numbers):
        matches |= (kinds == IS_NUMBER) & np.isin(numbers, test.numbers)
    if test.booleans:
        matches |= (kinds == IS_BOOLEAN) & np.isin(numbers, np.array(test.booleans, dtype=np.float64))
    return matches


class Coder:
    """Makes codes of values, starting from a table or from nothing; `table()` is the table with the new values."""

    def __init__(self, table: Table | None = None) -> None:
        self._old = Table.empty() if table is None else table
        self._scalars: dict[Any, int] = {}
        self._lists: dict[tuple[int, ...], int] = {}
        self._text_lists: dict[tuple[str, ...], int] = {}  # the same of lists of text alone
        self._n_scalars, self._n_lists = len(self._old), self._old.n_lists
        self._added: list[Scalar] = []
        self._added_lists: list[tuple[int, ...]] = []

    def code(self, value: Any) -> int:
        """The code of a scalar, or of a list of scalars."""
        if type(value) is list:
            return self._list(tuple(self._scalar(one) for one in value))
        return self._scalar(value)

    def codes(self, values: Sequence[Any]) -> list[int]:
        """The codes of many values; fastest where all are plain text or numbers, or all lists of text."""
        kinds = set(map(type, values))
        found: list[int | None] = [None] * len(values)
        keys: Sequence[Any] = values
        if kinds <= {str, int, float}:
            found = list(map(self._scalars.get, values))
        elif kinds == {list} and set(map(type, chain.from_iterable(values))) <= {str}:
            keys = list(map(tuple, values))
            found = list(map(self._text_lists.get, keys))
        codes: list[int] = []
        for place, code in enumerate(found):
            if code is None:
                code = self.code(values[place])
                if keys is not values:
                    self._text_lists[keys[place]] = code
            codes.append(code)
        return codes

    def _scalar(self, value: Scalar) -> int:
        key = (value,) if type(value) is bool else value
        code = self._scalars.get(key)
        if code is None:
            code = self._old.code_of.get(key)
        if code is None:
            self._scalars[key] = code = self._n_scalars
            self._n_scalars += 1
            self._added.append(value)
        return code

    def _list(self, members: tuple[int, ...]) -> int:
        code = self._lists.get(members)
        if code is None:
            code = self._old.code_of_list.get(members)
        if code is None:
            self._lists[members] = code = -2 - self._n_lists
            self._n_lists += 1
            self._added_lists.append(members)
        return code

    def table(self) -> Table:
        """The table of all values so far."""
        if not self._added and not self._added_lists:
            return self._old
        old, added = self._old, self._added
        kinds = [IS_TEXT if type(one) is str else IS_BOOLEAN if type(one) is bool else IS_NUMBER for one in added]
        texts = np.array([one if type(one) is str else "" for one in added], dtype=TEXT)
        numbers = np.array([np.nan if isinstance(one, str) else float(one) for one in added])
        lengths = np.array([len(one) for one in self._added_lists], dtype=np.int32)
        members = np.array([one for each in self._added_lists for one in each], dtype=np.int32)
        return Table(
            kinds=np.concatenate([old.kinds, np.array(kinds, dtype=np.uint8)]),
            texts=np.concatenate([old.texts, texts]),
            numbers=np.concatenate([old.numbers, numbers]),
            list_ends=np.concatenate([old.list_ends, old.list_ends[-1] + np.cumsum(lengths, dtype=np.int32)]),
            members=np.concatenate([old.members, members]),
        )


def _label(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
