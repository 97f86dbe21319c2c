"""EASE and EDLAE as links from item to item: which solver, how much memory, which links are kept."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.item_links import ItemLinksModel, links_of_rows
from apps.recommend.engine.neighbourhoods import links_of_matrix, local_ridge, nearest_items, regressions
from apps.recommend.engine.progress import report
from apps.recommend.engine.ridge import bytes_needed, exact, smaller_side
from apps.recommend.engine.symmetric_tiles import Dense
from apps.recommend.engine.tuning.ranges import OneOf
from apps.recommend.engine.types import Ids


class RidgeConfig(ComponentConfig):
    """What EASE and EDLAE have in common."""

    binary: Annotated[bool, OneOf(True, False)] = True
    """Whether all that a user wanted counts 1. Otherwise event weights count, divided by their mean."""
    keep: int = Field(default=200, ge=1)
    """Links kept for each item: those of largest weight."""
    solver: Literal["auto", "primal", "dual", "neighbourhood"] = "auto"
    """primal inverts a matrix of items x items, dual one of users x users: both exact. neighbourhood is an
    approximation that explains each item by the items near it alone. auto takes the smaller exact one that fits."""
    memory_gb: float = Field(default=4.0, gt=0)
    """What auto may use for an exact solution, in gigabytes."""
    neighbourhood: int = Field(default=300, ge=1)
    """Items that explain each item when the solver is neighbourhood."""
    num_threads: int = Field(default=0, ge=0)
    """Threads for neighbourhoods; 0: one a core. The result does not depend on it."""


def ridge_links(
    matrix: sparse.csr_matrix, item_ids: Ids, ridge: NDArray[np.float64], config: RidgeConfig, what: str
) -> ItemLinksModel:
    """The strongest weights of each item of `matrix` (users x items, no empty row or column).

    What is kept are the largest weights of each *row* of B. On a data set of 41,000 items NDCG@20 with 200 of them was
    .1485, against .1466 with all weights; on subsets of it, 200 by absolute value or for each column were worse.
    Costs as `exact` and `ItemWeights.blocks` do, or for neighbourhoods O(items neighbourhood³).
    """
    solver = config.solver
    if solver == "auto":
        form = smaller_side(matrix)
        solver = form if bytes_needed(matrix, form) <= config.memory_gb * 1e9 else "neighbourhood"
    if solver == "neighbourhood":
        near = nearest_items(matrix, config.neighbourhood, what)
        weights = regressions(matrix, near, local_ridge(ridge), what, config.num_threads)
        return ItemLinksModel.strongest(item_ids, links_of_matrix(weights), config.keep)
    blocks = exact(matrix, ridge, solver, what).blocks()
    links = links_of_rows(_reported(blocks, matrix.shape[1], f"{what}: links"), config.keep)
    return ItemLinksModel.strongest(item_ids, links, config.keep)


def _reported(blocks: Iterator[tuple[int, int, Dense]], total: int, what: str) -> Iterator[tuple[int, int, Dense]]:
    for first, last, rows in blocks:
        report(what, last, total)
        yield first, last, rows
