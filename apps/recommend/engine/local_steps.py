"""The loops of `neighbourhoods`, compiled. Import it only where one trains."""

import numpy as np

from apps.recommend.engine.compiled import compiled


@compiled
def fill_grams(  # type: ignore[no-untyped-def]
    indptr, indices, data, members, newest, grams
):
    """For each row of `members` (rows of a sparse matrix, -1: none) their inner products, into `grams`.

    `newest` has an entry of -1 for each column of the matrix, before and after.
    """
    most = 0
    for t in range(len(members)):
        entries = 0
        for row in members[t]:
            if row >= 0:
                entries += indptr[row + 1] - indptr[row]
        most = max(most, entries)
    place = np.empty(most, np.int32)
    value = np.empty(most, np.float64)
    earlier = np.empty(most, np.int32)
    column = np.empty(most, np.int32)
    for t in range(len(members)):
        gram = grams[t]
        gram[:] = 0.0
        entry = 0
        for a in range(members.shape[1]):
            row = members[t, a]
            if row < 0:
                continue
            for at in range(indptr[row], indptr[row + 1]):
                user, weight = indices[at], np.float64(data[at])
                gram[a, a] += weight * weight
                before = newest[user]
                newest[user] = entry
                place[entry], value[entry], earlier[entry], column[entry] = a, weight, before, user
                entry += 1
                while before >= 0:
                    gram[place[before], a] += weight * value[before]
                    before = earlier[before]
        for i in range(entry):
            newest[column[i]] = -1
        for a in range(members.shape[1]):
            for b in range(a):
                gram[a, b] = gram[b, a]


@compiled
def elastic_nets(  # type: ignore[no-untyped-def]
    grams, l1, l2, sweeps, tolerance, weights
):
    """For each Gram matrix the weights >= 0 of all members but the last that lower, for the last as the target,

    half the squared error + l2 / 2 |w|² + l1 sum of w, by coordinate descent until no weight moves by `tolerance`.
    """
    for t in range(len(grams)):
        gram, w = grams[t], weights[t]
        size = len(gram) - 1
        slope = gram[size, :size].copy()  # of the squared error, downwards
        w[:] = 0.0
        everything = True
        for _ in range(sweeps):
            moved = 0.0
            for k in range(size):
                own = gram[k, k]
                if own == 0.0 or (w[k] == 0.0 and (not everything or slope[k] <= l1)):
                    continue
                better = max(0.0, (slope[k] + own * w[k] - l1) / (own + l2))
                step = better - w[k]
                if step != 0.0:
                    w[k] = better
                    for i in range(size):
                        slope[i] -= step * gram[k, i]
                    moved = max(moved, abs(step))
            if moved > tolerance:
                everything = False  # those above zero first
            elif everything:
                break
            else:
                everything = True
