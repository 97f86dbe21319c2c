"""iALS against the published loss and its normal equations, written out with dense matrices."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine import conjugate_gradients, fold_in
from apps.recommend.engine.algorithms.ials import Ials, IalsModel
from apps.recommend.engine.types import Evidence, Interactions, Query
from tests import worlds

Matrix = NDArray[np.float64]

SETTINGS: dict[str, Any] = {
    "factors": 6,
    "regularization": 0.02,
    "unobserved_weight": 0.05,
    "exponent": 0.7,
    "weight_power": 0.5,
    "solver_steps": 12,
}


def fit(interactions: Interactions, iterations: int = 3, **changes: Any) -> IalsModel:
    config = Ials.Config(**(SETTINGS | changes | {"iterations": iterations}))
    return Ials(config).fit(interactions, worlds.catalog(interactions.n_items), np.random.default_rng(4))


def small_world() -> Interactions:
    return worlds.planted(groups=2, users_per_group=6, items_per_group=7, visits=2).interactions


def confidences(interactions: Interactions, power: float = 0.5) -> Matrix:
    matrix = interactions.matrix().toarray().astype(float)
    matrix = matrix[:, matrix.any(axis=0)]
    return np.where(matrix > 0, matrix**power, 0.0)


def ridges(confidence: Matrix) -> Matrix:
    """One for each row."""
    mass = confidence.sum(axis=1) + SETTINGS["unobserved_weight"] * confidence.shape[1]
    return SETTINGS["regularization"] * mass ** SETTINGS["exponent"]


def best_rows(confidence: Matrix, fixed: Matrix) -> Matrix:
    """For each row the factors that minimise the loss, by its own normal equations."""
    solved = []
    for row, ridge in zip(confidence, ridges(confidence), strict=True):
        weight = row + SETTINGS["unobserved_weight"]
        solved.append(np.linalg.solve((fixed.T * weight) @ fixed + ridge * np.eye(fixed.shape[1]), fixed.T @ row))
    return np.array(solved)


def loss(confidence: Matrix, users: Matrix, items: Matrix) -> float:
    predicted = users @ items.T
    return float(
        (confidence * (predicted - 1) ** 2).sum()
        + SETTINGS["unobserved_weight"] * (predicted**2).sum()
        + ridges(confidence) @ (users**2).sum(axis=1)
        + ridges(confidence.T) @ (items**2).sum(axis=1)
    )


def ask(model: IalsModel, rows: list[int], weights: list[float]) -> Any:
    evidence = Evidence(np.array(rows, np.int32), np.array(weights, np.float32), np.full(len(rows), -1, np.int16))
    return model.query_vector(Query(history=evidence))


def test_the_passes_are_those_of_brute_force() -> None:
    interactions = small_world()
    confidence = confidences(interactions)
    items = np.random.default_rng(4).standard_normal((confidence.shape[1], 6)) * 0.1 / np.sqrt(6)
    for _ in range(3):
        users = best_rows(confidence, items)
        items = best_rows(confidence.T, users)
    np.testing.assert_allclose(fit(interactions).factors, items, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_loss_never_rises(steps: int) -> None:
    interactions = small_world()
    confidence = confidences(interactions)
    losses = []
    for iterations in range(1, 12):
        items = fit(interactions, iterations, solver_steps=steps).factors.astype(float)
        losses.append(loss(confidence, best_rows(confidence, items), items))
    assert (np.diff(losses) <= 1e-5 * losses[0]).all()
    assert losses[-1] < 0.9 * losses[0]


def test_a_user_is_folded_in_as_in_training() -> None:
    interactions = small_world()
    model, matrix = fit(interactions), interactions.matrix()
    matrix = matrix[:, np.flatnonzero(matrix.getnnz(axis=0))]
    expected = best_rows(confidences(interactions), model.factors.astype(float))
    np.testing.assert_allclose(model.user_vectors(matrix), expected, rtol=1e-3, atol=1e-4)
    for user in range(3):
        mine = slice(matrix.indptr[user], matrix.indptr[user + 1])
        vector = ask(model, list(matrix.indices[mine]), list(matrix.data[mine]))
        np.testing.assert_allclose(vector, expected[user], rtol=1e-4, atol=1e-5)


def test_a_disliked_item_is_pulled_to_zero_harder_than_one_never_met() -> None:
    model = fit(small_world())
    liked, torn = ask(model, [0, 1], [2.0, 2.0]), ask(model, [0, 1, 5], [2.0, 2.0, -4.0])
    assert abs(model.factors[5] @ torn) < abs(model.factors[5] @ liked)


@pytest.mark.parametrize("numbers", [1, 500, 1_000_000])
def test_histories_of_all_lengths_are_solved_together_as_one_by_one(
    numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_in, "SYSTEM_NUMBERS", numbers)
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((30, 8)).astype(np.float32)
    gram = 0.1 * (factors.T @ factors).astype(float)
    rows = (rng.random((25, 30)) < rng.random((25, 1))) * rng.random((25, 30))
    rows[3] = 0
    liked, ridge = rows * rng.integers(0, 2, rows.shape), rng.random(25) + 0.5
    expected = [
        np.linalg.solve(gram + r * np.eye(8) + (factors.T * b) @ factors, factors.T @ want)
        for b, want, r in zip(rows, liked, ridge, strict=True)
    ]
    matrix = sparse.csr_matrix(rows)
    pulled = liked[rows > 0]
    np.testing.assert_allclose(
        fold_in.Solver(factors, gram).solve(matrix, pulled, ridge), expected, rtol=1e-3, atol=1e-5
    )
    steps = conjugate_gradients.improved(
        rng.standard_normal((25, 8)).astype(np.float32),
        matrix,
        liked=pulled,
        factors=factors,
        gram=gram,
        ridge=ridge,
        steps=12,
        num_threads=2,
    )
    np.testing.assert_allclose(steps, expected, rtol=1e-3, atol=1e-4)


def test_the_result_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conjugate_gradients, "ENTRIES", 20)
    one, two = (fit(small_world(), num_threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.factors, two.factors)


def test_the_missing_square_of_the_checkerboard_is_recommended_first() -> None:
    board = worlds.checkerboard(40)
    model = fit(board.interactions, iterations=10, factors=2, regularization=0.001)
    for user in range(40):
        mine = board.interactions.items[board.interactions.users == user]
        scores = model.score(Query(history=Evidence.of_rows(mine)), np.arange(40, dtype=np.int32))
        scores[mine] = -np.inf
        assert int(np.argmax(scores)) == user


def test_items_nobody_wants_are_left_out_rather_than_guessed() -> None:
    interactions = worlds.events([(0, 0, worlds.VIEW), (1, 2, worlds.VIEW), (1, 1, worlds.IMPRESSION)])
    np.testing.assert_array_equal(fit(interactions).item_ids, worlds.item_ids(3)[[0, 2]])
