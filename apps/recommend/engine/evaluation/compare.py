"""How sure a difference between two models is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
CONFIDENCE = 0.95
DRAWS_AT_ONCE = 4_000_000  # bounds the memory of a block of resamples


@dataclass(frozen=True)
class Interval:
    """A mean over users, and between which values it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap_means(
    values: NDArray[np.float64], rng: np.random.Generator, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Means of each column of `values` (users x figures) over `resamples` samples of the users, with replacement.

    Shape (resamples, figures). All columns see the same samples, so that columns may be subtracted: what comes
    out is a paired bootstrap of the difference. O(resamples x users).
    """
    n_users = len(values)
    means = np.empty((resamples, values.shape[1]))
    block = max(1, DRAWS_AT_ONCE // n_users)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(n_users, size=(size, n_users), dtype=np.int64)
        drawn += np.arange(size)[:, None] * n_users
        times = np.bincount(drawn.ravel(), minlength=size * n_users).reshape(size, n_users)
        means[start : start + size] = times @ values / n_users
    return means


def intervals(values: NDArray[np.float64], rng: np.random.Generator, resamples: int = RESAMPLES) -> list[Interval]:
    """The mean of each column of `values` (users x figures) with its percentile interval."""
    return _percentiles(values.mean(axis=0), bootstrap_means(values, rng, resamples))


def _percentiles(means: NDArray[np.float64], resampled: NDArray[np.float64]) -> list[Interval]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return [Interval(float(m), float(a), float(b)) for m, a, b in zip(means, low, high, strict=True)]
