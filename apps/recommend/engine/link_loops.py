"""The loop of `item_links`, compiled."""

import numpy as np
from numba import float32, int32

from apps.recommend.engine.compiled import compiled_for, read_only


@compiled_for(read_only(int32, 2), read_only(float32, 2), read_only(int32), read_only(float32), int32[::1])
def reached(neighbours, weights, rows, said, marks):  # type: ignore[no-untyped-def]
    """Where links from `rows` lead, each once, and the sum of what they weigh, times what is `said` of their origin.

    `marks`: room for a number for each item.
    """
    width = neighbours.shape[1]
    for piece in range(len(rows)):
        for place in range(width):
            target = neighbours[rows[piece], place]
            if target >= 0:
                marks[target] = -1
    targets = np.empty(len(rows) * width, np.int32)
    sums = np.empty(len(rows) * width, np.float64)
    count = 0
    for piece in range(len(rows)):
        for place in range(width):
            target = neighbours[rows[piece], place]
            if target >= 0:
                if marks[target] < 0:
                    marks[target] = count
                    targets[count] = target
                    sums[count] = 0.0
                    count += 1
                sums[marks[target]] += weights[rows[piece], place] * said[piece]
    return targets[:count], sums[:count].astype(np.float32)
