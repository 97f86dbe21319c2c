"""Which index a catalog of a given size deserves, and how good one is."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.indexes.exact_index import exact_best, share_found
from apps.recommend.engine.products import Stored
from apps.recommend.engine.protocols import Index

Kind = Literal["lists", "annoy"]

# One core of a busy machine, the best 250 of clustered vectors whose lengths differ widely (64) or not at all (384), µs
# for a search and the share of the exact best 50 in it:
#
#     vectors            exact      lists
#        50,000 x 64      1,500        130 (.99)
#     1,000,000 x 64     26,000        300 (.97)
#        50,000 x 384    30,000        340 (.99)
#     1,000,000 x 384   400,000      1,000 (.96)
#
# An idle one takes half to a third of that. Below so many numbers in all the exact search takes less than 100 there,
# and an index has little to gain.
INDEXED_FROM = 1_000_000


def choose(n_items: int, dimensions: int) -> Literal["exact", "lists"]:
    """The name of the index for so many vectors. Annoy's comes in where lists find too little; see `model_indexes`."""
    return "lists" if n_items * dimensions >= INDEXED_FROM else "exact"


def recall(index: Index, vectors: Stored, queries: NDArray[np.float32], k: int) -> float:
    """Which share of the `k` exact best of each query `index` finds, on average over `queries` (one a row)."""
    return share_found(exact_best(vectors, queries, k), [index.search(query, k)[0] for query in queries])
