"""Matrix factorisation of implicit feedback by alternating least squares, regularised by frequency.

S. Rendle, W. Krichene, L. Zhang, Y. Koren: Revisiting the Performance of iALS on Item Recommendation Benchmarks,
RecSys 2022. The loss is sum of c_ui (x_u y_i - 1)^2 over observed pairs + w sum of (x_u y_i)^2 over all pairs + sum of
r (n_u + w items)^v |x_u|^2 over users + the same over items, n being the sum of a user's or item's c.
"""

import os
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.fold_in import Floats, FoldInModel
from apps.recommend.engine.products import unit_rows
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Interactions, Items


@dataclass(frozen=True, eq=False)
class IalsModel(FoldInModel):
    """Item factors; `gram` is the unobserved weight times their inner products, without regularisation."""

    regularization: float
    unobserved: float  # what all the pairs of a user that are not observed weigh together
    exponent: float
    weight_power: float

    def beyond_and_liked(self, weights: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        beyond = _confidence(weights, self.weight_power)
        return beyond, np.where(weights > 0, beyond, 0.0)

    def ridge(self, beyond: Floats) -> NDArray[np.float64]:
        return _ridge(beyond, self.regularization, self.unobserved, self.exponent)

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "factors": self.factors,
            "unit_factors": self.unit_factors,
            "gram": self.gram,
            "settings": np.array([self.regularization, self.unobserved, self.exponent, self.weight_power]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            arrays["item_ids"],
            arrays["factors"],
            arrays["unit_factors"],
            arrays["gram"],
            *(float(value) for value in arrays["settings"]),
        )


def _confidence(weights: Floats, power: float) -> NDArray[np.float64]:
    """How much an observed pair counts; 0 for a weight of 0, whatever the power."""
    size = np.abs(weights.astype(np.float64))
    return np.where(size > 0, size**power, 0.0)


def _ridge(observed: Floats, regularization: float, unobserved: float, exponent: float) -> NDArray[np.float64]:
    """regularization * (observed + unobserved) ** exponent: the paper's scaling by frequency."""
    return np.asarray(regularization * (observed.astype(np.float64) + unobserved) ** exponent)


@ALGORITHMS.register("ials")
class Ials:
    """Learns what users have in common, like `als`, but pulls frequent users and items harder towards zero."""

    class Config(ComponentConfig):
        factors: Annotated[int, Between(16, 256, log=True)] = Field(default=64, ge=1, le=2048)
        """Length of the item vectors."""
        regularization: Annotated[float, Between(0.0001, 0.1, log=True)] = Field(default=0.003, gt=0)
        """Pull of all factors towards zero."""
        unobserved_weight: Annotated[float, Between(0.003, 1.0, log=True)] = Field(default=0.1, gt=0)
        """What a pair that was not observed counts, beside an observed one of weight 1."""
        exponent: float = Field(default=0.5, ge=0, le=2)
        """How regularisation grows with frequency: 0 not at all, 1 in proportion."""
        weight_power: Annotated[float, Between(0.0, 1.0)] = Field(default=0.5, ge=0, le=1)
        """An observed pair counts its event weight to this power: 0 all alike, 1 in proportion."""
        iterations: int = Field(default=16, ge=1)
        """Passes over users and items."""
        solver_steps: int = Field(default=3, ge=1)
        """Steps towards the best factors of each user and item in each pass."""
        init_scale: float = Field(default=0.1, gt=0)
        """Standard deviation of the factors' length at the start."""
        num_threads: int = Field(default=0, ge=0)
        """Threads for training; 0: one a core. The result does not depend on it."""

    Model = IalsModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> IalsModel:
        """Each pass costs O(pairs d + (users + items) d^2); memory is that of the matrix and the factors, twice."""
        from threadpoolctl import threadpool_limits

        matrix = interactions.matrix()
        present = np.flatnonzero(matrix.getnnz(axis=0))
        if not len(present):
            raise NotEnoughData("user-item pairs with positive weight", 0, 1)
        matrix = matrix[np.flatnonzero(matrix.getnnz(axis=1))][:, present].tocsr()
        matrix.data = _confidence(matrix.data, self.config.weight_power).astype(np.float32)
        config = self.config
        scale = config.init_scale / np.sqrt(config.factors)
        start = rng.standard_normal((len(present), config.factors)) * scale
        with threadpool_limits(1, "blas"):  # the solver has threads of its own
            factors = self._alternate(matrix, start.astype(np.float32))
        return IalsModel(
            item_ids=interactions.item_ids[present],
            factors=factors,
            unit_factors=unit_rows(factors),
            gram=config.unobserved_weight * _gram(factors),
            regularization=config.regularization,
            unobserved=config.unobserved_weight * len(present),
            exponent=config.exponent,
            weight_power=config.weight_power,
        )

    def _alternate(self, by_user: sparse.csr_matrix, of_items: NDArray[np.float32]) -> NDArray[np.float32]:
        """Item factors after all passes."""
        by_item = by_user.T.tocsr()
        of_users = np.zeros((by_user.shape[0], of_items.shape[1]), dtype=np.float32)
        for done in range(self.config.iterations):
            of_users = self._improved(of_users, by_user, of_items)
            of_items = self._improved(of_items, by_item, of_users)
            report("ials", done + 1, self.config.iterations)
        return of_items

    def _improved(
        self, factors: NDArray[np.float32], matrix: sparse.csr_matrix, fixed: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Better `factors` of the rows of `matrix` for the `fixed` ones of its columns."""
        from apps.recommend.engine.conjugate_gradients import improved  # compiled, and serving never trains

        config = self.config
        return improved(
            factors,
            matrix,
            liked=matrix.data,
            factors=fixed,
            gram=config.unobserved_weight * _gram(fixed),
            ridge=_ridge(
                np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel(),
                config.regularization,
                config.unobserved_weight * len(fixed),
                config.exponent,
            ),
            steps=config.solver_steps,
            num_threads=config.num_threads or os.cpu_count() or 1,
        )


def _gram(factors: NDArray[np.float32]) -> NDArray[np.float64]:
    return (factors.T @ factors).astype(np.float64)
