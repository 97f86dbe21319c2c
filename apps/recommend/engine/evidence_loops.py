"""The loops over a user's events, compiled. Import it only where they run: importing numba takes a second."""

import numpy as np
from numba import boolean, float32, int16, int32, int64, uint8

from apps.recommend.engine.compiled import compiled_for, read_only

DAY = 86_400.0  # seconds
NEUTRAL = np.float32(2.5)  # the rating that says neither


@compiled_for(
    read_only(int16),
    read_only(int64),
    read_only(float32),
    int64,
    read_only(float32),
    read_only(float32),
    read_only(boolean),
)
def weigh(types, times, values, as_of, weight, half_life_days, rated):  # type: ignore[no-untyped-def]
    """Each event's weight, float32: see `types.event_weights`."""
    weights = np.zeros(len(types), dtype=np.float32)
    for event in range(len(types)):
        kind = types[event]
        if not 0 <= kind < len(weight) or weight[kind] == 0:
            continue
        worth = np.float64(weight[kind])
        age = as_of - times[event]
        if age > 0:
            worth *= np.exp2(-(age / DAY) / half_life_days[kind])
        if rated[kind] and not np.isnan(values[event]):
            rating = (values[event] - NEUTRAL) / NEUTRAL
            worth *= min(max(rating, np.float32(-1)), np.float32(1))
        weights[event] = worth
    return weights


@compiled_for(
    read_only(int32), read_only(float32), read_only(int16), read_only(int64), read_only(uint8), read_only(uint8)
)
def gathered(rows, weights, types, times, undoable, undoes):  # type: ignore[no-untyped-def]
    """An entry an item of events, latest first: row, sum of weights, type, time. See `Evidence.of_events`."""
    size = 16
    while size < 2 * len(rows):
        size *= 2
    place_of = np.full(size, -1, dtype=np.int32)  # where an item's entry is, by a hash of its row
    row_of = np.empty(len(rows), dtype=np.int32)
    sums = np.zeros(len(rows), dtype=np.float64)
    told = np.full(len(rows), -1, dtype=np.int16)
    strongest = np.zeros(len(rows), dtype=np.float32)
    ended = np.zeros(len(rows), dtype=np.uint8)
    latest = np.empty(len(rows), dtype=np.int64)
    found = 0
    for event in range(len(rows)):
        row = rows[event]
        if row < 0:
            continue
        slot = (row * 40_503) & (size - 1)
        while place_of[slot] >= 0 and row_of[place_of[slot]] != row:
            slot = (slot + 1) & (size - 1)
        place = place_of[slot]
        if place < 0:
            place = place_of[slot] = found
            row_of[place] = row
            latest[place] = times[event]
            found += 1
        weight, kind = weights[event], types[event]
        sums[place] += weight
        known = 0 <= kind < len(undoes)
        if weight > strongest[place] and not (known and ended[place] & undoable[kind]):
            strongest[place] = weight
            told[place] = kind
        if known:
            ended[place] |= undoes[kind]
    return row_of[:found], sums[:found].astype(np.float32), told[:found], latest[:found]


@compiled_for(read_only(int32), read_only(int32))
def not_among(rows, left_out):  # type: ignore[no-untyped-def]
    """The places of those `rows` that are not `left_out`, ascending. No row is below 0. O(rows + left_out)."""
    size = 16
    while size < 4 * len(left_out):
        size *= 2
    marked = np.full(size, -1, dtype=np.int32)  # by a hash of the row
    for row in left_out:
        slot = ((row * 40_503) >> 3) & (size - 1)
        while marked[slot] >= 0 and marked[slot] != row:
            slot = (slot + 1) & (size - 1)
        marked[slot] = row
    places = np.empty(len(rows), dtype=np.int64)
    kept = 0
    for place in range(len(rows)):
        row = rows[place]
        slot = ((row * 40_503) >> 3) & (size - 1)
        while marked[slot] >= 0 and marked[slot] != row:
            slot = (slot + 1) & (size - 1)
        if marked[slot] < 0:
            places[kept] = place
            kept += 1
    return places[:kept]
