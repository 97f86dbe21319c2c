"""The loops of `lists_index`, compiled: products of what lies in lists.

All vectors of a list lie side by side, so that reading one is as fast as memory goes.
"""

import numpy as np

from apps.recommend.engine.compiled import compiled, float_of_bits


@compiled
def read_halves(chosen, starts, rows, codes, vector, length):  # type: ignore[no-untyped-def]
    """Rows and products with `vector`, times `length`, of all that lies in the `chosen` lists as half precision.

    `codes` are the bits of the numbers, and `vector` is 2 ** 112 times too long: moved into place in single precision
    a half has an exponent that is so much too small.
    """
    total = 0
    for number in chosen:
        total += starts[number + 1] - starts[number]
    found, scores = np.empty(total, np.int32), np.empty(total, np.float32)
    place = 0
    for number in chosen:
        for entry in range(starts[number], starts[number + 1]):
            product = np.float32(0.0)
            for i in range(len(vector)):
                bits = (np.int32(codes[entry, i]) << np.int32(13)) & np.int32(-0x70002000)
                product += float_of_bits(bits) * vector[i]  # type: ignore[call-arg]
            found[place] = rows[entry]
            scores[place] = product * length
            place += 1
    return found, scores


@compiled
def read_bytes(chosen, starts, rows, codes, vector, least):  # type: ignore[no-untyped-def]
    """Rows and products with `vector`, plus `least`, of all that lies in the `chosen` lists as bytes."""
    total = 0
    for number in chosen:
        total += starts[number + 1] - starts[number]
    found, scores = np.empty(total, np.int32), np.empty(total, np.float32)
    place = 0
    for number in chosen:
        for entry in range(starts[number], starts[number + 1]):
            product = np.float32(0.0)
            for i in range(len(vector)):
                product += np.float32(codes[entry, i]) * vector[i]
            found[place] = rows[entry]
            scores[place] = product + least
            place += 1
    return found, scores
