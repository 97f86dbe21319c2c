"""Random walks of three steps, item to user to item, that avoid what is popular.

B. Paudel, F. Christoffel, C. Newell, A. Bernstein: Updatable, Accurate, Diverse, and Scalable Recommendations for
Interactive Applications, ACM TiiS 7(1), 2017: RP3beta.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.co_occurrence import sparse_products, wanted_by_unit
from apps.recommend.engine.item_links import ItemLinksModel, Links
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between, OneOf
from apps.recommend.engine.types import Interactions, Items

TRACE = 1e-12  # steps less likely than this are not taken: their products would underflow


@ALGORITHMS.register("rp3beta")
class Rp3Beta:
    """Likelihood of a walk from an item over those who wanted it to another item, lowered for popular ones."""

    class Config(ComponentConfig):
        unit: Literal["user", "session"] = "user"
        """What a walk passes through: users, or single sessions or invoices."""
        events: tuple[str, ...] | None = None
        """Canonical event types to learn from, such as ["purchase"]. None: all that carry taste."""
        alpha: Annotated[float, Between(0.2, 2.0)] = Field(default=0.7, ge=0, le=4)
        """Power that each step's probability is raised to; below 1, strong links count for less."""
        beta: Annotated[float, Between(0.0, 1.0)] = Field(default=0.3, ge=0, le=2)
        """How much popular items are held back: links are divided by the item's popularity to this power."""
        neighbours: Annotated[int, Between(50, 800, log=True)] = Field(default=200, ge=1)
        """Links kept for each item."""
        normalise: Annotated[bool, OneOf(False, True)] = False
        """Divide the links kept for each item by their sum."""

    Model = ItemLinksModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ItemLinksModel:
        """O(products of the co-occurrence matrix); memory is bounded by blocks."""
        config = self.config
        wanted, item_ids = wanted_by_unit(interactions, config.unit, config.events)
        by_item = wanted.T.tocsr()
        links = self._walks(
            _steps(by_item, config.alpha), _steps(wanted, config.alpha), _total(by_item) ** -config.beta
        )
        model = ItemLinksModel.strongest(item_ids, links, config.neighbours)
        if not config.normalise:
            return model
        totals = model.weights.sum(axis=1, keepdims=True)
        shares = np.divide(model.weights, totals, out=np.zeros_like(model.weights), where=totals > 0)
        return ItemLinksModel(item_ids, model.neighbours, shares)

    def _walks(
        self, to_units: sparse.csr_matrix, to_items: sparse.csr_matrix, held_back: NDArray[np.float64]
    ) -> Iterator[Links]:
        for _, row, products in sparse_products(to_units, to_items, "rp3beta"):
            column = products.indices
            keep = column != row
            value = (products.data * held_back[column]).astype(np.float32)
            yield row[keep], column[keep], value[keep]


def _total(rows: sparse.csr_matrix) -> NDArray[np.float64]:
    return np.asarray(rows.sum(axis=1, dtype=np.float64)).ravel()


def _steps(rows: sparse.csr_matrix, power: float) -> sparse.csr_matrix:
    """Probability of each step from a row in proportion to its entries, to `power`. Float32."""
    chances = rows.data / np.repeat(_total(rows), np.diff(rows.indptr))
    chances[chances < TRACE] = 0.0
    steps = sparse.csr_matrix(
        ((chances**power).astype(np.float32), rows.indices, rows.indptr), shape=rows.shape, copy=True
    )
    steps.data[chances == 0] = 0.0
    steps.eliminate_zeros()
    return steps
