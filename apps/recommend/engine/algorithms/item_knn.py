"""Item neighbourhoods: items that the same users, or the same sessions, wanted.

G. Linden, B. Smith, J. York: Amazon.com Recommendations, IEEE Internet Computing 7(1), 2003.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.co_occurrence import ones, sparse_products, unit_vectors, wanted_by_unit
from apps.recommend.engine.item_links import ItemLinksModel, Links
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between, OneOf
from apps.recommend.engine.types import Interactions, Items, Query, Rows, Scores, tie_break

CROWD = 4  # an item may be among the nearest of this many times as many items as it has nearest ones itself


@dataclass(frozen=True, eq=False)
class ItemKnnModel(ItemLinksModel):
    """Links, and what is added to each item's score for a history of mean absolute weight 1: empty for nothing.

    With a bias every item has a score as soon as there is evidence.
    """

    bias: NDArray[np.float32]

    def score(self, query: Query, rows: Rows) -> Scores:
        scores = super().score(query, rows)
        if len(self.bias) and len(query.evidence):
            scores = np.nan_to_num(scores, nan=0.0) + self.bias[rows] * np.abs(query.evidence.weights).mean()
        return np.asarray(scores, dtype=np.float32)

    def best_rows(self, query: Query, limit: int) -> tuple[Rows, Scores]:
        rows, scores = super().best_rows(query, limit)
        if not len(self.bias) or not len(query.evidence):
            return rows, scores
        # Among the items without a link the bias alone decides: so many of the highest cannot all be linked.
        rows = np.union1d(rows, self._by_bias[: limit + len(rows)])
        return rows, self.score(query, rows)

    @cached_property
    def _by_bias(self) -> NDArray[np.int32]:
        rows = np.arange(len(self.bias), dtype=np.int32)
        return rows[np.lexsort((tie_break(rows), -self.bias))]

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        scores = super().score_batch(histories)
        if len(self.bias):
            lengths = np.diff(histories.indptr)
            told = np.flatnonzero(lengths)
            mean = np.asarray(abs(histories).sum(axis=1)).ravel()[told] / lengths[told]
            scores[told] = np.nan_to_num(scores[told], nan=0.0) + mean[:, None] * self.bias
        return scores

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        parts = super().contributions(query, rows)
        if len(self.bias) and len(query.evidence):
            parts += self.bias[rows][:, None] * (np.abs(query.evidence.weights) / len(query.evidence))
        return parts

    def to_arrays(self) -> Arrays:
        return {**super().to_arrays(), "bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        nothing = np.empty(0, np.float32)  # models of earlier versions have none
        return cls(arrays["item_ids"], arrays["neighbours"], arrays["weights"], arrays.get("bias", nothing))


@ALGORITHMS.register("item_knn")
class ItemKnn:
    """Cosine similarity of items over the users or sessions that wanted them."""

    class Config(ComponentConfig):
        unit: Literal["user", "session"] = "user"
        """What two items must share: a user, or one session or invoice of theirs."""
        events: tuple[str, ...] | None = None
        """Canonical event types to learn from, such as ["purchase"]. None: all that carry taste."""
        neighbours: Annotated[int, Between(20, 400, log=True)] = Field(default=100, ge=1)
        """Nearest items kept for each item."""
        nearest_to: Annotated[Literal["evidence", "candidate"], OneOf("evidence", "candidate")] = "evidence"
        """Whose nearest items are kept: those of an item that a user had, or those of an item to recommend."""
        share: Annotated[bool, OneOf(False, True)] = False
        """Divide the similarities kept for each item by their sum."""
        popularity_bias: Annotated[bool, OneOf(False, True)] = False
        """Add how far an item is more wanted than the items near it."""
        shrinkage: Annotated[float, Between(0.1, 100.0, log=True)] = Field(default=1.0, ge=0)
        """Similarities are multiplied by n / (n + shrinkage), n being the units the two items share."""
        weighting: Annotated[Literal["cosine", "tfidf", "bm25"], OneOf("cosine", "tfidf", "bm25")] = "tfidf"
        """How event weights become vector entries; tfidf and bm25 trust users of few items more."""
        min_support: int = Field(default=2, ge=1)
        """Items that share fewer units than this are no neighbours."""

    Model = ItemKnnModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemKnnModel:
        config = self.config
        wanted, item_ids = wanted_by_unit(interactions, config.unit, config.events)
        vectors = unit_vectors(_weighed(wanted.T.tocsr(), config.weighting))
        links = ItemLinksModel.strongest(item_ids, self._similar(vectors), config.neighbours)
        near, weights = links.neighbours, links.weights
        if config.share:
            totals = weights.sum(axis=1, keepdims=True)
            weights = np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0)
        bias = np.empty(0, np.float32)
        if config.popularity_bias:
            units = max(int(np.count_nonzero(wanted.getnnz(axis=1))), 1)
            popular = np.bincount(wanted.indices, minlength=len(item_ids)) / units
            bias = (popular - (weights * popular[near]).sum(axis=1)).astype(np.float32)  # padding weighs 0
        if config.nearest_to == "candidate":
            candidate, place = np.nonzero(near >= 0)
            turned = near[candidate, place], candidate.astype(np.int32), weights[candidate, place]
            links = ItemLinksModel.strongest(item_ids, [turned], CROWD * config.neighbours)
            near, weights = links.neighbours, links.weights
        return ItemKnnModel(item_ids, near, weights, bias)

    def _similar(self, vectors: sparse.csr_matrix) -> Iterator[Links]:
        """How similar items are, for a block of items at a time."""
        transposed = vectors.T.tocsr()
        pattern = ones(transposed)
        for block, row, products in sparse_products(vectors, transposed, "item_knn"):
            column, value = products.indices, products.data
            keep = column != row
            if self.config.shrinkage or self.config.min_support > 1:
                # The same sparsity pattern gives the same order of entries.
                shared = (ones(vectors[block]) @ pattern).data
                value = value * (shared / (shared + np.float32(self.config.shrinkage)))
                keep &= shared >= self.config.min_support
            yield row[keep], column[keep], value[keep]


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
