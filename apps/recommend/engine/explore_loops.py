"""The loops of the stage `explore`, compiled. A place is where an entry stands in the slate."""

import numpy as np
from numba import int32, int64

from apps.recommend.engine.best_found import hashed
from apps.recommend.engine.compiled import compiled_for, read_only


@compiled_for(read_only(int32), read_only(int64), int64, int64)
def published_within(rows, published, now, seconds):  # type: ignore[no-untyped-def]
    """The places of the rows that were published at most so long before `now`."""
    places = np.empty(len(rows), np.int64)
    count = 0
    for place in range(len(rows)):
        age = now - published[rows[place]]
        if age >= 0 and age <= seconds:
            places[count] = place
            count += 1
    return places[:count]


@compiled_for(read_only(int32), read_only(int64), int64)
def in_turn(rows, places, shift):  # type: ignore[no-untyped-def]
    """`places` in the order of `tie_break` of their rows, begun `shift` entries later and going round."""
    hashes = np.empty(len(places), np.uint64)
    for i in range(len(places)):
        hashes[i] = hashed(rows[places[i]])
    order = np.argsort(hashes)
    turned = np.empty(len(places), np.int64)
    for i in range(len(places)):
        turned[i] = places[order[(i + shift) % len(places)]]
    return turned


@compiled_for(read_only(int64), read_only(int64), int64, int64, int64)
def explored(drawn, fresh, size, first, quota):  # type: ignore[no-untyped-def]
    """All `size` places, reordered: of the `first` ones `quota`, spread evenly, are the first `drawn`.

    `fresh` are the places of new entries, `drawn` the first of them in the order in which they are taken. The others
    keep their order, those of `drawn` that are left follow, then the rest of the new.
    """
    order = np.empty(size, np.int64)
    held_back = np.zeros(size, np.bool_)
    for place in fresh:
        held_back[place] = True
    at, taken = 0, 0
    known = 0
    for place in range(first):
        if taken < quota and place == (taken + 1) * first // (quota + 1):
            order[at] = drawn[taken]
            taken += 1
            at += 1
        else:
            while known < size and held_back[known]:
                known += 1
            if known < size:
                order[at] = known
                known += 1
                at += 1
    for place in range(known, size):
        if not held_back[place]:
            order[at] = place
            at += 1
    for i in range(quota, len(drawn)):
        order[at] = drawn[i]
        at += 1
    for i in range(len(drawn), len(fresh)):
        order[at] = fresh[i]
        at += 1
    return order
