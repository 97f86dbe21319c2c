"""BPR against its published update written out, and on planted tastes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.algorithms.bpr import Bpr, BprModel
from apps.recommend.engine.pairwise_steps import descend
from apps.recommend.engine.types import Evidence, Interactions, Query
from tests import worlds

CONFIG = {"factors": 8, "iterations": 40}


def fit(interactions: Interactions, **config: Any) -> BprModel:
    algorithm = Bpr(Bpr.Config(**(CONFIG | config)))
    return algorithm.fit(interactions, worlds.catalog(interactions.n_items), np.random.default_rng(6))


def auc(scores: NDArray[np.floating], wanted: NDArray[np.bool_]) -> float:
    """The chance that a wanted item scores above another one, on average over users."""
    return float(np.mean([(row[yes][:, None] > row[~yes]).mean() for row, yes in zip(scores, wanted, strict=True)]))


def parted(world: worlds.World) -> tuple[Interactions, NDArray[np.bool_]]:
    """The events without a fifth of each user's items, and those items."""
    events = world.interactions
    had = events.matrix().toarray() > 0
    held_out = had & (np.random.default_rng(1).random(had.shape) < 0.2)
    held_out[(had & ~held_out).sum(axis=1) < 2] = False
    return events.select(~held_out[events.users, events.items]), held_out


def test_a_step_is_the_published_one() -> None:
    rng = np.random.default_rng(2)
    users, wanted, further = (rng.integers(size, size=200) for size in (5, 7, 6))
    others = (wanted + 1 + further) % 7
    start = [rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3), (7, 3), (7,))]
    ours = [array.copy() for array in start]
    descend(users, wanted, others, *ours, np.float32(0.1), np.float32(0.02))
    u, v, b = (array.astype(float) for array in start)
    for a, i, j in zip(users, wanted, others, strict=True):
        slope = 1 / (1 + np.exp(u[a] @ (v[i] - v[j]) + b[i] - b[j]))
        old_u, old_i, old_j = u[a].copy(), v[i].copy(), v[j].copy()
        u[a] += 0.1 * (slope * (old_i - old_j) - 0.02 * old_u)
        v[i] += 0.1 * (slope * old_u - 0.02 * old_i)
        v[j] += 0.1 * (-slope * old_u - 0.02 * old_j)
        b[i] += 0.1 * (slope - 0.02 * b[i])
        b[j] += 0.1 * (-slope - 0.02 * b[j])
    for found, expected in zip(ours, (u, v, b), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_held_out_items_of_a_planted_taste_are_ranked_above_others(world: worlds.World) -> None:
    train, held_out = parted(world)
    model = fit(train)
    np.testing.assert_array_equal(model.item_ids, train.item_ids)
    scores = model.score_batch(train.matrix())
    scores[train.matrix().toarray() > 0] = -np.inf
    tested = held_out.any(axis=1)
    assert tested.sum() > 50
    assert auc(scores[tested], held_out[tested]) > 0.8


def test_a_user_folded_in_ranks_pairs_as_the_one_that_was_trained(world: worlds.World) -> None:
    algorithm = Bpr(Bpr.Config(**CONFIG))
    wanted = world.interactions.matrix()
    of_users, of_items, bias = algorithm._learn(wanted, np.random.default_rng(6))
    model = fit(world.interactions)
    np.testing.assert_allclose(model.factors, np.hstack([of_items, bias[:, None]]), rtol=1e-6)
    trained = of_users @ of_items.T + bias
    folded = model.score_batch(wanted)
    users, one, other = np.random.default_rng(0).integers([[wanted.shape[0]], [80], [80]], size=(3, 4_000))
    far = np.abs(trained[users, one] - trained[users, other]) > trained.std()
    agree = np.sign(trained[users, one] - trained[users, other]) == np.sign(folded[users, one] - folded[users, other])
    assert far.sum() > 1_000
    assert agree[far].mean() > 0.95


def test_a_user_is_the_weighted_mean_of_what_the_items_say(world: worlds.World) -> None:
    model = fit(world.interactions, iterations=3)
    evidence = Evidence(np.array([3, 9, 3], np.int32), np.array([2.0, 1.0, 1.0], np.float32), np.full(3, -1, np.int16))
    expected = np.append((3 * model.says[3] + model.says[9]) / 4, 1.0)
    np.testing.assert_allclose(model.query_vector(Query(history=evidence)), expected, rtol=1e-5)
    history = sparse.csr_matrix(([3.0, 1.0], ([0, 0], [3, 9])), shape=(1, len(model.item_ids)), dtype=np.float32)
    np.testing.assert_allclose(model.user_vectors(history)[0], expected, rtol=1e-5)


def test_users_who_want_everything_teach_nothing_but_do_no_harm() -> None:
    model = fit(worlds.events([(user, item, worlds.VIEW) for user in range(4) for item in range(3)]), iterations=2)
    assert np.isfinite(model.factors).all()
    np.testing.assert_array_equal(model.factors[:, -1], 0.0)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0]])
def test_evidence_that_weighs_nothing_or_cancels_out_gives_finite_scores(
    world: worlds.World, weights: list[float]
) -> None:
    model = fit(world.interactions, iterations=1)
    evidence = Evidence(np.array([2, 2], np.int32), np.array(weights, np.float32), np.full(2, -1, np.int16))
    assert np.isfinite(model.score(Query(history=evidence), np.arange(10, dtype=np.int32))).all()
