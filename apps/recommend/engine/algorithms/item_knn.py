"""Item neighbourhoods: items that the same users, or the same sessions, wanted.

G. Linden, B. Smith, J. York: Amazon.com Recommendations, IEEE Internet Computing 7(1), 2003.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.item_links import ItemLinksModel, Links
from apps.recommend.engine.progress import report
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Interactions, Items

BLOCK_PRODUCTS = 20_000_000  # multiplications a block: bounds the memory of a block at about half a gigabyte
TRACE = 1e-6  # entries below this share of an item's vector are dropped: their products would underflow


@ALGORITHMS.register("item_knn")
class ItemKnn:
    """Cosine similarity of items over the users or sessions that wanted them."""

    class Config(ComponentConfig):
        unit: Literal["user", "session"] = "user"
        """What two items must share: a user, or one session or invoice of theirs."""
        events: tuple[str, ...] | None = None
        """Canonical event types to learn from, such as ["purchase"]. None: all that carry taste."""
        neighbours: int = Field(default=100, ge=1)
        """Nearest items kept for each item."""
        shrinkage: float = Field(default=1.0, ge=0)
        """Similarities are multiplied by n / (n + shrinkage), n being the units the two items share."""
        weighting: Literal["cosine", "tfidf", "bm25"] = "tfidf"
        """How event weights become vector entries; tfidf and bm25 trust users of few items more."""
        min_support: int = Field(default=2, ge=1)
        """Items that share fewer units than this are no neighbours."""

    Model = ItemLinksModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemLinksModel:
        if self.config.events is not None:
            interactions = interactions.select(interactions.of_types(self.config.events))
        wanted = _units_by_items(interactions, self.config.unit)
        present = np.flatnonzero(wanted.getnnz(axis=0))
        if not len(present):
            wanted_types = " or ".join(self.config.events) if self.config.events else "taste"
            raise NotEnoughData(f"{wanted_types} events with positive weight", 0, 1)
        vectors = _unit_vectors(_weighed(wanted[:, present].T.tocsr(), self.config.weighting))
        return ItemLinksModel.strongest(interactions.item_ids[present], self._similar(vectors), self.config.neighbours)

    def _similar(self, vectors: sparse.csr_matrix) -> Iterator[Links]:
        """How similar items are, for a block of items at a time."""
        transposed = vectors.T.tocsr()
        for first, last in _blocks(vectors):
            block = vectors[first:last]
            products = block @ transposed
            row = (np.repeat(np.arange(last - first), np.diff(products.indptr)) + first).astype(np.int32)
            column, value = products.indices, products.data
            keep = column != row
            if self.config.shrinkage or self.config.min_support > 1:
                # The same sparsity pattern gives the same order of entries.
                shared = (_ones(block) @ _ones(transposed)).data
                value = value * (shared / (shared + np.float32(self.config.shrinkage)))
                keep &= shared >= self.config.min_support
            yield row[keep], column[keep], value[keep]
            report("item_knn", last, vectors.shape[0])


def _units_by_items(interactions: Interactions, unit: Literal["user", "session"]) -> sparse.csr_matrix:
    if unit == "user":
        return interactions.matrix()
    grouped = interactions.sessions >= 0
    # Sessions first, then the users of the events that have none.
    units = np.where(grouped, interactions.sessions, interactions.sessions.max(initial=-1) + 1 + interactions.users)
    shape = (int(units.max(initial=-1)) + 1, interactions.n_items)
    matrix = sparse.csr_matrix((interactions.weights(), (units, interactions.items)), shape=shape, dtype=np.float32)
    matrix.data[matrix.data < 0] = 0.0
    matrix.eliminate_zeros()
    return matrix


def _weighed(vectors: sparse.csr_matrix, weighting: Literal["cosine", "tfidf", "bm25"]) -> sparse.csr_matrix:
    """Items x units with entries that compare well."""
    if weighting == "cosine":
        return vectors
    n_items = vectors.shape[0]
    rarity = np.log((1 + n_items) / (1 + np.bincount(vectors.indices, minlength=vectors.shape[1]))) + 1
    data = vectors.data.astype(np.float64)
    if weighting == "tfidf":
        data = np.sqrt(data)
    else:
        lengths = np.asarray(vectors.sum(axis=1)).ravel()
        k1, b = 1.2, 0.75
        relative = np.repeat(lengths / lengths.mean(), np.diff(vectors.indptr))
        data = data * (k1 + 1) / (data + k1 * (1 - b + b * relative))
    data = data * rarity[vectors.indices]
    return sparse.csr_matrix((data, vectors.indices, vectors.indptr), shape=vectors.shape)


def _unit_vectors(vectors: sparse.csr_matrix) -> sparse.csr_matrix:
    squares = vectors.data.astype(np.float64) ** 2
    lengths = np.sqrt(np.add.reduceat(squares, vectors.indptr[:-1]))
    data = (vectors.data / np.repeat(lengths, np.diff(vectors.indptr))).astype(np.float32)
    units = sparse.csr_matrix((data, vectors.indices, vectors.indptr), shape=vectors.shape)
    units.data[units.data < TRACE] = 0.0
    units.eliminate_zeros()
    return units


def _ones(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _blocks(vectors: sparse.csr_matrix) -> Iterator[tuple[int, int]]:
    """Ranges of items whose products cost about BLOCK_PRODUCTS each."""
    per_unit = np.bincount(vectors.indices, minlength=vectors.shape[1])
    costs = np.cumsum(np.add.reduceat(per_unit[vectors.indices].astype(np.int64), vectors.indptr[:-1]))
    first = 0
    while first < len(costs):
        spent = costs[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(costs, spent + BLOCK_PRODUCTS)))
        yield first, last
        first = last
