"""Matrix factorisation of implicit feedback by alternating least squares.

Y. Hu, Y. Koren, C. Volinsky: Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.
"""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

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
class AlsModel(FoldInModel):
    """Item factors; `gram` is their inner products plus the regularisation on the diagonal."""

    alpha: float

    def beyond_and_liked(self, weights: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Confidence beyond the 1 that every item has, and confidence (equation 4).

        An item whose weight is not positive is one the user is known not to want: preference 0, but surer than
        for an item they never met.
        """
        beyond = self.alpha * np.abs(weights.astype(np.float64))
        return beyond, np.where(weights > 0, 1 + beyond, 0.0)

    def ridge(self, beyond: Floats) -> NDArray[np.float64]:
        return np.zeros(len(beyond))

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


@ALGORITHMS.register("als")
class Als:
    """Learns what users have in common: a vector for each item, so that users are sums over what they did."""

    class Config(ComponentConfig):
        factors: Annotated[int, Between(16, 256, log=True)] = Field(default=64, ge=1, le=1024)
        """Length of the item vectors."""
        regularization: Annotated[float, Between(0.01, 30.0, log=True)] = Field(default=1.0, gt=0)
        """Pull of all factors towards zero; more of it for fewer data."""
        alpha: Annotated[float, Between(0.05, 20.0, log=True)] = Field(default=0.5, gt=0)
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
