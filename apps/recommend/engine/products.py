"""Inner products and cosines of item vectors: what vector models have in common."""

import math

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Evidence, Rows, Scores

Vectors = NDArray[np.float32]
Stored = NDArray[np.float32] | NDArray[np.float16]  # vectors as they lie in memory or on disk

BLOCK = 16_384  # rows converted at once
NO_LENGTH = 1e-6  # a sum of unit vectors shorter than this has no direction worth following


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Each row at length 1, float32, C-contiguous; rows of length 0 stay as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def single(vectors: NDArray[np.floating]) -> Vectors:
    """`vectors` in single precision, exactly; themselves where they are that already.

    Finite half precision is moved into place as integers, its exponent mended by one product: NumPy's own conversion
    of half precision takes eight times as long.
    """
    if vectors.dtype != np.float16:
        return np.asarray(vectors, dtype=np.float32)
    bits = vectors.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70002000)  # the sign, which the shift carried along, and the 15 bits of size
    result: Vectors = bits.view(np.float32)
    result *= np.float32(2.0**112)
    return result


def inner_products(vectors: Stored, vector: Vectors, rows: Rows) -> Scores:
    """`vectors[rows] @ vector`. Copies the vectors of few rows only: for many, all products cost less."""
    if len(rows) * 4 >= len(vectors):
        return all_products(vectors, vector)[rows]
    if vectors.dtype != np.float16 or len(rows) <= BLOCK:
        return np.asarray(single(vectors[rows]) @ vector, dtype=np.float32)
    parts = [single(vectors[rows[start : start + BLOCK]]) @ vector for start in range(0, len(rows), BLOCK)]
    return np.concatenate(parts)


def all_products(vectors: Stored, vector: Vectors) -> Scores:
    """`vectors @ vector`; half precision is converted a block at a time."""
    if vectors.dtype != np.float16:
        return np.asarray(vectors @ vector, dtype=np.float32)
    result = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, start + BLOCK)
        result[block] = single(vectors[block]) @ vector
    return result


def along(vectors: Vectors, weights: Scores) -> Vectors | None:
    """The unit vector along the weighted sum of `vectors`, one a row; None where they say nothing."""
    total = weights @ vectors
    length = math.sqrt(float(total @ total))
    return None if length < NO_LENGTH else np.asarray(total / np.float32(length), dtype=np.float32)


def direction(units: Stored, evidence: Evidence) -> Vectors | None:
    """The unit vector along the weighted sum of the evidence's unit vectors; None where they say nothing."""
    return along(single(units[evidence.rows]), evidence.weights) if len(evidence) else None


def cosine_contributions(units: Stored, evidence: Evidence, rows: Rows) -> NDArray[np.float32]:
    """How much each piece of evidence adds to the inner product of `direction` with each row's unit vector."""
    return parts_of_cosines(single(units[evidence.rows]), evidence.weights, single(units[rows]))


def parts_of_cosines(speaking: Vectors, weights: Scores, asked: Vectors) -> NDArray[np.float32]:
    """How much each of the `speaking` vectors, so weighted, adds to the products of `along` with `asked`."""
    parts = np.zeros((len(asked), len(speaking)), dtype=np.float32)
    if len(speaking):
        weighed = speaking * weights[:, None]
        length = float(np.linalg.norm(weighed.sum(axis=0)))
        if length >= NO_LENGTH:
            np.matmul(asked, (weighed / length).T, out=parts)
    return parts


def unknown(rows: Rows) -> Scores:
    """NaN for each row: cannot say."""
    return np.full(len(rows), np.nan, dtype=np.float32)
