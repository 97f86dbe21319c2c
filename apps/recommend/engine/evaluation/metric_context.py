"""What metrics may know beside the lists: popularity, histories, categories, all over the split's items."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.evaluation.splits import Split
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.types import Interactions, Items


def context_of(
    split: Split,
    histories: sparse.csr_matrix,
    *,
    n_items: int,
    items: Items | None = None,
    vectors: NDArray[np.float32] | None = None,
) -> MetricContext:
    """The context of metrics on `split`; `histories` is what `ranking.histories` gives for its tested users.

    `items` (any rows: joined by id) brings categories; without it, or where no item is in any, there are none.
    `vectors` has one row an item of `split.train.item_ids`. O(training events).
    """
    return MetricContext(
        popularity=popularity_of(split.train),
        histories=histories,
        n_items=n_items,
        categories=None if items is None else categories_of(split.train, items),
        vectors=vectors,
    )


def popularity_of(train: Interactions) -> NDArray[np.float64]:
    """Share of the users with a positive taste event who had one with each item; all 0 where there is no such user."""
    liked = train.weights() > 0
    pairs = np.unique(train.users[liked].astype(np.int64) * train.n_items + train.items[liked])
    counts = np.bincount(pairs % max(train.n_items, 1), minlength=train.n_items)
    return np.asarray(counts / max(len(np.unique(train.users[liked])), 1), dtype=np.float64)


def categories_of(train: Interactions, items: Items) -> sparse.csr_matrix | None:
    """`items.categories` over the rows of `train.item_ids`; None where none of these items is in a category."""
    rows = items.rows_of(train.item_ids)
    found = np.flatnonzero(rows >= 0)
    places = sparse.csr_matrix(
        (np.ones(len(found), np.float32), (found, rows[found])), shape=(train.n_items, len(items))
    )
    categories = (places @ items.categories).tocsr()
    return categories if categories.nnz else None
