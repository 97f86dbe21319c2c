"""ALS against implicit's own solver, against the normal equations written out, and on a known answer."""

from typing import Any

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from apps.recommend.engine import fold_in as fold_in_module
from apps.recommend.engine.algorithms.als import Als, AlsModel
from apps.recommend.engine.types import Evidence, Query
from tests import worlds


def fold_in(model: AlsModel, rows: list[int], weights: list[float]) -> Any:
    evidence = Evidence(np.array(rows, np.int32), np.array(weights, np.float32), np.full(len(rows), -1, np.int16))
    return model.query_vector(Query(history=evidence))


@pytest.fixture(scope="module")
def model(fitted: Any) -> AlsModel:
    return fitted("als")


def test_folding_a_user_in_agrees_with_implicit(model: AlsModel) -> None:
    config = Als.Config()
    theirs = AlternatingLeastSquares(factors=config.factors, regularization=config.regularization, alpha=1.0)
    theirs.item_factors = model.factors.copy()
    rows, weights = [2, 17, 40], [5.0, 0.7, 1.0]
    confidences = sparse.csr_matrix(
        (1 + np.float32(config.alpha) * np.float32(weights), ([0] * 3, rows)), shape=(1, len(model.item_ids))
    )
    np.testing.assert_allclose(
        fold_in(model, rows, weights), theirs.recalculate_user(0, confidences), rtol=1e-4, atol=1e-4
    )


def test_folding_a_user_in_solves_the_published_equation(model: AlsModel) -> None:
    config = Als.Config()
    rows, weights = [2, 17, 40], np.array([5.0, 0.7, -3.0])
    factors = model.factors.astype(float)
    confidence = np.ones(len(factors))
    confidence[rows] += config.alpha * np.abs(weights)
    preference = np.zeros(len(factors))
    preference[[2, 17]] = 1.0
    left = factors.T @ np.diag(confidence) @ factors + config.regularization * np.eye(config.factors)
    expected = np.linalg.solve(left, factors.T @ (confidence * preference))
    np.testing.assert_allclose(fold_in(model, rows, list(weights)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 60])
@pytest.mark.parametrize("mapped", [True, False])
def test_histories_shorter_and_longer_than_a_vector_solve_one_equation(length: int, mapped: bool) -> None:
    rng = np.random.default_rng(length)
    factors = rng.standard_normal((60, 8)).astype(np.float32)
    gram = factors.T.astype(float) @ factors + 0.1 * np.eye(8)
    factors.flags.writeable = gram.flags.writeable = not mapped
    model = AlsModel(np.arange(60), factors, factors, gram, alpha=2.0)
    rows = rng.permutation(60)[:length]
    weights = rng.choice([0.0, 1.0, 30.0, -4.0], length)
    beyond, liked = model.beyond_and_liked(weights)
    known = factors[rows].astype(float)
    expected = np.linalg.solve(gram + (known.T * beyond) @ known, liked @ known)
    vector = fold_in(model, rows.tolist(), weights.tolist())
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, expected, rtol=1e-5, atol=1e-6)


def test_scoring_many_users_in_blocks_changes_nothing(model: AlsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    histories = sparse.random_array((7, len(model.item_ids)), density=0.1, rng=np.random.default_rng(3), format="csr")
    histories = sparse.csr_matrix(histories, dtype=np.float32)
    at_once = model.score_batch(histories)
    monkeypatch.setattr(fold_in_module, "SYSTEM_NUMBERS", 3 * model.gram.size)
    np.testing.assert_allclose(model.score_batch(histories), at_once, rtol=1e-4, atol=1e-6)


def test_a_repeated_item_counts_once_with_the_sum_of_its_weights(model: AlsModel) -> None:
    np.testing.assert_allclose(
        fold_in(model, [4, 9, 4], [1.0, 2.0, 3.0]), fold_in(model, [4, 9], [4.0, 2.0]), rtol=1e-5, atol=1e-6
    )


def test_a_dislike_lowers_the_item_and_its_like(model: AlsModel, world: worlds.World) -> None:
    liked = fold_in(model, [3, 9], [2.0, 2.0])
    torn = fold_in(model, [3, 9, 11], [2.0, 2.0, -4.0])
    assert model.factors[11] @ torn < model.factors[11] @ liked


def test_only_dislikes_recommend_nothing_in_particular(model: AlsModel) -> None:
    np.testing.assert_allclose(fold_in(model, [3], [-4.0]), 0.0, atol=1e-9)


def test_the_missing_square_of_the_checkerboard_is_recommended_first() -> None:
    board = worlds.checkerboard(40)
    model = Als(Als.Config(factors=2, regularization=0.1)).fit(
        board.interactions, board.items, np.random.default_rng(2)
    )
    for user in range(40):
        mine = board.interactions.items[board.interactions.users == user]
        scores = model.score(Query(history=Evidence.of_rows(mine)), np.arange(40, dtype=np.int32))
        scores[mine] = -np.inf
        assert int(np.argmax(scores)) == user


def test_items_nobody_wants_are_left_out_rather_than_guessed() -> None:
    interactions = worlds.events([(0, 0, worlds.VIEW), (1, 2, worlds.VIEW), (1, 1, worlds.IMPRESSION)])
    model = Als(Als.Config(factors=4)).fit(interactions, worlds.catalog(3), np.random.default_rng(0))
    np.testing.assert_array_equal(model.item_ids, worlds.item_ids(3)[[0, 2]])


def test_the_result_does_not_depend_on_the_number_of_threads(world: worlds.World) -> None:
    one, two = (
        Als(Als.Config(num_threads=threads, iterations=3)).fit(
            world.interactions, world.items, np.random.default_rng(5)
        )
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one.factors, two.factors)
