"""SLIM against scikit-learn's elastic net, one item at a time."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import ElasticNet

from apps.recommend.engine import neighbourhoods
from apps.recommend.engine.algorithms.slim import Slim
from apps.recommend.engine.item_links import ItemLinksModel
from apps.recommend.engine.neighbourhoods import nearest_items
from apps.recommend.engine.progress import OutOfTime, listening, time_limit
from apps.recommend.engine.types import Interactions
from tests import worlds

Matrix = NDArray[np.float64]


def fit(interactions: Interactions, **config: Any) -> ItemLinksModel:
    catalog = worlds.catalog(interactions.n_items)
    return Slim(Slim.Config(**config)).fit(interactions, catalog, np.random.default_rng(0))


def dense(model: ItemLinksModel) -> Matrix:
    matrix = np.zeros((len(model.item_ids), len(model.item_ids)))
    for item, (near, weight) in enumerate(zip(model.neighbours, model.weights, strict=True)):
        matrix[item, near[near >= 0]] = weight[near >= 0]
    return matrix


def by_library(wanted: Matrix, near: NDArray[np.int32], l1: float, l2: float) -> Matrix:
    n_users, n_items = wanted.shape
    net = ElasticNet(
        alpha=(l1 + l2) / n_users,
        l1_ratio=l1 / (l1 + l2),
        positive=True,
        fit_intercept=False,
        tol=1e-12,
        max_iter=10_000,
    )
    weights = np.zeros((n_items, n_items))
    for j in range(n_items):
        some = near[j][near[j] >= 0]
        if len(some):
            weights[some, j] = net.fit(wanted[:, some], wanted[:, j]).coef_
    return weights


@pytest.mark.parametrize(("l1", "l2", "neighbourhood"), [(1.0, 5.0, 80), (0.1, 0.5, 15), (4.0, 50.0, 60)])
@pytest.mark.parametrize("binary", [True, False])
def test_weights_are_those_of_the_elastic_net(
    world: worlds.World, l1: float, l2: float, neighbourhood: int, binary: bool
) -> None:
    weights = world.interactions.matrix().toarray().astype(float)
    wanted = (weights > 0).astype(float) if binary else weights / weights[weights > 0].mean()
    near = nearest_items(sparse.csr_matrix(wanted.astype(np.float32)), neighbourhood, "test")
    expected = by_library(wanted, near, l1, l2)
    settings = {"l1": l1, "l2": l2, "neighbourhood": neighbourhood, "binary": binary}
    model = fit(world.interactions, **settings, tolerance=1e-9, sweeps=10_000)
    np.testing.assert_allclose(dense(model), expected, atol=1e-5)
    assert (expected > 0).sum() > 100
    assert (expected > 0).sum() < (near >= 0).sum()  # some weights are exactly zero
    np.testing.assert_allclose(dense(fit(world.interactions, **settings)), expected, atol=5e-3)


def test_only_positive_links_are_kept_the_strongest_first(world: worlds.World) -> None:
    everything, few = dense(fit(world.interactions)), fit(world.interactions, keep=4)
    assert (everything >= 0).all()
    assert few.neighbours.shape == (80, 4)
    np.testing.assert_allclose(few.weights, -np.sort(-everything, axis=1)[:, :4], rtol=1e-6)


def test_a_greater_l1_leaves_fewer_links(world: worlds.World) -> None:
    counts = [int((dense(fit(world.interactions, l1=l1)) > 0).sum()) for l1 in (0.0, 2.0, 8.0)]
    assert counts[0] > counts[1] > counts[2]


def test_working_in_small_blocks_and_threads_changes_nothing(
    world: worlds.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(world.interactions, num_threads=1)
    monkeypatch.setattr(neighbourhoods, "GRAM_ENTRIES", 30_000)
    monkeypatch.setattr(neighbourhoods, "LINKS", 50)
    parts = fit(world.interactions, num_threads=3)
    np.testing.assert_array_equal(whole.neighbours, parts.neighbours)
    np.testing.assert_array_equal(whole.weights, parts.weights)


def test_an_item_that_nobody_shares_has_no_links() -> None:
    model = fit(worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)]))
    assert (model.neighbours == -1).all()


def test_progress_is_told_and_time_can_run_out(world: worlds.World) -> None:
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *told: heard.append(told)):
        fit(world.interactions)
    assert heard[-1] == ("slim", 80, 80)
    with pytest.raises(OutOfTime), time_limit(0.0):
        fit(world.interactions)
