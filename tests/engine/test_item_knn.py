"""Item neighbourhoods against brute force over dense matrices."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine import co_occurrence
from apps.recommend.engine.algorithms.item_knn import ItemKnn, ItemKnnModel
from apps.recommend.engine.item_links import ItemLinksModel
from apps.recommend.engine.types import Evidence, Query, tie_break
from tests import worlds


def fit(world: worlds.World, **config: Any) -> ItemKnnModel:
    return ItemKnn(ItemKnn.Config(**config)).fit(world.interactions, world.items, np.random.default_rng(0))


def dense(model: ItemLinksModel) -> NDArray[np.float64]:
    """The similarities as a full matrix, 0 where items are no neighbours."""
    matrix = np.zeros((len(model.item_ids), len(model.item_ids)))
    for item, (near, similarity) in enumerate(zip(model.neighbours, model.weights, strict=True)):
        matrix[item, near[near >= 0]] = similarity[near >= 0]
    return matrix


def by_hand(matrix: NDArray[np.float64], shrinkage: float, min_support: int) -> NDArray[np.float64]:
    """Cosine of columns, shrunk."""
    units = matrix / np.linalg.norm(matrix, axis=0)
    shared = (matrix > 0).astype(float).T @ (matrix > 0)
    similar = units.T @ units * shared / np.maximum(shared + shrinkage, 1e-12)
    similar[shared < min_support] = 0
    np.fill_diagonal(similar, 0)
    return similar


def test_similarities_are_those_of_brute_force(world: worlds.World) -> None:
    model = fit(world, weighting="cosine", shrinkage=3.0, min_support=2, neighbours=80)
    expected = by_hand(world.interactions.matrix().toarray().astype(float), 3.0, 2)
    np.testing.assert_allclose(dense(model), expected, rtol=1e-4, atol=1e-6)


def test_working_in_small_blocks_changes_nothing(world: worlds.World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(world)
    monkeypatch.setattr(co_occurrence, "BLOCK_PRODUCTS", 3_000)
    parts = fit(world)
    np.testing.assert_array_equal(whole.neighbours, parts.neighbours)
    np.testing.assert_array_equal(whole.weights, parts.weights)


def test_only_the_nearest_are_kept_and_the_best_come_first(world: worlds.World) -> None:
    everything, few = dense(fit(world, neighbours=80)), fit(world, neighbours=5)
    assert few.neighbours.shape[1] == 5
    assert (np.diff(few.weights, axis=1) <= 0).all()
    np.testing.assert_allclose(few.weights, -np.sort(-everything, axis=1)[:, :5], rtol=1e-5)


def test_an_item_is_never_its_own_neighbour(world: worlds.World) -> None:
    model = fit(world)
    assert not (model.neighbours == np.arange(len(model.item_ids))[:, None]).any()


def test_a_score_is_the_sum_of_weighted_similarities_and_nan_without_a_link(world: worlds.World) -> None:
    model = fit(world, neighbours=6)
    similar = dense(model)
    evidence = Evidence(np.array([3, 8, 3], np.int32), np.array([2, -1, 0.5], np.float32), np.full(3, -1, np.int16))
    expected = 2.5 * similar[3] - similar[8]
    linked = (similar[3] > 0) | (similar[8] > 0)
    scores = model.score(Query(seeds=evidence), np.arange(len(similar), dtype=np.int32))
    np.testing.assert_array_equal(np.isnan(scores), ~linked)
    np.testing.assert_allclose(scores[linked], expected[linked], rtol=1e-4, atol=1e-6)


def test_sessions_bring_items_together_that_users_alone_would_not() -> None:
    """One user buys 0 with 1 and 2 with 3, in two visits, and so does another."""
    triples = [(user, item, worlds.PURCHASE) for user in (0, 1) for item in range(4)]
    interactions = worlds.events(triples, sessions=[0, 0, 1, 1, 2, 2, 3, 3])
    world = worlds.World(interactions, worlds.catalog(4), np.zeros(2, np.int32), np.zeros(4, np.int32))
    by_session, by_user = fit(world, unit="session"), fit(world, unit="user")
    np.testing.assert_array_equal(dense(by_session) > 0, np.kron(np.eye(2), [[0, 1], [1, 0]]) > 0)
    assert (dense(by_user) > 0).sum() == 12


def test_events_without_a_session_are_grouped_by_user() -> None:
    triples = [(user, item, worlds.PURCHASE) for user in (0, 1) for item in range(2)]
    interactions = worlds.events(triples, sessions=[-1, -1, -1, -1])
    world = worlds.World(interactions, worlds.catalog(2), np.zeros(2, np.int32), np.zeros(2, np.int32))
    assert (dense(fit(world, unit="session")) > 0).sum() == 2


def test_only_the_chosen_event_types_count(world: worlds.World) -> None:
    model = fit(world, events=["purchase"], weighting="cosine", shrinkage=0.0, neighbours=80)
    bought = world.interactions.select(world.interactions.types == worlds.PURCHASE).matrix().toarray().astype(float)
    present = bought.any(axis=0)
    np.testing.assert_array_equal(model.item_ids, world.interactions.item_ids[present])
    np.testing.assert_allclose(dense(model), by_hand(bought[:, present], 0.0, 2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_every_weighting_keeps_similarities_between_0_and_1_and_groups_together(
    world: worlds.World, weighting: str
) -> None:
    model = fit(world, weighting=weighting)
    similar = dense(model)
    assert similar.min() >= 0
    assert similar.max() <= 1 + 1e-6
    same = world.item_groups[:, None] == world.item_groups[None, :]
    assert similar[same].mean() > 3 * similar[~same].mean()


def test_the_nearest_of_each_candidate_as_shares_with_their_popularity_are_those_of_brute_force(
    world: worlds.World,
) -> None:
    model = fit(
        world,
        weighting="cosine",
        shrinkage=0.0,
        min_support=1,
        neighbours=6,
        nearest_to="candidate",
        share=True,
        popularity_bias=True,
    )
    wanted = world.interactions.matrix().toarray().astype(float)
    similar = by_hand(wanted, 0.0, 1)
    similar[similar < -np.sort(-similar, axis=1)[:, [5]]] = 0  # a row for each candidate
    shares = similar / similar.sum(axis=1, keepdims=True)
    popular = (wanted > 0).mean(axis=0)
    bias = popular - shares @ popular
    weights = np.array([2.0, 0.5, -1.0])
    expected = shares[:, [3, 8, 11]] @ weights + bias * np.abs(weights).mean()
    evidence = Evidence(np.array([3, 8, 11], np.int32), weights.astype(np.float32), np.full(3, -1, np.int16))
    query, rows = Query(history=evidence), np.arange(len(similar), dtype=np.int32)
    np.testing.assert_allclose(model.score(query, rows), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.contributions(query, rows).sum(axis=1), expected, rtol=1e-4, atol=1e-6)
    history = sparse.csr_matrix((weights, ([0, 0, 0], [3, 8, 11])), shape=(2, len(similar)), dtype=np.float32)
    batch = model.score_batch(history)
    np.testing.assert_allclose(batch[0], expected, rtol=1e-4, atol=1e-6)
    assert np.isnan(batch[1]).all()


def test_a_model_of_a_version_without_bias_can_still_be_read(world: worlds.World) -> None:
    model = fit(world)
    arrays = {name: array for name, array in model.to_arrays().items() if name != "bias"}
    query, rows = Query(history=Evidence.of_rows([1, 2])), np.arange(40, dtype=np.int32)
    np.testing.assert_array_equal(ItemKnnModel.from_arrays(arrays).score(query, rows), model.score(query, rows))


def test_the_strongest_links_may_be_negative_and_ties_fall_by_hash_not_by_row() -> None:
    rng = np.random.default_rng(5)
    origin, target = (part.ravel().astype(np.int32) for part in np.meshgrid(np.arange(9), np.arange(50), indexing="ij"))
    weight = rng.integers(-3, 3, size=len(origin)).astype(np.float32)
    weight[::7] = -0.0
    shuffled = rng.permutation(len(origin))
    links = (origin[shuffled], target[shuffled], weight[shuffled])
    model = ItemLinksModel.strongest(worlds.item_ids(50), [links], 12)
    by_hash = np.argsort(tie_break(np.arange(50)))
    for item in range(9):
        row = weight[origin == item]
        expected = by_hash[np.argsort(-row[by_hash], kind="stable")][:12]
        np.testing.assert_array_equal(model.neighbours[item], expected)
        np.testing.assert_array_equal(model.weights[item], row[expected])
    assert (model.neighbours[9:] == -1).all()
