"""Several filters over a few hundred rows in one compiled loop; `program` writes what it is told.

Columns differ in type from field to field and from catalog to catalog. They are read at their addresses, so that one
compiled version serves all, and so that a call costs what three arrays cost and not thirty.
"""

from typing import Any

import numpy as np
from numba import carray, types
from numpy.typing import NDArray

from apps.recommend.engine.compiled import compiled_exactly, compiled_for, pointer_to, read_only
from apps.recommend.engine.value_table import NONE

INT8, INT16, INT32, INT64, FLOAT64 = range(5)  # how numbers are stored
CODES, NUMBERS, AGES, ROWS = range(4)  # what a column has: codes of a table, plain numbers, times, or its own rows
TABLE, AMONG, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, CONSTANT = range(7)  # tests
PUSH, NOT, AND, OR, STORE = range(5)  # steps
HEAD, COLUMN, TERM, STEP = 6, 9, 4, 2  # how many numbers describe each
DAY = 86_400.0


def _at_places(column: NDArray[Any], at: NDArray[np.int64], into: NDArray[Any]) -> None:
    for i in range(len(at)):
        if at[i] >= 0:
            into[i] = column[at[i]]


_at_places = compiled_exactly(_at_places)


def _read(stored: int, address: int, at: NDArray[np.int64], into: NDArray[Any], size: int) -> None:
    """The numbers at the places `at` that are not negative; `into` keeps the others."""
    if stored == INT8:
        _at_places(carray(pointer_to(address), (size,), np.int8), at, into)
    elif stored == INT16:
        _at_places(carray(pointer_to(address), (size,), np.int16), at, into)
    elif stored == INT32:
        _at_places(carray(pointer_to(address), (size,), np.int32), at, into)
    elif stored == INT64:
        _at_places(carray(pointer_to(address), (size,), np.int64), at, into)
    else:
        _at_places(carray(pointer_to(address), (size,), np.float64), at, into)


def _find(address: int, size: int, rows: NDArray[np.int32], places: NDArray[np.int64]) -> None:
    """Where each of `rows` is among the ascending int32 at `address`; -1: nowhere. No branches to guess wrong."""
    ordered = carray(pointer_to(address), (size,), np.int32)
    for i in range(len(rows)):
        first, left = 0, size
        while left > 1:
            half = left >> 1
            first += half if ordered[first + half - 1] < rows[i] else 0
            left -= half
        places[i] = first if size > 0 and ordered[first] == rows[i] else -1


def _compared(test: int, numbers: NDArray[np.float64], value: float, truth: NDArray[np.bool_]) -> None:
    if test == LESS:
        for i in range(len(truth)):
            truth[i] = numbers[i] < value
    elif test == LESS_EQUAL:
        for i in range(len(truth)):
            truth[i] = numbers[i] <= value
    elif test == GREATER:
        for i in range(len(truth)):
            truth[i] = numbers[i] > value
    else:
        for i in range(len(truth)):
            truth[i] = numbers[i] >= value


_compared = compiled_exactly(_compared)


def _among(numbers: NDArray[np.float64], values: NDArray[np.float64], null: int, truth: NDArray[np.bool_]) -> None:
    """`null`: 1 where NaN is meant too, 2 where negative numbers are."""
    for i in range(len(truth)):
        found = (null == 1 and np.isnan(numbers[i])) or (null == 2 and numbers[i] < 0)
        for value in values:
            found |= numbers[i] == value
        truth[i] = found


_among = compiled_exactly(_among)


def _tested(
    told: NDArray[np.int64], codes: NDArray[np.int64], numbers: NDArray[np.float64], truth: NDArray[np.bool_]
) -> None:
    """Where one test is true: of `codes` for TABLE, of `numbers` for the rest."""
    test, address, length, null = told[0], told[1], told[2], told[3]
    if test == CONSTANT:
        truth[:] = null != 0
    elif test == TABLE:
        table = carray(pointer_to(address), (length,), np.bool_)
        for i in range(len(truth)):
            truth[i] = table[codes[i]]
    elif test == AMONG:
        _among(numbers, carray(pointer_to(address), (length,), np.float64), null, truth)
    else:
        _compared(test, numbers, carray(pointer_to(address), (1,), np.float64)[0], truth)


def _column(
    told: NDArray[np.int64],
    rows: NDArray[np.int32],
    now: int,
    n_changed: int,
    slots: NDArray[np.int64],
    at: NDArray[np.int64],
    codes: NDArray[np.int64],
    numbers: NDArray[np.float64],
) -> None:
    """Reads a column at `rows` into `codes` or `numbers`; `slots`: where changed rows are. Writes over `at`."""
    holds, stored, address, length = told[0], told[1], told[2], told[3]
    sparse, changes, changes_stored = told[4], told[5], told[6]
    if holds == CODES:
        codes[:] = NONE
        if sparse:
            _find(sparse, length, rows, at)
        else:
            for i in range(len(rows)):
                at[i] = rows[i] if rows[i] < length else -1
        _read(stored, address, at, codes, length)
        if n_changed and changes:
            _read(changes_stored, changes, slots, codes, n_changed)
        return
    for i in range(len(rows)):
        numbers[i] = at[i] = rows[i]
    if holds != ROWS:
        _read(stored, address, at, numbers, length)
    if holds == AGES:
        for i in range(len(rows)):
            numbers[i] = (now - numbers[i]) / DAY


def _combined(steps: NDArray[np.int64], truth: NDArray[np.bool_], depth: int, out: NDArray[np.bool_]) -> None:
    """Works the trees out on a stack."""
    stack = np.empty((depth, truth.shape[1]), np.bool_)
    top = 0
    for step in range(0, len(steps), STEP):
        what, which = steps[step], steps[step + 1]
        if what == PUSH:
            stack[top] = truth[which]
            top += 1
            continue
        top -= 1
        if what == NOT:
            stack[top] = ~stack[top]
            top += 1
        elif what == AND:
            stack[top - 1] &= stack[top]
        elif what == OR:
            stack[top - 1] |= stack[top]
        else:
            out[which] = stack[top]


_read = compiled_exactly(_read)
_find = compiled_exactly(_find)
_tested = compiled_exactly(_tested)
_column = compiled_exactly(_column)
_combined = compiled_exactly(_combined)


@compiled_for(read_only(types.int64), read_only(types.int32), types.int64, types.bool_[:, ::1])
def run(program: NDArray[np.int64], rows: NDArray[np.int32], now: int, out: NDArray[np.bool_]) -> bool:
    """Writes filter e of `rows` to `out[e]`. False, with nothing written: some row is outside the catalog."""
    n_columns, n_terms, depth = program[0], program[1], program[2]
    changed, n_changed, size = program[3], program[4], program[5]
    n = len(rows)
    for i in range(n):
        if rows[i] < 0 or rows[i] >= size:
            return False
    codes, numbers = np.empty(n, np.int64), np.empty(n, np.float64)
    at, slots = np.empty(n, np.int64), np.empty(n, np.int64)
    if n_changed:
        _find(changed, n_changed, rows, slots)
    truth = np.empty((n_terms, n), np.bool_)
    terms = HEAD + n_columns * COLUMN
    steps = terms + n_terms * TERM
    for place in range(HEAD, terms, COLUMN):
        told = program[place : place + COLUMN]
        _column(told, rows, now, n_changed, slots, at, codes, numbers)
        for term in range(told[7], told[8]):
            _tested(program[terms + term * TERM : terms + (term + 1) * TERM], codes, numbers, truth[term])
    _combined(program[steps:], truth, depth, out)
    return True
