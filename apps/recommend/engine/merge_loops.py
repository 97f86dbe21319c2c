"""The loops of one user's merge, compiled. Import it only where they run: importing numba takes a second."""

import numpy as np
from numba import float32, float64, int32, int64, uint32, uint64

from apps.recommend.engine.compiled import compiled_for, read_only

SPREAD, RANGE, RANK = 0, 1, 2  # see merge.calibrated
DIGIT = 8  # bits of a key that are sorted by at once


@compiled_for(read_only(float32), int64, int64, int64, float64, float64, float32[::1])
def calibrate(scores, start, end, how, alike, trace, values):  # type: ignore[no-untyped-def]
    """As `merge.calibrated`, of the one list between `start` and `end`, into the same places of `values`."""
    size = end - start
    lowest, highest, total = np.inf, -np.inf, 0.0
    for place in range(start, end):
        score = float64(size - 1 - (place - start)) if how == RANK else float64(scores[place])
        lowest, highest = min(lowest, score), max(highest, score)
        total += score
    scale = highest - lowest
    if scale <= alike * max(abs(lowest), 1.0):
        values[start:end] = 1.0
        return
    if how == SPREAD:
        mean, squares = total / size, 0.0
        for place in range(start, end):
            squares += (scores[place] - mean) ** 2
        scale = np.sqrt(squares / size)
    for place in range(start, end):
        score = float64(size - 1 - (place - start)) if how == RANK else float64(scores[place])
        values[place] = (score - lowest) / scale + trace


@compiled_for(uint32)
def tie_break(row):  # type: ignore[no-untyped-def]
    """As `types.tie_break`, of one row."""
    x = uint64(row) + uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@compiled_for(read_only(int32), int32[::1])
def sort_by_hash(rows, places):  # type: ignore[no-untyped-def]
    """`places` of `rows` in the order of `tie_break`: Shell's sort with Knuth's steps."""
    hashes = np.empty(len(places), dtype=np.uint64)
    for at in range(len(places)):
        hashes[at] = tie_break(uint32(rows[places[at]]))
    step = 1
    while 3 * step < len(places):
        step = 3 * step + 1
    while step > 0:
        for at in range(step, len(places)):
            hashed, place, free = hashes[at], places[at], at
            while free >= step and hashes[free - step] > hashed:
                hashes[free], places[free] = hashes[free - step], places[free - step]
                free -= step
            hashes[free], places[free] = hashed, place
        step //= 3


@compiled_for(read_only(int32), read_only(float32))
def best_first(rows, scores):  # type: ignore[no-untyped-def]
    """The places of `scores`, highest first, equal ones by `tie_break` of their rows. O(n), but for long ties."""
    size = len(rows)
    keys, order = np.empty(size, dtype=np.uint32), np.empty(size, dtype=np.int32)
    other_keys, other = np.empty(size, dtype=np.uint32), np.empty(size, dtype=np.int32)
    bits = (scores + float32(0)).view(np.uint32)  # -0 is 0
    for place in range(size):
        # The bits of a number without sign ascend with it; those of a negative one descend.
        keys[place] = bits[place] if bits[place] >> uint32(31) else ~bits[place] & uint32(0x7FFFFFFF)
        order[place] = place
    starts = np.empty(1 << DIGIT, dtype=np.int64)
    for shift in range(0, 32, DIGIT):
        starts[:] = 0
        for place in range(size):
            starts[(keys[place] >> uint32(shift)) & uint32((1 << DIGIT) - 1)] += 1
        start = 0
        for digit in range(1 << DIGIT):
            start, starts[digit] = start + starts[digit], start
        for place in range(size):
            digit = (keys[place] >> uint32(shift)) & uint32((1 << DIGIT) - 1)
            other_keys[starts[digit]], other[starts[digit]] = keys[place], order[place]
            starts[digit] += 1
        keys, other_keys, order, other = other_keys, keys, other, order
    first = 0
    while first < size:
        end = first + 1
        while end < size and keys[end] == keys[first]:
            end += 1
        if end - first > 1:
            sort_by_hash(rows, order[first:end])
        first = end
    return order


@compiled_for(read_only(int32), read_only(float32), read_only(int64), read_only(float32), int64, float64, float64)
def merged(rows, scores, ends, weights, how, alike, trace):  # type: ignore[no-untyped-def]
    """Rows, totals and number of the part that added most, best first, of lists that lie one behind the other.

    List p ends before place `ends[p]` and counts `weights[p]`. See `merge.merge`.
    """
    parts, entries = len(ends), len(rows)
    values = np.empty(entries, dtype=np.float32)
    size = 16
    while size < 2 * entries:
        size *= 2
    place_of = np.full(size, -1, dtype=np.int32)  # where a candidate stands, by a hash of its row
    row_of = np.empty(entries, dtype=np.int32)
    total = np.zeros(entries, dtype=np.float32)
    most = np.zeros(entries, dtype=np.float32)
    source = np.zeros(entries, dtype=np.int16)
    speaking = float32(0)
    for part in range(parts):
        speaking += weights[part]
    if speaking <= 0:
        speaking = float32(1)
    found, start = 0, 0
    for part in range(parts):
        calibrate(scores, start, ends[part], how, alike, trace, values)
        for entry in range(start, ends[part]):
            row = rows[entry]
            slot = ((row * 40_503) >> 3) & (size - 1)
            while place_of[slot] >= 0 and row_of[place_of[slot]] != row:
                slot = (slot + 1) & (size - 1)
            place = place_of[slot]
            if place < 0:
                place = place_of[slot] = found
                row_of[place] = row
                found += 1
            added = weights[part] * values[entry]
            total[place] += added / speaking
            if added > most[place]:
                most[place], source[place] = added, part
        start = ends[part]
    row_of, total = row_of[:found], total[:found]
    order = best_first(row_of, total)
    return row_of[order], total[order], source[order]
