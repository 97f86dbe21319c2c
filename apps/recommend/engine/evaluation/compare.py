"""How sure a difference between two models is: intervals by bootstrap, p-values by flipping signs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
FLIPS = 9_999
EXACT_FLIPS = 13  # so few users have no more than 2^13 ways to flip: all of them are looked at
CONFIDENCE = 0.95
DRAWS_AT_ONCE = 4_000_000  # bounds the memory of a block of resamples

Values = NDArray[np.float64]  # observations x figures
Clusters = NDArray[np.integer]  # whose observation each is


@dataclass(frozen=True)
class Interval:
    """A mean over users, and between which values it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same observations: by how much the first is better, and how likely chance alone does that."""

    difference: Interval
    p_value: float  # two-sided, of flipping the signs of users' differences
    wilcoxon_p: float  # two-sided, Wilcoxon's signed ranks: it asks how often one is better rather than by how much
    wins: int  # users for whom the first is better
    ties: int
    losses: int

    @property
    def sure(self) -> bool:
        """Whether interval and test agree that there is a difference."""
        return (self.difference.low > 0 or self.difference.high < 0) and self.p_value < 1 - CONFIDENCE


def bootstrap_means(
    values: Values, rng: np.random.Generator, resamples: int = RESAMPLES, clusters: Clusters | None = None
) -> Values:
    """Means of each column of `values` over `resamples` samples of the users, with replacement.

    With `clusters` (the user of each observation) whole users are drawn, with all their observations: several from
    one user are not independent. Without, each observation is a user of its own.

    Shape (resamples, figures). All columns see the same samples, so that columns may be subtracted: what comes
    out is a paired bootstrap of the difference. O(resamples x users).
    """
    sums, sizes = _by_cluster(values, clusters)
    n_users = len(sums)
    columns = np.column_stack([sums, sizes])
    means = np.empty((resamples, values.shape[1]))
    block = max(1, DRAWS_AT_ONCE // n_users)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(n_users, size=(size, n_users), dtype=np.int64)
        drawn += np.arange(size)[:, None] * n_users
        times = np.bincount(drawn.ravel(), minlength=size * n_users).reshape(size, n_users)
        totals = times @ columns
        means[start : start + size] = totals[:, :-1] / totals[:, -1:]
    return means


def intervals(
    values: Values, rng: np.random.Generator, resamples: int = RESAMPLES, clusters: Clusters | None = None
) -> list[Interval]:
    """The mean of each column of `values` with its percentile interval; see `bootstrap_means`."""
    return percentiles(values.mean(axis=0), bootstrap_means(values, rng, resamples, clusters))


def percentiles(means: NDArray[np.float64], resampled: Values) -> list[Interval]:
    """An interval for each of `means` out of what resampling made of them (resamples x figures)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return [Interval(float(m), float(a), float(b)) for m, a, b in zip(means, low, high, strict=True)]


def paired_tests(
    differences: Values,
    rng: np.random.Generator,
    clusters: Clusters | None = None,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
) -> list[PairedTest]:
    """Ours minus theirs on the same observations, for each column: interval, p-values, and who won how often."""
    found = intervals(differences, rng, resamples, clusters)
    sums, _ = _by_cluster(differences, clusters)
    chances = sign_flip_p_values(differences, rng, clusters, flips)
    return [
        PairedTest(
            difference=interval,
            p_value=float(chance),
            wilcoxon_p=_wilcoxon(column),
            wins=int((column > 0).sum()),
            ties=int((column == 0).sum()),
            losses=int((column < 0).sum()),
        )
        for interval, chance, column in zip(found, chances, sums.T, strict=True)
    ]


def sign_flip_p_values(
    differences: Values, rng: np.random.Generator, clusters: Clusters | None = None, flips: int = FLIPS
) -> NDArray[np.float64]:
    """Two-sided p-value of each column's sum being as far from zero as it is, were signs of users' sums chance.

    Exact for few users; otherwise by `flips` random flips, the observed one counted in, so never 0. Users without
    any difference say nothing and cost nothing. O(flips x users).
    """
    sums, _ = _by_cluster(differences, clusters)
    sums = sums[(sums != 0).any(axis=1)]
    if not len(sums):
        return np.ones(differences.shape[1])
    exact = len(sums) <= EXACT_FLIPS and 2 ** len(sums) <= flips
    observed = np.abs(sums.sum(axis=0)) * (1 - 1e-12)  # the same sum in another order may differ in its last digit
    as_far = np.zeros(differences.shape[1])
    for signs in _all_signs(len(sums)) if exact else _random_signs(len(sums), rng, flips):
        as_far += (np.abs(signs @ sums) >= observed).sum(axis=0)
    if exact:
        return np.asarray(as_far / 2 ** len(sums), dtype=np.float64)
    return np.asarray((as_far + 1) / (flips + 1), dtype=np.float64)


def _by_cluster(values: Values, clusters: Clusters | None) -> tuple[Values, NDArray[np.float64]]:
    """The sum of each user's observations, and how many there are."""
    if clusters is None:
        return values, np.ones(len(values))
    users, places = np.unique(clusters, return_inverse=True)
    if len(users) == len(values):
        return values, np.ones(len(values))
    sums = np.stack([np.bincount(places, column, len(users)) for column in values.T], axis=1)
    return np.asarray(sums, dtype=np.float64), np.bincount(places, minlength=len(users)).astype(np.float64)


def _all_signs(n_users: int) -> Iterator[Values]:
    flips = np.arange(2**n_users)[:, None] >> np.arange(n_users) & 1
    yield np.asarray(1 - 2 * flips, dtype=np.float64)


def _random_signs(n_users: int, rng: np.random.Generator, flips: int) -> Iterator[Values]:
    block = max(1, DRAWS_AT_ONCE // n_users)
    for start in range(0, flips, block):
        size = min(block, flips - start)
        bits = np.unpackbits(np.frombuffer(rng.bytes((size * n_users + 7) // 8), np.uint8), count=size * n_users)
        yield np.asarray(1.0 - 2.0 * bits, dtype=np.float64).reshape(size, n_users)


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    from scipy.stats import wilcoxon  # half a second to import, and only reports ask

    different = differences[differences != 0]
    if not len(different):
        return 1.0
    few = len(different) <= 20 and len(np.unique(np.abs(different))) == len(different)
    return float(wilcoxon(different, method="exact" if few else "approx").pvalue)
