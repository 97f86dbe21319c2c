"""Matrix factorisation of implicit feedback by alternating least squares.

Y. Hu, Y. Koren, C. Volinsky: Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import cosine_contributions, direction, inner_products, unit_rows, unknown
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Arrays, Question
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Scores

SYSTEM_NUMBERS = 8_000_000  # numbers in the equations solved at once: bounds their memory at 64 MB


@dataclass(frozen=True, eq=False)
class AlsModel:
    """Item factors only: a user is folded in from their history when asked for, so nobody needs a retraining."""

    item_ids: NDArray[np.int64]
    factors: NDArray[np.float32]
    unit_factors: NDArray[np.float32]
    gram: NDArray[np.float64]  # factors.T @ factors + regularization on the diagonal
    alpha: float

    def score(self, query: Query, rows: Rows) -> Scores:
        vector = self.query_vector(query)
        if vector is None:
            return unknown(rows)
        return inner_products(self.unit_factors if len(query.seeds) else self.factors, vector, rows)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN for empty rows."""
        users = np.empty((histories.shape[0], len(self.gram)), dtype=np.float32)
        at_once = max(1, SYSTEM_NUMBERS // self.gram.size)
        for first in range(0, len(users), at_once):
            users[first : first + at_once] = self._folded_in(histories[first : first + at_once])
        scores = np.asarray(users @ self.factors.T, dtype=np.float32)
        scores[np.diff(histories.indptr) == 0] = np.nan
        return scores

    def _folded_in(self, histories: sparse.csr_matrix) -> NDArray[np.float64]:
        """A vector for each row of `histories`, by equation 4."""
        systems = np.empty((histories.shape[0], *self.gram.shape))
        wanted = np.empty((histories.shape[0], len(self.gram)))
        for user in range(histories.shape[0]):
            mine = slice(histories.indptr[user], histories.indptr[user + 1])
            systems[user], liked, factors = self._system(histories.indices[mine], histories.data[mine])
            wanted[user] = liked @ factors
        return np.asarray(np.linalg.solve(systems, wanted[:, :, None])[:, :, 0])

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        if len(query.seeds):
            return cosine_contributions(self.unit_factors, query.seeds, rows)
        evidence = query.history
        if not len(evidence):
            return np.zeros((len(rows), 0), dtype=np.float32)
        items, inverse, weights = _merged(evidence)
        system, liked, factors = self._system(items, weights)
        # Section 5 of the paper: a score is a sum over the history, in a metric of this user's own.
        of_items = self.factors[rows] @ np.linalg.solve(system, (factors * liked[:, None]).T)
        share = np.divide(evidence.weights, weights[inverse], out=np.zeros(len(evidence)), where=weights[inverse] > 0)
        return np.asarray(of_items[:, inverse] * share, dtype=np.float32)

    def vectors(self, question: Question) -> NDArray[np.float32]:
        return self.unit_factors if question == "seeds" else self.factors

    def query_vector(self, query: Query) -> NDArray[np.float32] | None:
        if len(query.seeds):
            return direction(self.unit_factors, query.seeds)
        if not len(query.history):
            return None
        items, _, weights = _merged(query.history)
        system, liked, factors = self._system(items, weights)
        return np.asarray(np.linalg.solve(system, liked @ factors), dtype=np.float32)

    def _system(
        self, items: Rows, weights: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Left side of equation 4, the confidence of each item that is liked (0: disliked), the items' factors.

        An item whose weight is not positive is one the user is known not to want: preference 0, but surer than
        for an item they never met.
        """
        factors = self.factors[items].astype(np.float64)
        beyond = self.alpha * np.abs(weights.astype(np.float64))  # confidence beyond the 1 that every item has
        system = self.gram + (factors.T * beyond) @ factors
        return system, np.where(weights > 0, 1 + beyond, 0.0), factors

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "factors": self.factors,
            "unit_factors": self.unit_factors,
            "gram": self.gram,
            "alpha": np.array([self.alpha]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            item_ids=arrays["item_ids"],
            factors=arrays["factors"],
            unit_factors=arrays["unit_factors"],
            gram=arrays["gram"],
            alpha=float(arrays["alpha"][0]),
        )


def _merged(evidence: Evidence) -> tuple[Rows, NDArray[np.intp], NDArray[np.float64]]:
    """The different items of `evidence`, which of them each entry is, and their summed weights."""
    items, inverse = np.unique(evidence.rows, return_inverse=True)
    return items, inverse, np.bincount(inverse, evidence.weights, minlength=len(items)).astype(np.float64)


@ALGORITHMS.register("als")
class Als:
    """Learns what users have in common: a vector for each item, so that users are sums over what they did."""

    class Config(ComponentConfig):
        factors: int = Field(default=64, ge=1, le=1024)
        """Length of the item vectors."""
        regularization: float = Field(default=1.0, gt=0)
        """Pull of all factors towards zero; more of it for fewer data."""
        alpha: float = Field(default=0.5, gt=0)
        """Confidence added by each unit of event weight."""
        iterations: int = Field(default=15, ge=1)
        """Passes over users and items."""
        num_threads: int = Field(default=0, ge=0)
        """Threads for training; 0: one a core. The result does not depend on it."""

    Model = AlsModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> AlsModel:
        from implicit.cpu.als import AlternatingLeastSquares  # heavy, and serving never trains
        from threadpoolctl import threadpool_limits

        matrix = interactions.matrix()
        present = np.flatnonzero(matrix.getnnz(axis=0))
        if not len(present):
            raise NotEnoughData("user-item pairs with positive weight", 0, 1)
        matrix = matrix[:, present]
        matrix.data = 1 + np.float32(self.config.alpha) * matrix.data
        config = self.config
        with threadpool_limits(1, "blas"):  # implicit has threads of its own
            learner = AlternatingLeastSquares(
                factors=config.factors,
                regularization=config.regularization,
                alpha=1.0,
                iterations=config.iterations,
                num_threads=config.num_threads,
                random_state=int(rng.integers(2**31)),
            )
            learner.fit(
                matrix,
                show_progress=False,
                callback=lambda done, *_: report("als", done + 1, config.iterations),
            )
        factors = np.ascontiguousarray(learner.item_factors, dtype=np.float32)
        wide = factors.astype(np.float64)
        return AlsModel(
            item_ids=interactions.item_ids[present],
            factors=factors,
            unit_factors=unit_rows(factors),
            gram=wide.T @ wide + config.regularization * np.eye(config.factors),
            alpha=config.alpha,
        )
