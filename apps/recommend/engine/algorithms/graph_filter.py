"""Graph filters: a history is a signal on the graph of items, which is smoothed and then sharpened; nothing is trained.

Y. Shen et al.: How Powerful is Graph Convolution for Recommendation?, CIKM 2021 (GF-CF: sharpening 0).
J. Choi et al.: Blurring-Sharpening Process Models for Collaborative Filtering, SIGIR 2023 (BSPM).
"""

from dataclasses import dataclass
from math import factorial
from typing import Annotated, Self

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
from apps.recommend.engine.tuning.ranges import Between, OneOf
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Scores

SIGNALS = 64  # filtered together: their values for all users and items fit a processor's cache
ORDER = 4  # of the Runge-Kutta step that sharpens


@dataclass(frozen=True, eq=False)
class GraphFilterModel:
    """Scores a history x by (x P + w x D⁻ᵇ V Vᵀ Dᵇ) q(P), where P = NᵀN.

    N are the users' normalised histories (users x items), V its first right singular vectors, D the items' degrees;
    q is the polynomial that sharpens. One history costs O(entries of N) for each power of P in q.
    """

    item_ids: NDArray[np.int64]
    by_user: sparse.csr_matrix  # N
    by_item: sparse.csr_matrix  # its transpose
    inward: NDArray[np.float32]  # items x dimensions: D⁻ᵇ V
    outward: NDArray[np.float32]  # dimensions x items: w Vᵀ Dᵇ q(P)
    polynomial: NDArray[np.float64]  # coefficients of q, from that of P⁰

    def score(self, query: Query, rows: Rows) -> Scores:
        evidence = query.evidence
        if not len(evidence):
            return unknown(rows)
        return np.asarray(self.score_batch(_signals(evidence, len(self.item_ids)))[0, rows], dtype=np.float32)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN for empty rows."""
        scores = np.empty(histories.shape, dtype=np.float32)
        for first in range(0, histories.shape[0], SIGNALS):
            some = histories[first : first + SIGNALS]
            smooth = (self.by_item @ np.asarray((self.by_user @ some.T).todense(), dtype=np.float32)).T
            scores[first : first + SIGNALS] = _powers(self.polynomial, smooth, self.by_user, self.by_item)
        scores += np.asarray(histories @ self.inward, dtype=np.float32) @ self.outward
        scores[np.diff(histories.indptr) == 0] = np.nan
        return scores

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        """One filtered signal for each of `rows`, so the cost grows with them and not with the evidence."""
        evidence = query.evidence
        parts = np.zeros((len(rows), len(evidence)), dtype=np.float32)
        if len(evidence) and len(rows):
            of_rows = sparse.csr_matrix(
                (np.ones(len(rows), np.float32), (np.arange(len(rows)), rows)), shape=(len(rows), len(self.item_ids))
            )
            smooth = np.asarray((of_rows @ self.by_item @ self.by_user).todense(), dtype=np.float32)  # P is symmetric
            sharp = _powers(self.polynomial, smooth, self.by_user, self.by_item)
            low_pass = self.inward[evidence.rows] @ self.outward[:, rows]
            parts[:] = (sharp[:, evidence.rows] + low_pass.T) * evidence.weights
        return parts

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "inward": self.inward,
            "outward": self.outward,
            "polynomial": self.polynomial,
            **{f"by_user_{part}": getattr(self.by_user, part) for part in ("data", "indices", "indptr")},
            **{f"by_item_{part}": getattr(self.by_item, part) for part in ("data", "indices", "indptr")},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        n_items, n_users = len(arrays["item_ids"]), len(arrays["by_user_indptr"]) - 1

        def matrix(name: str, shape: tuple[int, int]) -> sparse.csr_matrix:
            return sparse.csr_matrix(tuple(arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr")), shape)

        return cls(
            item_ids=arrays["item_ids"],
            by_user=matrix("by_user", (n_users, n_items)),
            by_item=matrix("by_item", (n_items, n_users)),
            inward=arrays["inward"],
            outward=arrays["outward"],
            polynomial=arrays["polynomial"],
        )


@ALGORITHMS.register("graph_filter")
class GraphFilter:
    """What users of the same items want, smoothed over the whole graph and corrected for what everybody wants.

    Choi et al. solve dy/dt = -y P from 0 to `sharpening` by one Runge-Kutta step of order 4, as is done here.
    """

    class Config(ComponentConfig):
        dimensions: Annotated[int, Between(32, 512, log=True)] = Field(default=256, ge=0, le=2048)
        """Singular vectors of the ideal low-pass filter."""
        low_pass: Annotated[float, Between(0.05, 1.0, log=True)] = Field(default=0.3, ge=0)
        """Weight of the ideal low-pass filter beside the linear one."""
        sharpening: Annotated[float, Between(0.0, 3.0)] = Field(default=0.0, ge=0, le=4)
        """How long the smoothed signal is sharpened again (T_s); 0: not at all. More of it lifts rare tastes."""
        user_exponent: float = Field(default=0.5, ge=0, le=1)
        """Users' entries are divided by this power of their degree: more of it trusts users of few items more."""
        item_exponent: float = Field(default=0.5, ge=0, le=1)
        """Items' entries are divided by this power of their degree: more of it holds popular items back."""
        iterations: int = Field(default=4, ge=1, le=100)
        """Power iterations of the randomised decomposition. More come closer to the exact singular vectors; fewer let
        vectors beyond the last one in, which softens the cut-off and did no harm where it was measured."""
        binary: Annotated[bool, OneOf(True, False)] = False
        """Whether every pair of user and item counts the same, however much the events weigh."""

    Model = GraphFilterModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> GraphFilterModel:
        """O(entries x dimensions), and as much again for each power of P where there is sharpening."""
        config = self.config
        wanted = interactions.matrix()
        present = np.flatnonzero(wanted.getnnz(axis=0))
        if not len(present):
            raise NotEnoughData("user-item pairs with positive weight", 0, 1)
        wanted = wanted[np.flatnonzero(wanted.getnnz(axis=1))][:, present]
        if config.binary:
            wanted.data[:] = 1.0
        of_users = np.asarray(wanted.sum(axis=1)).ravel() ** -config.user_exponent
        degrees = np.asarray(wanted.sum(axis=0)).ravel() ** config.item_exponent
        by_user = (sparse.diags(of_users) @ wanted @ sparse.diags(1 / degrees)).astype(np.float32).tocsr()
        by_item = by_user.T.tocsr()
        report("graph_filter", 1, 3)
        vectors = self._singular_vectors(by_user, rng)
        report("graph_filter", 2, 3)
        time = config.sharpening
        polynomial = np.array([(-time) ** power / factorial(power) for power in range(ORDER + 1 if time else 1)])
        outward = config.low_pass * vectors * degrees.astype(np.float32)
        report("graph_filter", 3, 3)
        return GraphFilterModel(
            item_ids=interactions.item_ids[present],
            by_user=by_user,
            by_item=by_item,
            inward=np.ascontiguousarray((vectors / degrees).T, dtype=np.float32),
            outward=np.ascontiguousarray(_powers(polynomial, outward, by_user, by_item), dtype=np.float32),
            polynomial=polynomial,
        )

    def _singular_vectors(self, by_user: sparse.csr_matrix, rng: np.random.Generator) -> NDArray[np.float32]:
        """The first right singular vectors, dimensions x items; fewer where there are fewer."""
        from sklearn.utils.extmath import randomized_svd  # slow to import, and serving never trains

        dimensions = min(self.config.dimensions, *by_user.shape)
        if not dimensions or not self.config.low_pass:
            return np.zeros((0, by_user.shape[1]), dtype=np.float32)
        seed = int(rng.integers(2**31))
        return np.asarray(
            randomized_svd(by_user, dimensions, n_oversamples=64, n_iter=self.config.iterations, random_state=seed)[2],
            dtype=np.float32,
        )


def _powers(
    polynomial: NDArray[np.float64],
    signals: NDArray[np.float32],
    by_user: sparse.csr_matrix,
    by_item: sparse.csr_matrix,
) -> NDArray[np.float32]:
    """Each row of `signals` times q(P), by Horner's rule."""
    result = np.empty(signals.shape, dtype=np.float32)
    for first in range(0, len(signals), SIGNALS):
        some = np.ascontiguousarray(signals[first : first + SIGNALS].T)
        total = np.float32(polynomial[-1]) * some
        for coefficient in polynomial[-2::-1]:
            total = by_item @ (by_user @ total)
            total += np.float32(coefficient) * some
        result[first : first + SIGNALS] = total.T
    return result


def _signals(evidence: Evidence, n_items: int) -> sparse.csr_matrix:
    """One row: the summed weights of the evidence by item."""
    places = (np.zeros(len(evidence), np.int32), evidence.rows)
    return sparse.csr_matrix((evidence.weights, places), shape=(1, n_items), dtype=np.float32)
