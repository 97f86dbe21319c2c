"""Candidates of several sources become one ranked slate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.recommend.engine.types import Slate, tie_break


@dataclass(frozen=True, eq=False)
class Part:
    """One source's candidates and how much it counts."""

    name: str
    weight: float
    slate: Slate


def merge(parts: Sequence[Part]) -> Slate:
    """One slate of every candidate, scored by the weighted sum of its sources' scores, best first.

    Each source's scores are brought to [0, 1] first (its best is 1, its worst candidate is near 0), since sources
    measure in different units; a source that did not propose an item adds nothing. `source` is the one that added
    most. A single source keeps its own scores. O(candidates log candidates).
    """
    parts = [part for part in parts if len(part.slate)]
    if not parts:
        return Slate.empty()
    if len(parts) == 1:
        only = parts[0]
        return Slate(only.slate.rows, only.slate.scores, np.zeros(len(only.slate), np.int16), (only.name,))
    rows, where = np.unique(np.concatenate([part.slate.rows for part in parts]), return_inverse=True)
    scaled = np.zeros((len(parts), len(rows)), dtype=np.float32)
    start = 0
    for number, part in enumerate(parts):
        scores = part.slate.scores
        scaled[number, where[start : start + len(scores)]] = part.weight * _to_unit(scores)
        start += len(scores)
    total = scaled.sum(axis=0) / np.float32(sum(part.weight for part in parts))
    order = np.lexsort((tie_break(rows), -total))
    return Slate(
        rows[order].astype(np.int32),
        total[order],
        scaled.argmax(axis=0)[order].astype(np.int16),
        tuple(part.name for part in parts),
    )


def _to_unit(scores: np.ndarray) -> np.ndarray:
    """Scores to (0, 1]; the last candidate keeps a trace, so that being proposed is worth more than not being."""
    low, high = float(scores.min()), float(scores.max())
    if high - low < 1e-12:
        return np.ones_like(scores)
    return (scores - low) / (high - low) * 0.99 + 0.01
