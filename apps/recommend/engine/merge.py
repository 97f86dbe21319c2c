"""Candidates of several sources become one ranking: for one user when serving, for many when evaluating and tuning."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Rows, Scores, Slate

Calibration = Literal["spread", "range", "rank"]
CALIBRATIONS = get_args(Calibration)

TRACE = 0.01  # what the last of a list keeps: to be proposed is worth more than not to be
ALIKE = 1e-12  # scores that differ by less than this part of them are all alike
HISTORY_HALF = 5.0  # items of history at which a weight stands halfway between cold and warm


@dataclass(frozen=True, eq=False)
class Lists:
    """What one part proposes to each user, best first: rows and scores of shape (users, length); row -1: no more."""

    rows: Rows
    scores: Scores


@dataclass(frozen=True, eq=False)
class Pool:
    """Every candidate of every user once, by user and row, with what each part says of it on a scale of its own list.

    `values` has shape (candidates, parts), 0 where the part did not propose it. `speaks` (users, parts) tells the
    parts that had anything to propose to the user.
    """

    users: NDArray[np.int64]
    rows: Rows
    values: NDArray[np.float32]
    speaks: NDArray[np.bool_]

    @classmethod
    def of(cls, lists: Sequence[Lists], calibration: Calibration = "spread") -> Self:
        """The union of the parts' lists. All lists are of the same users. O(entries log entries)."""
        span = max((int(part.rows.max(initial=-1)) for part in lists), default=-1) + 1
        keys, values, parts = [], [], []
        for number, part in enumerate(lists):
            users, places = np.nonzero(part.rows >= 0)
            keys.append(users * np.int64(span) + part.rows[users, places])
            values.append(calibrated(part, calibration)[users, places])
            parts.append(np.full(len(users), number))
        unique, where = np.unique(np.concatenate(keys), return_inverse=True)
        table = np.zeros((len(unique), len(lists)), dtype=np.float32)
        table[where, np.concatenate(parts)] = np.concatenate(values)
        speaks = np.stack([(part.rows >= 0).any(axis=1) for part in lists], axis=1)
        users, rows = np.divmod(unique, max(span, 1))
        return cls(users, rows.astype(np.int32), table, speaks)


@dataclass(frozen=True, eq=False)
class Weights:
    """How much each part counts: `cold` for a user without history, `warm` for one with a long one.

    With h different items of history a weight is cold + (warm - cold) · h / (h + `half`).
    """

    warm: NDArray[np.float64]
    cold: NDArray[np.float64]
    half: float = HISTORY_HALF

    def totals(self, pool: Pool, history: NDArray[np.integer]) -> NDArray[np.float32]:
        """A score for each candidate: the weighted mean of what the parts that speak to the user say; at least 0.

        `history` is each user's h. O(candidates × parts).
        """
        known = history / (history + self.half)
        weighed = pool.values @ self.cold.astype(np.float32)
        if (self.warm != self.cold).any():
            lean = pool.values @ (self.warm - self.cold).astype(np.float32)
            weighed = weighed + lean * known.astype(np.float32)[pool.users]
        of_users = self.cold + (self.warm - self.cold) * known[:, None]
        speaking = (of_users * pool.speaks).sum(axis=1)
        return np.asarray(weighed / np.where(speaking > 0, speaking, 1.0).astype(np.float32)[pool.users], np.float32)

    def of(self, history: int) -> NDArray[np.float64]:
        """The weight of each part for one user."""
        return self.cold + (self.warm - self.cold) * (history / (history + self.half))


def calibrated(part: Lists, calibration: Calibration) -> NDArray[np.float32]:
    """The scores of `part` on a scale that parts can be compared on, each list by itself; 0 where there is no entry.

    `spread`: how many standard deviations of the list an entry stands above its last; `range`: the first is 1, the
    last 0; `rank`: as `range`, but by place, whatever the scores. Where all scores are alike each is worth 1.
    """
    listed = part.rows >= 0
    size = listed.sum(axis=1, keepdims=True)
    if calibration == "rank":
        scores = np.where(listed, -np.arange(part.rows.shape[1], dtype=np.float64), 0.0)
    else:
        scores = np.where(listed, part.scores, 0.0).astype(np.float64)
    lowest = np.where(listed, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    above = np.where(listed, scores - lowest, 0.0)
    highest = above.max(axis=1, keepdims=True, initial=0.0)
    scale = highest
    if calibration == "spread":
        mean = above.sum(axis=1, keepdims=True) / np.maximum(size, 1)
        scale = np.sqrt((np.where(listed, above - mean, 0.0) ** 2).sum(axis=1, keepdims=True) / np.maximum(size, 1))
    alike = highest <= ALIKE * np.maximum(np.abs(lowest), 1.0)
    values = np.where(alike, 1.0, above / np.where(alike, 1.0, scale) + TRACE)
    return np.asarray(np.where(listed, values, 0.0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Part:
    """One source's candidates and how much it counts; `cold_weight` None: for everybody the same."""

    name: str
    weight: float
    slate: Slate
    cold_weight: float | None = None


def merge(
    parts: Sequence[Part], *, history: int = 0, half: float = HISTORY_HALF, calibration: Calibration = "spread"
) -> Slate:
    """One slate of every candidate, scored by `Weights.totals`, best first.

    `history` is how many items of this user's are known. `source` is the part that added most. A single source keeps
    its own scores. The same as a `Pool` of one user, in a tenth of the time; O(candidates log candidates).
    """
    parts = [part for part in parts if len(part.slate)]
    if not parts:
        return Slate.empty()
    if len(parts) == 1:
        only = parts[0]
        return Slate(only.slate.rows, only.slate.scores, np.zeros(len(only.slate), np.int16), (only.name,))
    from apps.recommend.engine.merge_loops import merged  # compiled: a second to import

    known = history / (history + half)
    counts = [_weight(part, known) for part in parts]
    rows, total, most = merged(
        np.concatenate([part.slate.rows for part in parts], dtype=np.int32),
        np.concatenate([part.slate.scores for part in parts], dtype=np.float32),
        np.array(list(accumulate(len(part.slate) for part in parts))),
        np.array(counts, dtype=np.float32),
        CALIBRATIONS.index(calibration),
        ALIKE,
        TRACE,
    )
    return Slate(rows, total, most, tuple(part.name for part in parts))


def _weight(part: Part, known: float) -> float:
    """As `Weights.of`, of one part."""
    cold = part.weight if part.cold_weight is None else part.cold_weight
    return cold + (part.weight - cold) * known
