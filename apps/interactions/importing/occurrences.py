"""Counting how often each key has come before, for millions of keys."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


class Occurrences:
    """Numbers the occurrences of each key: 1 for the first, 2 for the second, …

    Keeps 8 bytes a distinct key (their hashes, in sorted runs) and a dictionary entry only for keys that repeat.
    Two keys with the same 64-bit hash count as one: numbers then skip, but never repeat for one key.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []
        self._repeats: dict[int, int] = {}

    def numbers(self, keys: Sequence[str]) -> list[int]:
        """The occurrence number of each key, in order, counted over all calls."""
        hashes = np.frombuffer(b"".join(_digest(key) for key in keys), dtype=np.uint64)
        distinct, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        known = np.zeros(len(distinct), dtype=bool)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, distinct), len(run) - 1)
            known |= run[at] == distinct
        self._keep(distinct[~known])
        numbers = np.ones(len(hashes), dtype=np.int64)
        for place in np.flatnonzero((known | (counts > 1))[inverse]):
            key = int(hashes[place])
            earlier = self._repeats.get(key, int(known[inverse[place]]))
            numbers[place] = self._repeats[key] = earlier + 1
        return numbers.tolist()  # type: ignore[no-any-return]

    def _keep(self, fresh: Hashes) -> None:
        # Runs at least double in length from the last to the first, so there are few, and each is merged seldom.
        while self._runs and len(self._runs[-1]) < 2 * len(fresh):
            fresh = np.union1d(self._runs.pop(), fresh)
        if len(fresh):
            self._runs.append(fresh)


def _digest(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest()
