"""RP3beta against the three steps of the walk written out with dense matrices."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine import co_occurrence
from apps.recommend.engine.algorithms.rp3beta import Rp3Beta
from apps.recommend.engine.item_links import ItemLinksModel
from apps.recommend.engine.types import Interactions
from tests import worlds


def fit(interactions: Interactions, **config: Any) -> ItemLinksModel:
    algorithm = Rp3Beta(Rp3Beta.Config(**config))
    return algorithm.fit(interactions, worlds.catalog(interactions.n_items), np.random.default_rng(0))


def dense(model: ItemLinksModel) -> NDArray[np.float64]:
    matrix = np.zeros((len(model.item_ids), len(model.item_ids)))
    for item, (near, weight) in enumerate(zip(model.neighbours, model.weights, strict=True)):
        matrix[item, near[near >= 0]] = weight[near >= 0]
    return matrix


def by_hand(wanted: NDArray[np.float64], alpha: float, beta: float) -> NDArray[np.float64]:
    to_users = wanted.T / wanted.T.sum(axis=1, keepdims=True)
    to_items = wanted / wanted.sum(axis=1, keepdims=True)
    powered = [np.where(steps > 0, steps**alpha, 0) for steps in (to_users, to_items)]
    walks = powered[0] @ powered[1] / wanted.sum(axis=0) ** beta
    np.fill_diagonal(walks, 0)
    return walks


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.6, 0.4), (0.0, 1.0)])
def test_links_are_those_of_brute_force(world: worlds.World, alpha: float, beta: float) -> None:
    expected = by_hand(world.interactions.matrix().toarray().astype(float), alpha, beta)
    model = fit(world.interactions, alpha=alpha, beta=beta, neighbours=80)
    np.testing.assert_allclose(dense(model), expected, rtol=1e-4, atol=1e-9)


def test_normalised_links_are_shares_of_those_kept(world: worlds.World) -> None:
    plain, shares = (fit(world.interactions, neighbours=7, normalise=flag) for flag in (False, True))
    np.testing.assert_array_equal(plain.neighbours, shares.neighbours)
    np.testing.assert_allclose(shares.weights, plain.weights / plain.weights.sum(axis=1, keepdims=True), rtol=1e-5)


def test_a_greater_beta_recommends_what_is_less_popular(world: worlds.World) -> None:
    popular = np.asarray(world.interactions.matrix().sum(axis=0)).ravel()
    means = [popular[fit(world.interactions, beta=beta, neighbours=5).neighbours].mean() for beta in (0.0, 0.5, 1.0)]
    assert means[0] > means[1] > means[2]


def test_working_in_small_blocks_changes_nothing(world: worlds.World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(world.interactions)
    monkeypatch.setattr(co_occurrence, "BLOCK_PRODUCTS", 3_000)
    parts = fit(world.interactions)
    np.testing.assert_array_equal(whole.neighbours, parts.neighbours)
    np.testing.assert_array_equal(whole.weights, parts.weights)


def test_an_item_that_nobody_shares_has_no_links() -> None:
    model = fit(worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)]), normalise=True)
    assert (model.neighbours == -1).all()
    assert not model.weights.any()
