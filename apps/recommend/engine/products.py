"""Inner products and cosines of item vectors: what vector models have in common."""

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Evidence, Rows, Scores

Vectors = NDArray[np.float32]

NO_LENGTH = 1e-6  # a sum of unit vectors shorter than this has no direction worth following


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Each row at length 1, float32, C-contiguous; rows of length 0 stay as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def inner_products(vectors: Vectors, vector: Vectors, rows: Rows) -> Scores:
    """`vectors[rows] @ vector`. Copies the vectors of few rows only: for many, all products cost less."""
    if len(rows) * 4 < len(vectors):
        return np.asarray(vectors[rows] @ vector, dtype=np.float32)
    return np.asarray((vectors @ vector)[rows], dtype=np.float32)


def direction(units: Vectors, evidence: Evidence) -> Vectors | None:
    """The unit vector along the weighted sum of the evidence's unit vectors; None where they say nothing."""
    if not len(evidence):
        return None
    total = evidence.weights @ units[evidence.rows]
    length = float(np.linalg.norm(total))
    return None if length < NO_LENGTH else np.asarray(total / length, dtype=np.float32)


def cosine_contributions(units: Vectors, evidence: Evidence, rows: Rows) -> NDArray[np.float32]:
    """How much each piece of evidence adds to the inner product of `direction` with each row's unit vector."""
    parts = np.zeros((len(rows), len(evidence)), dtype=np.float32)
    if len(evidence):
        speaking = units[evidence.rows] * evidence.weights[:, None]
        length = float(np.linalg.norm(speaking.sum(axis=0)))
        if length >= NO_LENGTH:
            np.matmul(units[rows], (speaking / length).T, out=parts)
    return parts


def unknown(rows: Rows) -> Scores:
    """NaN for each row: cannot say."""
    return np.full(len(rows), np.nan, dtype=np.float32)
