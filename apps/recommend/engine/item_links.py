"""Models that are a weighted link from item to item, whatever learned the links: kNN, EASE, SLIM, random walks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.link_loops import reached
from apps.recommend.engine.products import unknown
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.scratch import counting, scratch
from apps.recommend.engine.types import Query, Rows, Scores, tie_break

Links = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]  # from, to, weight: one entry a link

TRACE = 1e-7  # weights this near to 0 are rounding


@dataclass(frozen=True, eq=False)
class ItemLinksModel:
    """The strongest links from each item, best first; rows are padded with -1 and weight 0.

    An item's score is the sum of the links from the evidence to it, each times the evidence's weight; NaN where no
    link leads. Weights may be negative.
    """

    item_ids: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def strongest(cls, item_ids: NDArray[np.int64], blocks: Iterable[Links], width: int) -> Self:
        """The `width` links of largest weight from each item, out of blocks of links in any order.

        All links from one item must be in one block. O(links log links) for each block, but only one sort of numbers.
        """
        size = len(item_ids)
        neighbours = np.full((size, width), -1, dtype=np.int32)
        weights = np.zeros((size, width), dtype=np.float32)
        for origin, target, weight in blocks:
            strong = _at_least_the_last_kept(origin, weight, width)
            origin, target, weight = origin[strong], target[strong], weight[strong]
            order = np.lexsort((tie_break(target), -weight, origin))
            origin, target, weight = origin[order], target[order], weight[order]
            rank = np.arange(len(origin)) - np.searchsorted(origin, origin)  # place among the links from one item
            kept = rank < width
            neighbours[origin[kept], rank[kept]] = target[kept]
            weights[origin[kept], rank[kept]] = weight[kept]
        widest = max(1, int((neighbours >= 0).sum(axis=1).max(initial=0)))
        return cls(item_ids, np.ascontiguousarray(neighbours[:, :widest]), np.ascontiguousarray(weights[:, :widest]))

    def score(self, query: Query, rows: Rows) -> Scores:
        evidence = query.evidence
        if not len(evidence):
            return unknown(rows)
        linked, sums = self._reached(query)
        if not len(linked):
            return unknown(rows)
        places = scratch(len(self.item_ids))
        places[rows] = -1
        places[linked] = counting(len(linked))
        found = places[rows]
        return np.where(found >= 0, sums[found], np.float32(np.nan))

    def best_rows(self, query: Query, limit: int) -> tuple[Rows, Scores]:
        """All rows that links lead to, best or not, and their scores. O(evidence x width), whatever the catalog."""
        return self._reached(query)

    def _reached(self, query: Query) -> tuple[Rows, Scores]:
        evidence, marks = query.evidence, scratch(len(self.item_ids))
        rows, sums = reached(self.neighbours, self.weights, evidence.rows, evidence.weights, marks)
        return rows, sums

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
            said = self.weights[evidence.rows] * evidence.weights[:, None]
            places = np.minimum(np.searchsorted(asked, near), len(asked) - 1)
            piece, neighbour = np.nonzero(asked[places] == near)
            parts[places[piece, neighbour], piece] = said[piece, neighbour]
        return parts[inverse]

    @cached_property
    def _graph(self) -> sparse.csr_matrix:
        linked = self.neighbours >= 0
        starts = np.concatenate([[0], np.cumsum(linked.sum(axis=1))])
        shape = (len(self.item_ids), len(self.item_ids))
        return sparse.csr_matrix((self.weights[linked], self.neighbours[linked], starts), shape=shape)

    def to_arrays(self) -> Arrays:
        return {"item_ids": self.item_ids, "neighbours": self.neighbours, "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(arrays["item_ids"], arrays["neighbours"], arrays["weights"])


def links_of_rows(blocks: Iterable[tuple[int, int, NDArray[np.floating]]], width: int) -> Iterator[Links]:
    """Of dense rows of weights (first, last, rows), the `width` largest in each and ties with the last of them.

    Weights of no more than TRACE either way are no links. O(weights), and a copy of each block.
    """
    for first, _, rows in blocks:
        strong = np.abs(rows) > TRACE
        if rows.shape[1] > width:
            bounds = np.partition(rows, -width, axis=1)[:, [-width]]
            strong &= rows >= bounds
        origin, target = np.nonzero(strong)
        yield (origin + first).astype(np.int32), target.astype(np.int32), rows[origin, target].astype(np.float32)


def _at_least_the_last_kept(
    origin: NDArray[np.int32], weight: NDArray[np.float32], width: int
) -> slice | NDArray[np.bool_]:
    """Which links weigh no less than the `width`-th strongest from the same item: those and ties with it."""
    if len(origin) <= width:
        return slice(None)
    # A float's bits, its sign turned, order as it does: item and weight in one number sort fast, without a permutation.
    bits = (weight.astype(np.float32) + np.float32(0)).view(np.uint32)  # + 0: -0 becomes 0
    bits = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (origin.astype(np.uint64) << np.uint64(32)) | bits
    ordered = np.sort(keys)
    last = np.cumsum(np.bincount(origin))
    first = np.append(0, last[:-1])
    bounds = ordered[np.minimum(np.maximum(last - width, first), len(ordered) - 1)]
    return np.asarray(keys >= bounds[origin])
