"""Models that keep item factors only and find a user's vector by weighted least squares when asked: ALS and its kin.

For a history that says of item i how much it counts, `beyond_i` >= 0, and how far it pulls, `liked_i` >= 0, the
vector is the x with (gram + ridge I + sum of beyond_i f_i f_i^T) x = sum of liked_i f_i, f_i being the factors of i.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from apps.recommend.engine.products import cosine_contributions, direction, inner_products, unknown
from apps.recommend.engine.protocols import Question
from apps.recommend.engine.types import Evidence, Query, Rows, Scores

SYSTEM_NUMBERS = 1_000_000  # numbers in the equations solved at once: they stay near the processor's cache
PADDING = 1.15  # histories solved at once differ in length by at most this factor

Floats = NDArray[np.floating]


class Solver:
    """Solves the equation above for many histories over the same factors.

    In the basis in which `gram` is diagonal, D, a history of n items shorter than d needs a system of n equations
    only (push-through identity): x = D^-1 F^T z with (I + B F D^-1 F^T) z = liked, B = diag(beyond). Building it
    costs O(d^3 + items d^2), a history O(n^2 d + n^3) or O(n d^2 + d^3), whichever is less. Works in float32.
    """

    def __init__(self, factors: NDArray[np.float32], gram: Floats) -> None:
        spectrum, basis = np.linalg.eigh(gram.astype(np.float64))
        self._spectrum = np.maximum(spectrum, 0).astype(np.float32)
        self._basis = basis.astype(np.float32)
        self._factors = factors @ self._basis

    def solve(self, rows: sparse.csr_matrix, liked: Floats, ridge: Floats) -> NDArray[np.float32]:
        """A vector for each row, float32, zero for empty rows.

        `rows` holds `beyond` by factor row, `liked` is in the order of `rows.data`; `ridge` has one entry a row and
        makes the equation solvable.
        """
        result = np.zeros((rows.shape[0], self._factors.shape[1]), dtype=np.float32)
        for chosen in self._chunks(np.diff(rows.indptr)):
            result[chosen] = self._solved(rows, liked, ridge, chosen)
        return np.asarray(result @ self._basis.T)

    def _chunks(self, lengths: NDArray[np.integer]) -> list[NDArray[np.intp]]:
        """Non-empty rows grouped by similar length, so that padding them costs little; the longest first."""
        order = np.argsort(-lengths, kind="stable")
        order = order[: int(np.count_nonzero(lengths))]
        sizes = lengths[order]
        width = self._factors.shape[1]
        chunks = []
        start = 0
        while start < len(order):
            longest = int(sizes[start])
            fits = max(1, SYSTEM_NUMBERS // (longest * width + min(longest, width) ** 2))
            similar = int(np.searchsorted(-sizes, -longest / PADDING, side="right"))
            end = min(start + fits, max(similar, start + 1))
            chunks.append(order[start:end])
            start = end
        return chunks

    def _solved(
        self, rows: sparse.csr_matrix, liked: Floats, ridge: Floats, chosen: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        first, size = rows.indptr[chosen], np.diff(rows.indptr)[chosen]
        longest = int(size.max())
        place = np.arange(longest)
        real = place < size[:, None]
        entry = np.where(real, first[:, None] + place, 0)
        beyond = np.where(real, rows.data[entry], 0).astype(np.float32)
        wanted = np.where(real, liked[entry], 0).astype(np.float32)
        factors = self._factors.take(rows.indices[entry], axis=0)  # padding has factors, but no weight
        diagonal = self._spectrum + ridge[chosen, None].astype(np.float32)
        if longest < self._factors.shape[1]:
            factors *= (1 / np.sqrt(diagonal))[:, None, :]
            system = factors @ factors.transpose(0, 2, 1)
            system *= beyond[:, :, None]
            system[:, place, place] += 1
            weights = np.linalg.solve(system, wanted[:, :, None])
            return np.asarray((weights.transpose(0, 2, 1) @ factors)[:, 0] / np.sqrt(diagonal))
        pulled = (wanted[:, None, :] @ factors)[:, 0]
        system = (factors.transpose(0, 2, 1) * beyond[:, None, :]) @ factors
        every = np.arange(factors.shape[2])
        system[:, every, every] += diagonal
        return np.asarray(np.linalg.solve(system, pulled[:, :, None])[:, :, 0])


@dataclass(frozen=True, eq=False)
class FoldInModel(ABC):
    """Item factors only: a user is folded in from their history when asked for, so nobody needs a retraining."""

    item_ids: NDArray[np.int64]
    factors: NDArray[np.float32]
    unit_factors: NDArray[np.float32]
    gram: NDArray[np.float64]  # what every user's equation has on its left side

    @abstractmethod
    def beyond_and_liked(self, weights: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What evidence of these summed weights, one an item, says: see above. Negative: not wanted, `liked` 0."""

    @abstractmethod
    def ridge(self, beyond: Floats) -> NDArray[np.float64]:
        """Regularisation of histories whose `beyond` sum up to these, beside what `gram` holds of it."""

    def score(self, query: Query, rows: Rows) -> Scores:
        vector = self.query_vector(query)
        if vector is None:
            return unknown(rows)
        return inner_products(self.unit_factors if len(query.seeds) else self.factors, vector, rows)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN for empty rows."""
        scores = self.user_vectors(histories) @ self.factors.T
        scores[np.diff(histories.indptr) == 0] = np.nan
        return scores

    def user_vectors(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """A vector for each row of `histories`, float32; zero for empty rows."""
        beyond, liked = self.beyond_and_liked(histories.data)
        rows = sparse.csr_matrix((beyond, histories.indices, histories.indptr), shape=histories.shape)
        return self._solver.solve(rows, liked, self.ridge(np.asarray(rows.sum(axis=1)).ravel()))

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        if len(query.seeds):
            return cosine_contributions(self.unit_factors, query.seeds, rows)
        evidence = query.history
        if not len(evidence):
            return np.zeros((len(rows), 0), dtype=np.float32)
        items, inverse, weights = _merged(evidence)
        beyond, liked = self.beyond_and_liked(weights)
        factors = self.factors[items].astype(np.float64)
        system = self._system(factors, beyond)
        # Hu, Koren and Volinsky, section 5: a score is a sum over the history, in a metric of this user's own.
        of_items = self.factors[rows] @ _solved(system, (factors * liked[:, None]).T)
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
        beyond, liked = self.beyond_and_liked(weights)
        factors = np.ascontiguousarray(self.factors[items], np.float32)
        if len(items) > factors.shape[1]:
            wide = factors.astype(np.float64)
            return _solved(self._system(wide, beyond), liked @ wide).astype(np.float32)
        from apps.recommend.engine.fold_in_loops import folded  # compiled: a second to import

        return np.asarray(folded(factors, *self._eigen, beyond, liked, self.ridge(beyond.sum(keepdims=True))))

    def prepare(self) -> None:
        """Take `gram` apart now, so that no request waits for it. O(d^3)."""
        _ = self._eigen

    def _system(self, factors: NDArray[np.float64], beyond: NDArray[np.float64]) -> NDArray[np.float64]:
        """Left side of the equation for a history of items with these factors."""
        system = self.gram + (factors.T * beyond) @ factors
        system.reshape(-1)[:: len(system) + 1] += self.ridge(beyond.sum(keepdims=True))
        return system

    @cached_property
    def _eigen(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The eigenvectors of `gram`, one a column, and its eigenvalues, none below 0."""
        spectrum, basis = np.linalg.eigh(self.gram.astype(np.float64))
        return np.ascontiguousarray(basis), np.maximum(spectrum, 0)

    @cached_property
    def _solver(self) -> Solver:
        return Solver(self.factors, self.gram)


def _solved(system: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """`system`, symmetric and positive definite, solved by Cholesky. Half the time of `solve`.

    What rounding has left not quite definite is solved as any other system.
    """
    # A symmetric matrix is its own transpose: LAPACK reads it in its own order, without a copy.
    _, solution, fault = lapack.dposv(system.T, right)
    return np.asarray(np.linalg.solve(system, right) if fault else solution)


def _merged(evidence: Evidence) -> tuple[Rows, NDArray[np.intp] | slice, NDArray[np.float64]]:
    """The different items of `evidence`, which of them each entry is, and their summed weights."""
    if len(set(evidence.rows.tolist())) == len(evidence):
        return evidence.rows, slice(None), evidence.weights.astype(np.float64)
    items, inverse = np.unique(evidence.rows, return_inverse=True)
    return items, inverse, np.bincount(inverse, evidence.weights, minlength=len(items)).astype(np.float64)
