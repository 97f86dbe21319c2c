"""The graph filter is what its papers' formulas say, worked out with dense matrices."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.algorithms.graph_filter import GraphFilter, GraphFilterModel
from apps.recommend.engine.algorithms.turbo_cf import TurboCf
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.types import Evidence, Query
from tests import worlds

Dense = NDArray[np.float64]


def fit(interactions: Any, **config: Any) -> GraphFilterModel:
    items = worlds.catalog(interactions.n_items)
    return GraphFilter(GraphFilter.Config(**config)).fit(interactions, items, np.random.default_rng(3))


def by_hand(
    wanted: Dense,
    histories: Dense,
    *,
    dimensions: int,
    low_pass: float,
    sharpening: float,
    a: float = 0.5,
    b: float = 0.5,
) -> Dense:
    """Smooth, add the ideal low-pass filter, then dy/dt = -yP by one step of the Runge-Kutta 3/8 rule."""
    users, items = wanted.sum(axis=1), wanted.sum(axis=0)
    normal = wanted / users[:, None] ** a / items**b
    graph = normal.T @ normal
    vectors = np.linalg.svd(normal)[2][:dimensions]
    ideal = (histories / items**b) @ vectors.T @ vectors * items**b
    y = histories @ graph + low_pass * ideal
    h = sharpening
    k1 = -y @ graph
    k2 = -(y + h / 3 * k1) @ graph
    k3 = -(y + h * (k2 - k1 / 3)) @ graph
    k4 = -(y + h * (k1 - k2 + k3)) @ graph
    return y + h / 8 * (k1 + 3 * k2 + 3 * k3 + k4)


@pytest.fixture(scope="module")
def some_histories(world: worlds.World) -> Dense:
    rng = np.random.default_rng(8)
    return np.where(rng.random((70, world.interactions.n_items)) < 0.1, rng.random((70, 1)) + 0.5, 0.0)


@pytest.mark.parametrize(
    "config",
    [
        {"dimensions": 12, "low_pass": 0.3, "sharpening": 0.0},
        {"dimensions": 12, "low_pass": 0.2, "sharpening": 2.5},
        {"dimensions": 5, "low_pass": 1.0, "sharpening": 1.0},
        {"dimensions": 500, "low_pass": 0.3, "sharpening": 0.5},
    ],
)
def test_scores_are_those_of_dense_matrices(world: worlds.World, some_histories: Dense, config: dict[str, Any]) -> None:
    wanted = world.interactions.matrix().toarray().astype(float)
    model = fit(world.interactions, **config)
    found = model.score_batch(sparse.csr_matrix(some_histories.astype(np.float32)))
    np.testing.assert_allclose(found, by_hand(wanted, some_histories, **config), rtol=2e-3, atol=2e-3)


def test_exponents_and_binary_pairs_are_as_configured(world: worlds.World, some_histories: Dense) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    config = {"dimensions": 8, "low_pass": 0.4, "sharpening": 1.2}
    model = fit(world.interactions, **config, binary=True, user_exponent=0.3, item_exponent=0.6)
    found = model.score_batch(sparse.csr_matrix(some_histories.astype(np.float32)))
    np.testing.assert_allclose(found, by_hand(wanted, some_histories, **config, a=0.3, b=0.6), rtol=2e-3, atol=2e-3)


def test_without_a_low_pass_there_are_no_vectors(world: worlds.World) -> None:
    model = fit(world.interactions, low_pass=0.0)
    assert model.inward.shape[1] == 0
    assert np.isfinite(model.score(Query(history=Evidence.of_rows([1, 2])), np.arange(5, dtype=np.int32))).all()


def test_no_positive_event_is_too_little() -> None:
    with pytest.raises(NotEnoughData):
        fit(worlds.events([(0, 0, worlds.IMPRESSION)], n_users=1, n_items=2))


def test_turbo_cf_links_are_those_of_dense_matrices(world: worlds.World) -> None:
    config = TurboCf.Config(alpha=0.6, power=0.7, neighbours=1000)
    model = TurboCf(config).fit(
        world.interactions, worlds.catalog(world.interactions.n_items), np.random.default_rng(1)
    )
    wanted = world.interactions.matrix().toarray().astype(float)
    normal = wanted / wanted.sum(axis=1, keepdims=True) ** 0.6 / wanted.sum(axis=0) ** 0.4
    expected = (normal.T @ normal) ** 0.7
    np.fill_diagonal(expected, 0)
    found = np.zeros_like(expected)
    for item, (near, weights) in enumerate(zip(model.neighbours, model.weights, strict=True)):
        found[item, near[near >= 0]] = weights[near >= 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
