"""What every algorithm promises, asked of each one that is registered."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Evidence, Interactions, Query, rows_of
from tests import worlds

Fitted = Callable[[str], Any]

NAMES = list(ALGORITHMS)
BATCHING = [name for name in NAMES if hasattr(ALGORITHMS[name].Model, "score_batch")]
BY_VECTORS = [name for name in NAMES if hasattr(ALGORITHMS[name].Model, "vectors")]
SOMETHING = np.array([3, 0, 7, 7], dtype=np.int32)  # evidence may repeat
SOMEBODY = int(worlds.user_ids(1)[0])  # who asks where nothing else is said


def history(rows: Any, weights: Any = None, user: int = SOMEBODY) -> Query:
    evidence = Evidence.of_rows(rows)
    if weights is not None:
        evidence = Evidence(evidence.rows, np.asarray(weights, np.float32), evidence.types)
    return Query(history=evidence, now=worlds.NOW, user=user)


def seeds(rows: Any) -> Query:
    return Query(seeds=Evidence.of_rows(rows), now=worlds.NOW)


def all_rows(model: Any) -> NDArray[np.int32]:
    return np.arange(len(model.item_ids), dtype=np.int32)


def user_query(world: worlds.World, model: Any, user: int) -> Query:
    """What the user did, as the model's rows."""
    interactions = world.interactions
    mine = interactions.users == user
    rows = rows_of(model.item_ids, interactions.item_ids[interactions.items[mine]])
    weights = interactions.weights()[mine]
    return history(rows[rows >= 0], weights[rows >= 0], int(interactions.user_ids[user]))


def fit(name: str, interactions: Interactions, seed: int = 1, texts: bool = True) -> Any:
    items = worlds.catalog(interactions.n_items, [f"thing number {i}" for i in range(interactions.n_items)])
    interactions = worlds.with_friends(interactions)
    return ALGORITHMS.create(name).fit(interactions, items, np.random.default_rng(seed))


def fit_without_a_later(name: str, interactions: Interactions) -> Any | None:
    """The model of events after which nobody came back; None where the algorithm learns only from those who do."""
    if getattr(ALGORITHMS[name], "learns_from_later", False):
        with pytest.raises(NotEnoughData, match="events both before and"):
            fit(name, interactions)
        return None
    return fit(name, interactions)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str, fitted: Fitted) -> Any:
    return fitted(name)


def test_the_same_seed_gives_the_same_model(name: str, model: Any, world: worlds.World) -> None:
    again = ALGORITHMS.create(name).fit(world.interactions, world.items, np.random.default_rng(1))
    for key, array in model.to_arrays().items():
        np.testing.assert_array_equal(array, again.to_arrays()[key], err_msg=key)


def test_a_model_saved_without_pickle_and_read_back_answers_the_same(name: str, model: Any) -> None:
    arrays = {}
    for key, array in model.to_arrays().items():
        file = BytesIO()
        np.save(file, array, allow_pickle=False)
        file.seek(0)
        arrays[key] = np.load(file, allow_pickle=False)
        arrays[key].flags.writeable = False
    twin = ALGORITHMS[name].Model.from_arrays(arrays)
    for query in (history(SOMETHING), seeds(SOMETHING)):
        rows = all_rows(model)
        np.testing.assert_array_equal(model.score(query, rows), twin.score(query, rows))
        np.testing.assert_array_equal(model.contributions(query, rows), twin.contributions(query, rows))


def test_item_ids_ascend_and_are_the_catalogs(model: Any, world: worlds.World) -> None:
    assert (np.diff(model.item_ids) > 0).all()
    assert np.isin(model.item_ids, world.items.ids).all()


def test_scores_are_float32_one_a_row_in_the_order_asked(model: Any) -> None:
    for query in (history(SOMETHING), seeds(SOMETHING)):
        everything = model.score(query, all_rows(model))
        some = np.array([11, 2, 2, 40], dtype=np.int32)
        scores = model.score(query, some)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, everything[some], rtol=1e-5, atol=1e-6)
        assert model.score(query, np.empty(0, np.int32)).shape == (0,)


def test_without_evidence_all_scores_are_nan_or_the_same_for_everybody(model: Any) -> None:
    scores = model.score(Query(), all_rows(model))
    if not np.isnan(scores).all():
        np.testing.assert_array_equal(scores, model.score(history(SOMETHING), all_rows(model)))
    assert model.contributions(Query(), all_rows(model)).shape == (len(scores), 0)


def test_contributions_have_the_sign_and_the_sum_of_the_score(model: Any) -> None:
    for query in (history(SOMETHING, [2, 1, 0.5, 3]), seeds([5, 9])):
        rows = all_rows(model)[::3]
        scores, parts = model.score(query, rows), model.contributions(query, rows)
        assert parts.shape == (len(rows), len(query.evidence))
        assert parts.dtype == np.float32
        if parts.any():
            np.testing.assert_allclose(parts.sum(axis=1), np.nan_to_num(scores), rtol=1e-3, atol=1e-5)


