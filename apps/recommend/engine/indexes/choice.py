"""Which index a catalog of a given size deserves, and how good one is."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.indexes.exact_index import ExactIndex
from apps.recommend.engine.protocols import Index

# One core, 64 factors: computing everything takes 0.2 ms for 50,000 items and 5 ms for 500,000; Annoy 0.5 ms
# for either, but finds only most of the best. Below this size there is nothing to gain.
ANNOY_FROM = 100_000


def choose(n_items: int) -> Literal["exact", "annoy"]:
    """The name of the index for so many items."""
    return "annoy" if n_items >= ANNOY_FROM else "exact"


def recall(index: Index, vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int) -> float:
    """Which share of the `k` exact best of each query `index` finds, on average over `queries` (one a row)."""
    exact = ExactIndex(vectors)
    shares = []
    for query in queries:
        truth, _ = exact.search(query, k)
        found, _ = index.search(query, k)
        shares.append(len(np.intersect1d(truth, found)) / max(len(truth), 1))
    return float(np.mean(shares))
