"""EASE and EDLAE against the inverse of the Gram matrix, written out in double precision."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine import ridge, symmetric_tiles
from apps.recommend.engine.algorithms.ease import Ease
from apps.recommend.engine.algorithms.edlae import Edlae
from apps.recommend.engine.item_links import ItemLinksModel, links_of_rows
from apps.recommend.engine.neighbourhoods import local_ridge, nearest_items, regressions
from apps.recommend.engine.progress import OutOfTime, listening, time_limit
from apps.recommend.engine.types import Evidence, Interactions, Query, tie_break
from tests import worlds

Matrix = NDArray[np.float64]


def fit(interactions: Interactions, algorithm: Any = Ease, **config: Any) -> ItemLinksModel:
    catalog = worlds.catalog(interactions.n_items)
    model = algorithm(algorithm.Config(**config)).fit(interactions, catalog, np.random.default_rng(0))
    assert isinstance(model, ItemLinksModel)
    return model


def dense(model: ItemLinksModel) -> Matrix:
    matrix = np.zeros((len(model.item_ids), len(model.item_ids)))
    for item, (near, weight) in enumerate(zip(model.neighbours, model.weights, strict=True)):
        matrix[item, near[near >= 0]] = weight[near >= 0]
    return matrix


def by_hand(wanted: Matrix, pull: Matrix) -> Matrix:
    """Column j: least squares of column j on the other columns, one at a time."""
    weights = np.zeros((wanted.shape[1], wanted.shape[1]))
    for j in range(wanted.shape[1]):
        others = np.arange(wanted.shape[1]) != j
        gram = wanted[:, others].T @ wanted[:, others] + np.diag(pull[others])
        weights[others, j] = np.linalg.solve(gram, wanted[:, others].T @ wanted[:, j])
    return weights


def in_closed_form(wanted: Matrix, pull: Matrix) -> Matrix:
    inverse = np.linalg.inv(wanted.T @ wanted + np.diag(pull))
    weights = np.eye(len(pull)) - inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.fixture(scope="module")
def sparse_matrix() -> sparse.csr_matrix:
    """90 users who want some of 130 items, with weights; one user and one item have nothing."""
    rng = np.random.default_rng(5)
    matrix = np.where(rng.random((90, 130)) < 0.1, rng.random((90, 130)), 0.0)
    matrix[17], matrix[:, 40] = 0, 0
    return sparse.csr_matrix(matrix.astype(np.float32))


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matrices of many tiles and blocks, none of which divides another, in single precision."""
    for module, name, value in (
        (symmetric_tiles, "TILE", 13),
        (symmetric_tiles, "ROWS", 5),
        (ridge, "DOUBLE", 0),
        (ridge, "BLOCK", 33),
        (ridge, "SLICE", 10),
    ):
        monkeypatch.setattr(module, name, value)


def test_the_closed_form_is_least_squares_of_each_item_on_the_others(world: worlds.World) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    np.testing.assert_allclose(dense(fit(world.interactions, l2=7.0)), by_hand(wanted, np.full(80, 7.0)), atol=1e-6)


@pytest.mark.parametrize("solver", ["auto", "primal", "dual", "neighbourhood"])
@pytest.mark.parametrize("binary", [True, False])
def test_every_solver_gives_the_weights_of_brute_force(world: worlds.World, solver: str, binary: bool) -> None:
    weights = world.interactions.matrix().toarray().astype(float)
    wanted = (weights > 0).astype(float) if binary else weights / weights[weights > 0].mean()
    model = fit(world.interactions, l2=3.0, solver=solver, binary=binary)
    expected = in_closed_form(wanted, np.full(80, 3.0))
    np.testing.assert_allclose(dense(model), expected, atol=1e-6)


def test_a_neighbourhood_of_all_items_is_exact(sparse_matrix: sparse.csr_matrix) -> None:
    pull = np.random.default_rng(2).uniform(0.5, 9, 130)
    everybody_else = nearest_items(sparse_matrix, 129, "test")
    np.testing.assert_array_equal(everybody_else, [[i for i in range(130) if i != j] for j in range(130)])
    weights = regressions(sparse_matrix, everybody_else, local_ridge(pull), "test", num_threads=1)
    expected = in_closed_form(sparse_matrix.toarray().astype(float), pull)
    np.testing.assert_allclose(weights.toarray(), expected, atol=1e-6)


