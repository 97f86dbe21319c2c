"""Several filters over a few hundred rows in one compiled loop; `program` writes what it is told.

Columns differ in type from field to field and from catalog to catalog. They are read at their addresses, so that one
compiled version serves all, and so that a call costs what three arrays cost and not thirty.
"""

from typing import Any

import numpy as np
from numba import carray
from numpy.typing import NDArray

from apps.recommend.engine.compiled import compiled_exactly, pointer_to
from apps.recommend.engine.value_table import NONE

INT8, INT16, INT32, INT64, FLOAT64 = range(5)  # how numbers are stored
CODES, NUMBERS, AGES, ROWS = range(4)  # what a column has: codes of a table, plain numbers, times, or its own rows
TABLE, AMONG, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, CONSTANT = range(7)  # tests
PUSH, NOT, AND, OR, STORE = range(5)  # steps
HEAD, COLUMN, TERM, STEP = 8, 9, 5, 2  # how many numbers describe each
DAY = 86_400.0


def _read(stored: int, address: int, at: NDArray[np.int64], into: NDArray[Any], size: int) -> None:
    """The numbers at the places `at` that are not negative; `into` keeps the others."""
    if stored == INT8:
        int8 = carray(pointer_to(address), (size,), np.int8)
        for i in range(len(at)):
            if at[i] >= 0:
                into[i] = int8[at[i]]
    elif stored == INT16:
        int16 = carray(pointer_to(address), (size,), np.int16)
        for i in range(len(at)):
            if at[i] >= 0:
                into[i] = int16[at[i]]
    elif stored == INT32:
        int32 = carray(pointer_to(address), (size,), np.int32)
        for i in range(len(at)):
            if at[i] >= 0:
                into[i] = int32[at[i]]
    elif stored == INT64:
        int64 = carray(pointer_to(address), (size,), np.int64)
        for i in range(len(at)):
            if at[i] >= 0:
                into[i] = int64[at[i]]
    else:
        float64 = carray(pointer_to(address), (size,), np.float64)
        for i in range(len(at)):
            if at[i] >= 0:
                into[i] = float64[at[i]]


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


def _tested(
    test: int,
    a: int,
    b: int,
    null: int,
    codes: NDArray[np.int64],
    numbers: NDArray[np.float64],
    truth: NDArray[np.bool_],
) -> None:
    """Where one test is true: of `codes` for TABLE, of `numbers` for the rest."""
    n = len(truth)
    if test == CONSTANT:
        truth[:] = null != 0
    elif test == TABLE:
        table = carray(pointer_to(a), (b,), np.bool_)
        for i in range(n):
            truth[i] = table[codes[i]]
    elif test == AMONG:
        values = carray(pointer_to(a), (b,), np.float64)
        for i in range(n):
            found = null == 1 and np.isnan(numbers[i]) or null == 2 and numbers[i] < 0
            for value in values:
                found |= numbers[i] == value
            truth[i] = found
    else:
        value = carray(pointer_to(a), (b,), np.float64)[0]
        if test == LESS:
            for i in range(n):
                truth[i] = numbers[i] < value
        elif test == LESS_EQUAL:
            for i in range(n):
                truth[i] = numbers[i] <= value
        elif test == GREATER:
            for i in range(n):
                truth[i] = numbers[i] > value
        else:
            for i in range(n):
                truth[i] = numbers[i] >= value


_read = compiled_exactly(_read)
_find = compiled_exactly(_find)
_tested = compiled_exactly(_tested)


@compiled_exactly
def run(program: NDArray[np.int64], rows: NDArray[np.int32], now: int, out: NDArray[np.bool_]) -> bool:
    """Writes filter e of `rows` to `out[e]`. False, with nothing written: some row is outside the catalog."""
    n_columns, n_terms, n_steps, depth = program[0], program[1], program[2], program[3]
    changed, n_changed, base, size = program[4], program[5], program[6], program[7]
    n = len(rows)
    for i in range(n):
        if rows[i] < 0 or rows[i] >= size:
            return False
    truth = np.empty((n_terms, n), np.bool_)
    codes, numbers = np.empty(n, np.int64), np.empty(n, np.float64)
    at, slots = np.empty(n, np.int64), np.empty(n, np.int64)
    if n_changed:
        _find(changed, n_changed, rows, slots)
    terms = HEAD + n_columns * COLUMN
    for column in range(n_columns):
        place = HEAD + column * COLUMN
        holds, stored, address, length = program[place], program[place + 1], program[place + 2], program[place + 3]
        sparse, changes, changes_stored = program[place + 4], program[place + 5], program[place + 6]
        if holds == CODES:
            codes[:] = NONE
            if sparse:
                _find(sparse, length, rows, at)
            else:
                for i in range(n):
                    at[i] = rows[i] if rows[i] < length else -1
            _read(stored, address, at, codes, length)
            if n_changed and changes:
                _read(changes_stored, changes, slots, codes, n_changed)
        else:
            for i in range(n):
                numbers[i] = at[i] = rows[i]
            if holds != ROWS:
                _read(stored, address, at, numbers, length)
            if holds == AGES:
                for i in range(n):
                    numbers[i] = (now - numbers[i]) / DAY
        for term in range(program[place + 7], program[place + 8]):
            told = terms + term * TERM
            _tested(program[told], program[told + 1], program[told + 2], program[told + 3], codes, numbers, truth[term])
    stack = np.empty((depth, n), np.bool_)
    top = 0
    steps = terms + n_terms * TERM
    for step in range(n_steps):
        what, which = program[steps + STEP * step], program[steps + STEP * step + 1]
        if what == PUSH:
            stack[top] = truth[which]
            top += 1
        elif what == NOT:
            for i in range(n):
                stack[top - 1, i] = not stack[top - 1, i]
        elif what == AND:
            top -= 1
            for i in range(n):
                stack[top - 1, i] &= stack[top, i]
        elif what == OR:
            top -= 1
            for i in range(n):
                stack[top - 1, i] |= stack[top, i]
        else:
            top -= 1
            out[which] = stack[top]
    return True
