"""Friends' taste: what the people a user follows, and those they follow in turn, have wanted.

The propagation is that of X. He et al.: LightGCN, SIGIR 2020 (equations 3 and 4): symmetrically normalised, the mean of
all layers, without learned weights. Here it runs over the follow graph and starts from normalised taste.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Follows, Ids, Interactions, Items, Query, Rows, Scores, rows_of, tie_break

BLOCK_ENTRIES = 5_000_000  # entries the products of a block of users may have: about 150 MB


@dataclass(frozen=True, eq=False)
class SocialModel:
    """The best items of everybody who follows somebody, by user. It answers who asks, whatever their history."""

    wants_user: ClassVar[Literal[True]] = True

    item_ids: NDArray[np.int64]
    user_ids: Ids  # ascending
    ends: NDArray[np.int64]  # user u's items are items[ends[u] : ends[u + 1]]
    items: Rows
    scores: NDArray[np.float32]

    def score(self, query: Query, rows: Rows) -> Scores:
        """As promised by `Model`: NaN for a user unknown or who follows nobody, and for all questions with seeds."""
        found = np.full(len(self.item_ids), np.nan, dtype=np.float32)
        if not len(query.seeds):
            self._tell(query.user, found)
        return found[rows]

    def score_users(self, user_ids: Ids, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each of `user_ids`, users x items, NaN as in `score`. Histories play no part."""
        found = np.full((len(user_ids), len(self.item_ids)), np.nan, dtype=np.float32)
        for user, scores in zip(user_ids.tolist(), found, strict=True):
            self._tell(user, scores)
        return found

    def _tell(self, user_id: int, scores: Scores) -> None:
        """Write the user's scores over `scores`, which is over all items."""
        row = int(np.searchsorted(self.user_ids, user_id))
        if row < len(self.user_ids) and self.user_ids[row] == user_id:
            mine = slice(self.ends[row], self.ends[row + 1])
            scores[self.items[mine]] = self.scores[mine]

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        return np.zeros((len(rows), len(query.evidence)), dtype=np.float32)

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "user_ids": self.user_ids,
            "ends": self.ends,
            "items": self.items,
            "scores": self.scores,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(**arrays)


@ALGORITHMS.register("social")
class Social:
    """Carries taste along the follow graph: a new user who follows somebody gets a list of their own at once."""

    class Config(ComponentConfig):
        layers: Annotated[int, Between(1, 3)] = Field(default=2, ge=1, le=4)
        """How many steps taste travels: 1 is from those a user follows, 2 also from those whom they follow."""
        items: int = Field(default=200, ge=1)
        """Best items kept for each user who follows somebody."""

    Model = SocialModel
    collaborative = True
    reads_texts = False
    reads_follows = True

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> SocialModel:
        """As promised by `Algorithm`. O(users x those within `layers` steps x their items), in blocks of users."""
        follows = interactions.follows
        if follows is None or not len(follows):
            raise NotEnoughData("follows", 0, 1)
        matrix = interactions.matrix()
        present = np.flatnonzero(matrix.getnnz(axis=0))
        if not len(present):
            raise NotEnoughData("user-item pairs with positive weight", 0, 1)
        people, graph = _graph(follows)
        if not graph.nnz:
            raise NotEnoughData("follows of somebody else", 0, 1)
        taste = _taste_of(people, interactions.user_ids, _normalised(matrix[:, present]))
        asking = np.flatnonzero(np.diff(graph.indptr))
        parts = []
        for block in _blocks(graph, taste, asking, self.config.layers):
            reached = layer = graph[block]
            for _ in range(self.config.layers - 1):
                layer = layer @ graph
                reached = reached + layer
            # Where follows go round in a circle, taste comes back to whose it is: that tells them nothing new.
            reached.data[reached.indices == np.repeat(block, np.diff(reached.indptr))] = 0
            parts.append(_best((reached @ taste).tocsr() / self.config.layers, self.config.items))
            report("social", int(np.searchsorted(asking, block[-1])) + 1, len(asking))
        sizes = np.concatenate([part[0] for part in parts])
        told = sizes > 0
        if not told.any():
            raise NotEnoughData("users who follow somebody with a taste", 0, 1)
        return SocialModel(
            item_ids=interactions.item_ids[present],
            user_ids=people[asking[told]],
            ends=np.concatenate([[0], np.cumsum(sizes[told])]).astype(np.int64),
            items=np.concatenate([part[1] for part in parts]),
            scores=np.concatenate([part[2] for part in parts]),
        )