def test_a_planted_taste_is_found_better_than_by_popularity(model: Any, fitted: Fitted, world: worlds.World) -> None:
    ours, popular = share_of_own_group(model, world), share_of_own_group(fitted("popularity"), world)
    rows = all_rows(model)
    two = [model.score(history([1 + n], user=int(world.interactions.user_ids[n])), rows) for n in (0, 1)]
    personal = not np.array_equal(*two, equal_nan=True)
    if personal:
        assert ours > max(0.8, popular)
    else:
        assert ours == pytest.approx(popular, abs=0.1)


def share_of_own_group(model: Any, world: worlds.World) -> float:
    """How many of the ten best are of the user's own group, on average over some users."""
    shares = []
    for user in range(0, world.interactions.n_users, 5):
        scores = np.nan_to_num(model.score(user_query(world, model, user), all_rows(model)), nan=-np.inf)
        best = rows_of(world.interactions.item_ids, model.item_ids[np.argsort(-scores)[:10]])
        shares.append(np.mean(world.item_groups[best] == world.user_groups[user]))
    return float(np.mean(shares))


@pytest.mark.parametrize("name", BATCHING)
def test_scoring_many_users_at_once_is_scoring_them_one_by_one(model: Any) -> None:
    histories = sparse.lil_matrix((4, len(model.item_ids)), dtype=np.float32)
    histories[0, [1, 4]] = [2.0, 0.5]
    histories[1, [7]] = 3.0
    histories[3, [2, 9]] = [4.0, -2.0]
    histories = histories.tocsr()
    together = model.score_batch(histories)
    assert together.shape == histories.shape
    for user in range(4):
        mine = slice(histories.indptr[user], histories.indptr[user + 1])
        alone = model.score(history(histories.indices[mine], histories.data[mine]), all_rows(model))
        np.testing.assert_allclose(together[user], alone, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", BY_VECTORS)
def test_vectors_and_query_vector_give_the_score(model: Any) -> None:
    for question, query in (("history", history(SOMETHING, [2, 1, 0.5, 3])), ("seeds", seeds(SOMETHING))):
        vectors = model.vectors(question)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
        products = vectors @ model.query_vector(query)
        np.testing.assert_allclose(products, model.score(query, all_rows(model)), rtol=1e-3, atol=1e-5)
    assert model.query_vector(Query()) is None


def test_items_unknown_to_the_catalog_do_no_harm(name: str, world: worlds.World) -> None:
    fewer = worlds.catalog(10, (world.items.texts or [])[:10])
    model = ALGORITHMS.create(name).fit(world.interactions, fewer, np.random.default_rng(1))
    assert np.isfinite(model.score(history([0, 1]), all_rows(model))).any()


def test_one_user_with_one_item_is_learned_or_refused(name: str) -> None:
    try:
        model = fit(name, worlds.events([(0, 0, worlds.PURCHASE)]))
    except NotEnoughData:
        return
    scores = model.score(history([0]), all_rows(model))
    assert scores.shape == (1,)
    assert not np.isinf(scores).any()


def test_repeated_events_and_equal_weights_give_finite_scores(name: str) -> None:
    triples = [(user, item, worlds.VIEW) for user in range(4) for item in range(3)] * 3
    model = fit_without_a_later(name, worlds.events(triples))
    if model is None:
        return
    assert not np.isinf(model.score(history([0, 1]), all_rows(model))).any()


def test_events_so_old_that_nothing_is_left_of_them_are_survived(name: str) -> None:
    triples = [(user, item, worlds.VIEW) for user in range(4) for item in range(3)]
    old = [worlds.NOW - 365 * 40 * worlds.DAY * (user % 2) for user, _, _ in triples]
    model = fit_without_a_later(name, worlds.events(triples, times=old))
    if model is None:
        return
    assert not np.isinf(model.score(history([0, 1]), all_rows(model))).any()


def test_nothing_to_learn_from_is_said_with_numbers(name: str) -> None:
    with pytest.raises(NotEnoughData, match="needs at least 1"):
        ALGORITHMS.create(name).fit(worlds.events([]), worlds.catalog(0, []), np.random.default_rng(1))


def test_only_dislikes_are_no_reason_to_fail(name: str) -> None:
    try:
        model = fit(name, worlds.events([(0, 0, worlds.DISLIKE), (1, 1, worlds.REFUND)]))
    except NotEnoughData:
        return
    assert not np.isinf(model.score(history([0], [-4.0]), all_rows(model))).any()
