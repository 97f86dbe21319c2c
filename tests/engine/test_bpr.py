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


@pytest.mark.parametrize("draws", [1, 4])
def test_a_step_is_the_published_one_against_the_highest_drawn(draws: int) -> None:
    rng = np.random.default_rng(2)
    had = rng.random((5, 7)) < 0.4
    had[4] = True  # nothing can be set apart from what this user has
    users, wanted = (ids.astype(np.int32) for ids in np.tile(had.nonzero(), 12))
    drawn = rng.integers(7, size=(len(users), draws), dtype=np.int32)
    factors = tuple(rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3), (7, 3), (7,)))
    squares = tuple(np.full(size, 0.5, np.float32) for size in (5, 7, 7))
    (u, v, b), (su, sv, sb) = ([array.astype(float) for array in arrays] for arrays in (factors, squares))
    by_user = sparse.csr_matrix(had)
    descend(
        users, wanted, drawn, by_user.indptr, by_user.indices, factors, squares,
        np.float32(0.1), np.float32(0.02), np.float32(0.03),
    )  # fmt: skip
    passed_over = 0
    for a, i, others in zip(users, wanted, drawn, strict=True):
        allowed = [j for j in others if not had[a, j]]
        if not allowed:
            passed_over += 1
            continue
        j = max(allowed, key=lambda one: u[a] @ v[one] + b[one])
        slope = 1 / (1 + np.exp(u[a] @ (v[i] - v[j]) + b[i] - b[j]))
        of_u, of_i = slope * (v[i] - v[j]) - 0.02 * u[a], slope * u[a] - 0.03 * v[i]
        of_j, of_bi, of_bj = -slope * u[a] - 0.03 * v[j], slope - 0.03 * b[i], -slope - 0.03 * b[j]
        for array, sums, row, gradient in (
            (u, su, a, of_u), (v, sv, i, of_i), (v, sv, j, of_j), (b, sb, i, of_bi), (b, sb, j, of_bj),
        ):  # fmt: skip
            sums[row] += np.mean(np.square(gradient))
            array[row] += 0.1 / np.sqrt(sums[row]) * gradient
    assert 50 < len(users) - passed_over < len(users)
    for found, expected in zip((*factors, *squares), (u, v, b, su, sv, sb), strict=True):
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
