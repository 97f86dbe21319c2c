"""Working memory that requests use again and again: a large array made for each would cost more than filling it.

Every thread has its own. What it holds between two calls is undefined, so nothing has to be cleared either.
"""

import threading

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Rows

_own = threading.local()
_COUNTING = np.arange(16_384, dtype=np.int32)
_COUNTING.flags.writeable = False


def counting(size: int) -> NDArray[np.int32]:
    """0, 1, ... below `size`, read-only where it is small."""
    return _COUNTING[:size] if size <= len(_COUNTING) else np.arange(size, dtype=np.int32)


def scratch(size: int) -> NDArray[np.int32]:
    """At least `size` numbers, to be written before they are read. Four bytes for each of the most ever asked for."""
    held: NDArray[np.int32] | None = getattr(_own, "numbers", None)
    if held is None or len(held) < size:
        held = np.empty(size, dtype=np.int32)
        _own.numbers = held
    return held


def representatives(rows: Rows, size: int) -> NDArray[np.int32]:
    """For each entry of `rows` (all below `size`) the place of one entry of the same row: its last.

    An entry that stands for itself is the only one of its row that does. O(len(rows)), without sorting.
    """
    places = scratch(size)
    places[rows] = counting(len(rows))
    return places[rows]
