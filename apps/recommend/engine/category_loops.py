"""The loops of `category_popularity`, compiled. A model of categories is items x categories, `indptr` and `indices`."""

import numpy as np
from numba import float32, float64, int32, int64

from apps.recommend.engine.compiled import compiled, compiled_for, read_only


@compiled_for(read_only(int32), read_only(int32), read_only(float32), int64, read_only(int32), read_only(float32))
def cared_for(indptr, indices, speaks, n_categories, rows, weights):  # type: ignore[no-untyped-def]
    """How much what is liked speaks for each category, and for how many it speaks; see `CategoryPopularityModel`."""
    care = np.zeros(n_categories, np.float32)
    sums = np.zeros(n_categories, np.float64)
    met = np.zeros(n_categories, np.bool_)
    total = 0.0
    spoken = 0
    for piece in range(len(rows)):
        weight = np.float64(weights[piece])
        if weight > 0:
            total += weight
            for entry in range(indptr[rows[piece]], indptr[rows[piece] + 1]):
                category = indices[entry]
                spoken += not met[category]
                met[category] = True
                sums[category] += speaks[entry] * weight
    if total > 0:
        for category in range(n_categories):
            care[category] = sums[category] / total
    return care, spoken


@compiled_for(read_only(int32), read_only(int32), read_only(float32), read_only(float32), read_only(int32))
def shares_of(indptr, indices, data, care, rows):  # type: ignore[no-untyped-def]
    """The sum of each row's shares, weighed."""
    scores = np.empty(len(rows), np.float32)
    for place in range(len(rows)):
        row = rows[place]
        score = 0.0
        for entry in range(indptr[row], indptr[row + 1]):
            score += care[indices[entry]] * data[entry]
        scores[place] = score
    return scores


@compiled
def _deep_enough(flat, order, sampled_at, wanted):  # type: ignore[no-untyped-def]
    """The sample above which `wanted` entries lie; 0 where there are not so many. `order`: lowest of `flat` first."""
    depths = len(sampled_at)
    above = 0
    for place in order:
        if flat[place] >= 0:
            break
        depth = place % depths
        above += sampled_at[depth] - (sampled_at[depth - 1] if depth > 0 else 0)
        if above >= wanted:
            return -flat[place]
    return np.float32(0.0)


@compiled
def _ends(flat, categories, starts, sampled_at, least):  # type: ignore[no-untyped-def]
    """How far each category's list is read: to the first sample that is not above 0 or below `least`."""
    depths = len(sampled_at)
    ends = np.empty(len(categories), np.int64)
    for c in range(len(categories)):
        ends[c] = starts[categories[c] + 1]
        for depth in range(depths):
            sample = -flat[c * depths + depth]
            if sample <= 0 or sample < least:
                ends[c] = min(ends[c], starts[categories[c]] + sampled_at[depth])
                break
    return ends


@compiled
def _once(leaders, starts, categories, ends, marks):  # type: ignore[no-untyped-def]
    """The items of each category from its start to its end, each once."""
    most = 0
    for c in range(len(categories)):
        for entry in range(starts[categories[c]], ends[c]):
            marks[leaders[entry]] = 0
            most += 1
    rows = np.empty(most, np.int32)
    found = 0
    for c in range(len(categories)):
        for entry in range(starts[categories[c]], ends[c]):
            row = leaders[entry]
            if marks[row] == 0:
                marks[row] = 1
                rows[found] = row
                found += 1
    return rows[:found]


@compiled_for(
    read_only(int32),
    read_only(int64),
    read_only(float32, 2),
    read_only(int64),
    read_only(float32),
    int64,
    float64,
    int32[::1],
)
def reached(leaders, starts, samples, sampled_at, care, limit, single, marks):  # type: ignore[no-untyped-def]
    """The items that the `limit` best rows are looked for among, each once.

    `leaders` holds the items of each category from `starts[c]`, best first, and `samples[c]` the shares of those at the
    places `sampled_at`. The lists are read down to where `limit` times `single` entries lie above, weighed, and on to
    shares of 1 / `single` of that; further while that finds fewer. `marks`: room for a number for each item.
    """
    depths = len(sampled_at)
    categories = np.flatnonzero(care > 0)
    flat = np.empty(len(categories) * depths, np.float32)
    for c in range(len(categories)):
        for depth in range(depths):
            flat[c * depths + depth] = -care[categories[c]] * samples[categories[c], depth]
    order = np.argsort(flat)
    wanted = single * limit
    while True:
        least = _deep_enough(flat, order, sampled_at, wanted) / single
        rows = _once(leaders, starts, categories, _ends(flat, categories, starts, sampled_at, least), marks)
        if len(rows) >= limit or least <= 0:
            return rows
        wanted *= 2
