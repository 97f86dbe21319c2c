"""What the users with the most similar histories wanted; they are found by locality-sensitive hashing.

A. Broder: On the Resemblance and Containment of Documents, 1997 (MinHash); P. Indyk, R. Motwani: Approximate Nearest
Neighbors, STOC 1998. Two sets have the same minimum under a random order of all items with a chance that is their
Jaccard similarity. With b bands of r such minima each, users of similarity s share a band with chance 1-(1-s^r)^b.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.co_occurrence import unit_vectors, wanted_by_unit
from apps.recommend.engine.products import unknown
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Scores, tie_break

DENSE_NUMBERS = 4_000_000  # numbers in the dense histories looked at together: bounds their memory at 16 MB
PAIRS = 200_000  # user-candidate pairs looked at together
COLUMNS = ("item_ids", "indptr", "indices", "data", "orders", "keys", "users")

Keys = NDArray[np.uint64]
Likeness = tuple[NDArray[np.intp], Rows, NDArray[np.float32]]  # query row, user row, similarity: one entry a pair


@dataclass(frozen=True, eq=False)
class UserKnnModel:
    """Users' histories at length 1, and sorted band keys to find users by; an array for each, so no pickle."""

    item_ids: NDArray[np.int64]
    indptr: NDArray[np.int64]  # histories: users x items, CSR
    indices: NDArray[np.int32]
    data: NDArray[np.float32]
    orders: NDArray[np.uint32]  # items x permutations: place of each item in each random order
    keys: Keys  # bands x users, each band ascending
    users: NDArray[np.int32]  # bands x users: who has the key
    neighbours: int
    candidates: int
    jaccard: bool

    @cached_property
    def _histories(self) -> sparse.csr_matrix:
        shape = (len(self.indptr) - 1, len(self.item_ids))
        return sparse.csr_matrix((self.data, self.indices, self.indptr), shape=shape)

    def score(self, query: Query, rows: Rows) -> Scores:
        if not len(query.evidence):
            return unknown(rows)
        return np.asarray(self.score_batch(self._as_history(query.evidence))[0, rows], dtype=np.float32)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items).

        NaN where no neighbour has the item. O(users (bands log users + candidates x their history)).
        """
        scores = np.full(histories.shape, np.nan, dtype=np.float32)
        asked, user, similarity = self.nearest(histories)
        shape = (histories.shape[0], len(self.indptr) - 1)
        sums = (sparse.csr_matrix((similarity, (asked, user)), shape=shape) @ self._histories).tocoo()
        scores[sums.row, sums.col] = sums.data
        return scores

    def nearest(self, histories: sparse.csr_matrix) -> Likeness:
        """The nearest users of each row of `histories` with similarities above 0, by row, best first."""
        liked = histories.copy()
        liked.data = np.maximum(liked.data, 0)
        liked.eliminate_zeros()
        at_once = max(1, min(DENSE_NUMBERS // len(self.item_ids), PAIRS // self.candidates))
        parts = [self._nearest(liked[first : first + at_once], first) for first in range(0, liked.shape[0], at_once)]
        if not parts:
            return np.empty(0, np.intp), np.empty(0, np.int32), np.empty(0, np.float32)
        asked, user, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
        return asked, user, similarity

    def _nearest(self, liked: sparse.csr_matrix, first: int) -> Likeness:
        asked, user = self._colliding(liked)
        similarity = self._similarity(liked, asked, user)
        keep = similarity > 0
        asked, user, similarity = asked[keep], user[keep], similarity[keep]
        order = np.lexsort((tie_break(user), -similarity, asked))
        asked, user, similarity = asked[order], user[order], similarity[order]
        kept = np.arange(len(asked)) - np.searchsorted(asked, asked) < self.neighbours
        return asked[kept] + first, user[kept], similarity[kept]

    def _colliding(self, liked: sparse.csr_matrix) -> tuple[NDArray[np.intp], Rows]:
        """Users that share a band with each row: those that share the most, `candidates` at most."""
        known = np.flatnonzero(np.diff(liked.indptr))
        if not len(known):
            return np.empty(0, np.intp), np.empty(0, np.int32)
        keys = band_keys(self.orders, liked[known], len(self.keys))
        asked, user = [], []
        for band, key in enumerate(keys):
            start, end = (np.searchsorted(self.keys[band], key, side=side) for side in ("left", "right"))
            count = end - start
            within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
            asked.append(np.repeat(known, count))
            user.append(self.users[band, np.repeat(start, count) + within])
        n_users = len(self.indptr) - 1
        pairs, shared = np.unique(np.concatenate(asked) * n_users + np.concatenate(user), return_counts=True)
        rows, users = pairs // n_users, (pairs % n_users).astype(np.int32)
        order = np.lexsort((tie_break(users), -shared, rows))
        rows, users = rows[order], users[order]
        kept = np.arange(len(rows)) - np.searchsorted(rows, rows) < self.candidates
        return rows[kept], users[kept]

    def _similarity(self, liked: sparse.csr_matrix, asked: NDArray[np.intp], user: Rows) -> NDArray[np.float32]:
        """Exact similarity of each pair, float32."""
        if not len(user):
            return np.empty(0, np.float32)
        dense = liked.toarray()
        start, size = self.indptr[user], np.diff(self.indptr)[user]
        first = np.cumsum(size) - size
        entry = np.repeat(start - first, size) + np.arange(int(size.sum()))
        said = dense[np.repeat(asked, size), self.indices[entry]]
        if self.jaccard:
            both = np.add.reduceat((said > 0).astype(np.float32), first)
            return np.asarray(both / (np.diff(liked.indptr)[asked] + size - both), dtype=np.float32)
        lengths = np.linalg.norm(dense.astype(np.float64), axis=1)[asked]
        return np.asarray(np.add.reduceat(said * self.data[entry], first) / lengths, dtype=np.float32)

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        evidence = query.evidence
        parts = np.zeros((len(rows), len(evidence)), dtype=np.float32)
        if not len(evidence) or not len(rows):
            return parts
        history = self._as_history(evidence)
        _, user, similarity = self.nearest(history)
        theirs = self._histories[user]
        of_items = (sparse.diags_array(similarity) @ theirs)[:, rows]
        # A similarity is a sum over the items that both have: of equal parts (Jaccard) or of products (cosine).
        total = history.toarray()[0]
        common = theirs[:, evidence.rows].toarray()
        share = np.where(evidence.weights > 0, evidence.weights, 0) / _positive_sums(evidence)
        common = ((common > 0) * (total[evidence.rows] > 0) if self.jaccard else common * total[evidence.rows]) * share
        of_evidence = common / np.maximum(common.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return np.asarray(of_items.T @ of_evidence, dtype=np.float32)

    def _as_history(self, evidence: Evidence) -> sparse.csr_matrix:
        """One row of summed weights; negative sums say nothing."""
        shape = (1, len(self.item_ids))
        at = np.zeros(len(evidence), dtype=np.intp)
        return sparse.csr_matrix((evidence.weights, (at, evidence.rows)), shape=shape, dtype=np.float32)

    def to_arrays(self) -> Arrays:
        settings = np.array([self.neighbours, self.candidates, self.jaccard], dtype=np.int64)
        return {name: getattr(self, name) for name in COLUMNS} | {"settings": settings}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        neighbours, candidates, jaccard = (int(value) for value in arrays["settings"])
        columns: dict[str, Any] = {name: arrays[name] for name in COLUMNS}
        return cls(**columns, neighbours=neighbours, candidates=candidates, jaccard=bool(jaccard))


def _positive_sums(evidence: Evidence) -> NDArray[np.float32]:
    """For each entry the sum of the positive weights of its item; 1 where there is none."""
    _, inverse = np.unique(evidence.rows, return_inverse=True)
    sums = np.bincount(inverse, np.maximum(evidence.weights, 0))[inverse]
    return np.where(sums > 0, sums, 1).astype(np.float32)


def band_keys(orders: NDArray[np.uint32], sets: sparse.csr_matrix, bands: int) -> Keys:
    """The key of each of `bands` of each non-empty row of `sets`: shape (bands, rows). Equal minima, equal keys."""
    minima = np.empty((sets.shape[0], orders.shape[1]), dtype=np.uint32)
    at_once = max(1, DENSE_NUMBERS // orders.shape[1] // max(1, int(np.diff(sets.indptr).max(initial=1))))
    for first in range(0, len(minima), at_once):
        part = sets[first : first + at_once]
        minima[first : first + at_once] = np.minimum.reduceat(orders[part.indices], part.indptr[:-1], axis=0)
    keys = np.zeros((sets.shape[0], bands), dtype=np.uint64)
    for place in range(orders.shape[1] // bands):
        keys = tie_break(keys ^ minima[:, place :: orders.shape[1] // bands])  # mixes 64 bits: collisions do not matter
    return np.ascontiguousarray(keys.T)


@ALGORITHMS.register("user_knn")
class UserKnn:
    """What similar users wanted."""

    class Config(ComponentConfig):
        neighbours: Annotated[int, Between(20, 500, log=True)] = Field(default=100, ge=1)
        """Similar users who are asked."""
        similarity: Literal["cosine", "jaccard"] = "cosine"
        """Exact similarity of histories, with event weights or without."""
        threshold: float = Field(default=0.1, gt=0, lt=1)
        """Jaccard similarity from which users should find each other; lower costs more time."""
        permutations: int = Field(default=128, ge=2, le=1024)
        """Random orders of the items, at most; the threshold decides how many of them it takes."""
        candidates: int = Field(default=1000, ge=1)
        """Users whose similarity is computed, at most, for a request."""

    Model = UserKnnModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> UserKnnModel:
        from datasketch import MinHashLSH  # serving never trains

        config = self.config
        wanted, item_ids = wanted_by_unit(interactions)
        wanted = unit_vectors(wanted[np.flatnonzero(np.diff(wanted.indptr))])
        # Neighbours that are missed cost accuracy, others only time.
        layout = MinHashLSH(threshold=config.threshold, num_perm=config.permutations, weights=(0.1, 0.9))
        orders = rng.integers(2**32, size=(len(item_ids), layout.b * layout.r), dtype=np.uint32)
        keys = band_keys(orders, wanted, layout.b)
        users = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
        return UserKnnModel(
            item_ids=item_ids,
            indptr=wanted.indptr.astype(np.int64),
            indices=wanted.indices.astype(np.int32),
            data=wanted.data,
            orders=orders,
            keys=np.take_along_axis(keys, users, axis=1),
            users=users,
            neighbours=config.neighbours,
            candidates=config.candidates,
            jaccard=config.similarity == "jaccard",
        )