def test_a_small_neighbourhood_is_least_squares_on_the_nearest_items(world: worlds.World) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    units = wanted / np.linalg.norm(wanted, axis=0)
    cosines = units.T @ units - 2 * np.eye(80)
    expected = np.zeros((80, 80))
    near = nearest_items(sparse.csr_matrix(wanted.astype(np.float32)), 6, "test")
    for j in range(80):
        assert cosines[j, near[j]].min() >= np.sort(cosines[j])[-6] - 1e-6
        some = wanted[:, near[j]]
        expected[near[j], j] = np.linalg.solve(some.T @ some + 3.0 * np.eye(6), some.T @ wanted[:, j])
    model = fit(world.interactions, l2=3.0, solver="neighbourhood", neighbourhood=6)
    np.testing.assert_allclose(dense(model), expected, atol=1e-6)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_blocks_of_dense_weights_are_exact_in_tiles_and_single_precision(
    sparse_matrix: sparse.csr_matrix, form: ridge.Form, small_tiles: None
) -> None:
    pull = np.random.default_rng(2).uniform(0.5, 9, 130)
    expected = in_closed_form(sparse_matrix.toarray().astype(float), pull)
    weights = ridge.exact(sparse_matrix, pull, form)
    ends = [0]
    for first, last, rows in weights.blocks():
        assert first == ends[-1]
        assert rows.dtype == np.float32
        assert rows.flags.c_contiguous
        np.testing.assert_allclose(rows, expected[first:last], atol=3e-6)
        ends.append(last)
    assert ends[-1] == 130
    scores = weights.training_scores(20, 61)
    np.testing.assert_allclose(scores, (sparse_matrix @ expected)[20:61], atol=3e-6)
    assert scores.dtype == np.float32


def test_the_form_of_the_smaller_side_is_taken(sparse_matrix: sparse.csr_matrix) -> None:
    assert ridge.smaller_side(sparse_matrix) == "dual"
    assert ridge.smaller_side(sparse_matrix.T.tocsr()) == "primal"
    expected = in_closed_form(sparse_matrix.toarray().astype(float), np.full(130, 2.5))
    rows = np.vstack([block for _, _, block in ridge.ease_weights(sparse_matrix, 2.5).blocks()])
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_what_memory_cannot_hold_is_done_in_neighbourhoods(world: worlds.World) -> None:
    tight = fit(world.interactions, memory_gb=1e-6, neighbourhood=6)
    told = fit(world.interactions, solver="neighbourhood", neighbourhood=6)
    np.testing.assert_array_equal(tight.neighbours, told.neighbours)
    np.testing.assert_array_equal(tight.weights, told.weights)
    assert (dense(fit(world.interactions)) != 0).sum() > (dense(tight) != 0).sum()


@pytest.mark.parametrize("solver", ["primal", "dual"])
def test_the_links_kept_are_the_largest_of_each_row(world: worlds.World, solver: str) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    expected = in_closed_form(wanted, np.full(80, 20.0))
    model = fit(world.interactions, l2=20.0, solver=solver, keep=9)
    assert model.neighbours.shape == (80, 9)
    np.testing.assert_allclose(model.weights, -np.sort(-expected, axis=1)[:, :9], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(expected, model.neighbours, 1), model.weights, atol=1e-6)


@pytest.mark.parametrize("solver", ["auto", "primal", "dual"])
@pytest.mark.parametrize("algorithm", [Ease, Edlae])
def test_with_all_links_kept_every_score_is_that_of_the_closed_form(
    world: worlds.World, solver: str, algorithm: Any
) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    dropout = {"dropout": 0.4} if algorithm is Edlae else {}
    pull = (0.4 / 0.6 * wanted.sum(axis=0) if dropout else 0.0) + np.full(80, 20.0)
    expected = in_closed_form(wanted, pull)
    model = fit(world.interactions, algorithm, l2=20.0, solver=solver, keep="all", **dropout)
    np.testing.assert_allclose(model.weights, expected, atol=1e-6)
    histories = sparse.csr_matrix(wanted.astype(np.float32))
    np.testing.assert_allclose(model.score_batch(histories), wanted @ expected, atol=1e-5)
    rows = np.array([9, 3, 3, 70], dtype=np.int32)
    evidence = Evidence(np.array([4, 2, 4], np.int32), np.array([2.0, -1.0, 0.5], np.float32), np.full(3, -1, np.int16))
    parts = np.array([2.0, -1.0, 0.5]) * expected[[4, 2, 4]][:, rows].T
    np.testing.assert_allclose(model.contributions(Query(history=evidence), rows), parts, atol=1e-6)
    for query in (Query(history=evidence), Query(seeds=evidence)):
        np.testing.assert_allclose(model.score(query, rows), parts.sum(axis=1), atol=1e-6)
    again = type(model).from_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.score_batch(histories), model.score_batch(histories))


def test_with_all_links_kept_only_users_without_a_history_cannot_be_served(world: worlds.World) -> None:
    model = fit(world.interactions, keep="all")
    rows = np.arange(80, dtype=np.int32)
    assert np.isnan(model.score(Query(), rows)).all()
    assert model.contributions(Query(), rows).shape == (80, 0)
    histories = sparse.csr_matrix(([1.0], ([1], [5])), shape=(2, 80), dtype=np.float32)
    np.testing.assert_array_equal(np.isnan(model.score_batch(histories)).all(axis=1), [True, False])
    assert np.isfinite(model.score_batch(histories)[1]).all()


def test_all_links_need_an_exact_solver_and_memory(world: worlds.World) -> None:
    with pytest.raises(ValueError, match="exact solver"):
        Ease.Config(keep="all", solver="neighbourhood")
    with pytest.raises(MemoryError, match="memory_gb = 1e-06: raise it, or keep fewer"):
        fit(world.interactions, keep="all", memory_gb=1e-6)


