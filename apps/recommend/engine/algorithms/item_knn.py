"""Item neighbourhoods: items that the same users, or the same sessions, wanted.

G. Linden, B. Smith, J. York: Amazon.com Recommendations, IEEE Internet Computing 7(1), 2003.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import unknown
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Interactions, Items, Query, Rows, Scores, tie_break

BLOCK_PRODUCTS = 20_000_000  # multiplications a block: bounds the memory of a block at about half a gigabyte
TRACE = 1e-6  # entries below this share of an item's vector are dropped: their products would underflow


@dataclass(frozen=True, eq=False)
class ItemKnnModel:
    """The nearest items of each item, best first; rows are padded with -1 and similarity 0."""

    item_ids: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    similarities: NDArray[np.float32]

    def score(self, query: Query, rows: Rows) -> Scores:
        evidence = query.evidence
        if not len(evidence):
            return unknown(rows)
        near = self.neighbours[evidence.rows]
        linked = near >= 0
        said = (self.similarities[evidence.rows] * evidence.weights[:, None])[linked]
        targets = near[linked]
        scores = np.bincount(targets, said, minlength=len(self.item_ids)).astype(np.float32)
        silent = np.ones(len(self.item_ids), dtype=bool)
        silent[targets] = False
        scores[silent] = np.nan
        return scores[rows]

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN: no link."""
        scores = np.full(histories.shape, np.nan, dtype=np.float32)
        sums = (histories @ self._graph).tocoo()
        scores[sums.row, sums.col] = sums.data
        return scores

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        evidence = query.evidence
        asked, inverse = np.unique(rows, return_inverse=True)
        parts = np.zeros((len(asked), len(evidence)), dtype=np.float32)
        if len(evidence) and len(asked):
            near = self.neighbours[evidence.rows]
            said = self.similarities[evidence.rows] * evidence.weights[:, None]
            places = np.minimum(np.searchsorted(asked, near), len(asked) - 1)
            piece, neighbour = np.nonzero(asked[places] == near)
            parts[places[piece, neighbour], piece] = said[piece, neighbour]
        return parts[inverse]

    @cached_property
    def _graph(self) -> sparse.csr_matrix:
        linked = self.neighbours >= 0
        starts = np.concatenate([[0], np.cumsum(linked.sum(axis=1))])
        shape = (len(self.item_ids), len(self.item_ids))
        return sparse.csr_matrix((self.similarities[linked], self.neighbours[linked], starts), shape=shape)

    def to_arrays(self) -> Arrays:
        return {"item_ids": self.item_ids, "neighbours": self.neighbours, "similarities": self.similarities}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(arrays["item_ids"], arrays["neighbours"], arrays["similarities"])


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

    Model = ItemKnnModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemKnnModel:
        if self.config.events is not None:
            interactions = interactions.select(interactions.of_types(self.config.events))
        wanted = _units_by_items(interactions, self.config.unit)
        present = np.flatnonzero(wanted.getnnz(axis=0))
        if not len(present):
            wanted_types = " or ".join(self.config.events) if self.config.events else "taste"
            raise NotEnoughData(f"{wanted_types} events with positive weight", 0, 1)
        vectors = _unit_vectors(_weighed(wanted[:, present].T.tocsr(), self.config.weighting))
        transposed = vectors.T.tocsr()
        size = len(present)
        neighbours = np.full((size, self.config.neighbours), -1, dtype=np.int32)
        similarities = np.zeros((size, self.config.neighbours), dtype=np.float32)
        for first, last in _blocks(vectors):
            row, column, value = self._similar(vectors, transposed, first, last)
            rank = np.arange(len(row)) - np.searchsorted(row, row)  # place within the row
            kept = rank < self.config.neighbours
            neighbours[row[kept], rank[kept]] = column[kept]
            similarities[row[kept], rank[kept]] = value[kept]
            report("item_knn", last, size)
        width = max(1, int((neighbours >= 0).sum(axis=1).max()))
        return ItemKnnModel(
            interactions.item_ids[present],
            np.ascontiguousarray(neighbours[:, :width]),
            np.ascontiguousarray(similarities[:, :width]),
        )

    def _similar(
        self, vectors: sparse.csr_matrix, transposed: sparse.csr_matrix, first: int, last: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """(item, other item, similarity) of the items from `first` to `last`, by item, most similar first."""
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
        row, column, value = row[keep], column[keep], value[keep]
        order = np.lexsort((tie_break(column), -value, row))
        return row[order], column[order], value[order]


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