def _graph(follows: Follows) -> tuple[Ids, sparse.csr_matrix]:
    """Everybody in the follow graph, ascending, and the graph: followers x followed, normalised."""
    others = follows.followers != follows.followed
    people, rows = np.unique(np.concatenate([follows.followers[others], follows.followed[others]]), return_inverse=True)
    followers, followed = np.split(rows, 2)
    graph = sparse.csr_matrix((np.ones(len(followers)), (followers, followed)), shape=(len(people), len(people)))
    graph.data[:] = 1  # who follows twice follows once
    return people, _normalised(graph)


def _taste_of(people: Ids, user_ids: Ids, taste: sparse.csr_matrix) -> sparse.csr_matrix:
    """The rows of `taste`, which are of `user_ids`, for `people`; empty for those without events."""
    rows = rows_of(user_ids, people)
    known = np.flatnonzero(rows >= 0)
    picked = (np.ones(len(known)), (known, rows[known]))
    return sparse.csr_matrix(sparse.csr_matrix(picked, shape=(len(people), len(user_ids))) @ taste)


def _normalised(graph: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each entry divided by the root of its row's and of its column's sum. Float64."""
    graph = graph.astype(np.float64)
    sums = [np.asarray(graph.sum(axis=axis)).ravel() for axis in (1, 0)]
    by_row, by_column = (sparse.diags_array(1 / np.sqrt(np.where(one > 0, one, 1))) for one in sums)
    return sparse.csr_matrix(by_row @ graph @ by_column)


def _blocks(
    graph: sparse.csr_matrix, taste: sparse.csr_matrix, rows: NDArray[np.int64], layers: int
) -> Iterator[NDArray[np.int64]]:
    """Runs of `rows` from which about BLOCK_ENTRIES people and items can be reached."""
    steps = sparse.csr_matrix((np.ones_like(graph.data), graph.indices, graph.indptr), shape=graph.shape)
    paths = np.column_stack([np.ones(graph.shape[0]), np.diff(taste.indptr)])  # to people, to items
    reached = np.zeros_like(paths)
    for _ in range(layers):
        paths = steps @ paths
        reached += paths
    entries = np.minimum(reached, taste.shape).sum(axis=1)[rows]
    number = np.cumsum(entries) // BLOCK_ENTRIES
    yield from np.split(rows, np.flatnonzero(np.diff(number)) + 1)


def _best(scores: sparse.csr_matrix, count: int) -> tuple[NDArray[np.int64], Rows, Scores]:
    """Of each row its `count` largest entries above 0: how many, and their columns and values, row after row."""
    values, sizes = scores.data.astype(np.float32), np.diff(scores.indptr)
    bounds = np.full(len(sizes), np.finfo(np.float32).tiny, dtype=np.float32)
    for user in np.flatnonzero(sizes > count):  # what is below the bound of its row is out before anything is sorted
        one = values[scores.indptr[user] : scores.indptr[user + 1]]
        bounds[user] = max(bounds[user], np.partition(one, len(one) - count)[len(one) - count])
    left = np.flatnonzero(values >= np.repeat(bounds, sizes))
    row, columns, values = np.repeat(np.arange(len(sizes)), sizes)[left], scores.indices[left], values[left]
    order = np.lexsort((tie_break(columns), -values, row))
    rank = np.arange(len(order)) - np.searchsorted(row, row)  # rows ascend, so sorting leaves them where they are
    kept = order[rank < count]
    return np.bincount(row[kept], minlength=len(sizes)), columns[kept].astype(np.int32), values[kept]