def test_links_that_tie_for_the_last_place_are_not_chosen_by_row_number() -> None:
    rows = np.full((400, 400), 0.5, dtype=np.float32)
    rows[:, 7], rows[:, 9] = 1.0, 1e-9  # the best, and one that is only rounding
    model = ItemLinksModel.strongest(
        worlds.item_ids(400), links_of_rows([(0, 150, rows[:150]), (150, 400, rows[150:])], 3), 3
    )
    assert (model.neighbours[:, 0] == 7).all()
    tied = model.neighbours[:, 1:]
    np.testing.assert_array_equal(tied, np.broadcast_to(tied[0], tied.shape))
    best = sorted(set(range(400)) - {7, 9}, key=lambda item: int(tie_break(np.array([item]))[0]))
    np.testing.assert_array_equal(tied[0], best[:2])


@pytest.mark.parametrize("solver", ["primal", "dual"])
def test_edlae_is_least_squares_under_dropout(world: worlds.World, solver: str) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    pull = 0.4 / 0.6 * (wanted**2).sum(axis=0) + 5.0
    model = fit(world.interactions, Edlae, dropout=0.4, l2=5.0, solver=solver)
    np.testing.assert_allclose(dense(model), by_hand(wanted, pull), atol=1e-6)


def test_edlae_weights_are_those_learned_from_many_damaged_copies(world: worlds.World) -> None:
    wanted = (world.interactions.matrix().toarray() > 0).astype(float)
    rng = np.random.default_rng(3)
    copies, kept_share = 1_000, 0.6
    gram, against = np.zeros((80, 80)), np.zeros((80, 80))
    for _ in range(copies):
        damaged = wanted * (rng.random(wanted.shape) < kept_share)
        gram += damaged.T @ damaged / copies
        against += damaged.T @ wanted / copies
    learned = np.zeros((80, 80))
    for j in range(80):
        others = np.arange(80) != j
        ridged = gram[np.ix_(others, others)] + 5.0 * kept_share**2 * np.eye(79)
        learned[others, j] = np.linalg.solve(ridged, against[others, j]) * kept_share
    model = fit(world.interactions, Edlae, dropout=1 - kept_share, l2=5.0)
    np.testing.assert_allclose(dense(model), learned, atol=0.02)


def test_edlae_without_dropout_is_ease(world: worlds.World) -> None:
    one, other = fit(world.interactions, Edlae, dropout=0.0, l2=8.0), fit(world.interactions, Ease, l2=8.0)
    np.testing.assert_array_equal(one.neighbours, other.neighbours)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_weights_count_only_relative_to_each_other(world: worlds.World) -> None:
    triples = [(0, 0, worlds.VIEW), (0, 1, worlds.PURCHASE), (1, 0, worlds.CART), (1, 2, worlds.VIEW)]
    one, five = fit(worlds.events(triples), binary=False), fit(worlds.events(triples * 5), binary=False)
    np.testing.assert_allclose(dense(one), dense(five), rtol=1e-5)


def test_too_little_regularisation_falls_back_to_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge, "DOUBLE", 0)
    alike = sparse.csr_matrix(np.ones((300, 6), np.float32))
    expected = in_closed_form(alike.toarray().astype(float), np.full(6, 1e-6))
    rows = next(iter(ridge.exact(alike, np.full(6, 1e-6), "primal").blocks()))[2]
    np.testing.assert_allclose(rows, expected, rtol=1e-4)


@pytest.mark.parametrize("solver", ["primal", "neighbourhood"])
def test_regularisation_lost_in_rounding_is_said(solver: str) -> None:
    triples = [(user, item, worlds.VIEW) for user in range(20) for item in range(5)]
    with pytest.raises(ValueError, match="regularisation of 1e-300"):
        fit(worlds.events(triples), l2=1e-300, solver=solver)


def test_a_ridge_must_be_above_zero(sparse_matrix: sparse.csr_matrix) -> None:
    with pytest.raises(ValueError, match="above 0"):
        ridge.exact(sparse_matrix, np.zeros(130), "primal")


@pytest.mark.parametrize("solver", ["primal", "dual", "neighbourhood"])
def test_an_item_that_nobody_shares_has_no_links(solver: str) -> None:
    model = fit(worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)]), solver=solver)
    assert (model.neighbours == -1).all()
    assert not model.weights.any()


@pytest.mark.parametrize("solver", ["primal", "dual", "neighbourhood"])
def test_progress_is_told_and_time_can_run_out(world: worlds.World, solver: str) -> None:
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *told: heard.append(told)):
        fit(world.interactions, solver=solver)
    assert {what.split(":")[0] for what, _, _ in heard} == {"ease"}
    assert all(0 < done <= total for _, done, total in heard)
    with pytest.raises(OutOfTime), time_limit(0.0):
        fit(world.interactions, solver=solver)
