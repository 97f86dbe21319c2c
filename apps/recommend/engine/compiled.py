"""Loops compiled by numba. Import it only where one trains: importing numba takes a second."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code that lets other threads run; floating-point sums may be taken in any order."""
    try:
        return numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep the result: compile anew in each process
        return numba.njit(nogil=True, fastmath=True)(function)
