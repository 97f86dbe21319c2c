"""User neighbourhoods against brute force over dense matrices, and their hashing against datasketch."""

from typing import Any

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from apps.recommend.engine.algorithms.user_knn import UserKnn, UserKnnModel
from apps.recommend.engine.types import Evidence, Query
from tests import worlds

EVERYBODY = 10_000


def fit(world: worlds.World, **config: Any) -> UserKnnModel:
    return UserKnn(UserKnn.Config(**config)).fit(world.interactions, world.items, np.random.default_rng(3))


def similarities(wanted: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Every user with every user."""
    if kind == "cosine":
        units = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
        return units @ units.T
    had = (wanted > 0).astype(float)
    both = had @ had.T
    return both / (had.sum(axis=1)[:, None] + had.sum(axis=1) - both)


def found(model: UserKnnModel, world: worlds.World) -> NDArray[np.float64]:
    """The similarities that the model reports, 0 for users it did not find."""
    matrix = world.interactions.matrix()
    result = np.zeros((matrix.shape[0], matrix.shape[0]))
    asked, user, similarity = model.nearest(matrix)
    result[asked, user] = similarity
    return result


@pytest.fixture(scope="module")
def wanted(world: worlds.World) -> NDArray[np.float64]:
    return world.interactions.matrix().toarray().astype(float)


@pytest.mark.parametrize("kind", ["cosine", "jaccard"])
def test_similarities_are_those_of_brute_force(world: worlds.World, wanted: NDArray[np.float64], kind: str) -> None:
    near = found(fit(world, similarity=kind, neighbours=EVERYBODY, candidates=EVERYBODY), world)
    expected = similarities(wanted, kind)
    np.testing.assert_allclose(near[near > 0], expected[near > 0], rtol=1e-4)
    assert (near > 0).mean() > 0.5 * (expected > 0).mean()


def test_nearly_all_users_above_the_threshold_are_found(world: worlds.World, wanted: NDArray[np.float64]) -> None:
    near = found(fit(world, similarity="jaccard", threshold=0.2, neighbours=EVERYBODY, candidates=EVERYBODY), world)
    alike = similarities(wanted, "jaccard") >= 0.2
    assert (near[alike] > 0).mean() > 0.95


def test_those_who_share_a_band_are_those_whom_datasketch_finds(world: worlds.World) -> None:
    model = fit(world, threshold=0.3, neighbours=EVERYBODY, candidates=EVERYBODY)
    matrix = world.interactions.matrix()
    bands, width = len(model.keys), model.orders.shape[1]
    lsh = MinHashLSH(num_perm=width, params=(bands, width // bands))
    minima = [model.orders[matrix[[user]].indices].min(axis=0) for user in range(matrix.shape[0])]
    hashes = [MinHash(num_perm=width, hashvalues=values, scheme="legacy") for values in minima]
    for user, value in enumerate(hashes):
        lsh.insert(user, value)
    near = found(model, world) > 0
    for user, value in enumerate(hashes):
        assert set(lsh.query(value)) == set(np.flatnonzero(near[user]))


def test_the_share_of_equal_minima_estimates_the_jaccard_similarity(
    world: worlds.World, wanted: NDArray[np.float64]
) -> None:
    model = fit(world, permutations=1024, threshold=0.05)
    minima = np.array([model.orders[np.flatnonzero(row)].min(axis=0) for row in wanted[:30]])
    estimated = (minima[:, None, :] == minima[None, :, :]).mean(axis=2)
    assert np.abs(estimated - similarities(wanted, "jaccard")[:30, :30]).mean() < 1 / np.sqrt(minima.shape[1]) / 2


def test_a_score_is_what_the_nearest_wanted_times_how_similar_they_are(
    world: worlds.World, wanted: NDArray[np.float64]
) -> None:
    model = fit(world, neighbours=5, candidates=EVERYBODY, threshold=0.01)
    alike = similarities(wanted, "cosine")[8]
    nearest = np.argsort(-alike)[:5]
    units = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    expected = alike[nearest] @ units[nearest]
    rows = np.flatnonzero(wanted[8]).astype(np.int32)
    evidence = Evidence(rows, wanted[8, rows].astype(np.float32), np.full(len(rows), -1, np.int16))
    scores = model.score(Query(history=evidence), np.arange(wanted.shape[1], dtype=np.int32))
    np.testing.assert_allclose(np.nan_to_num(scores), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(scores), expected == 0)


def test_no_more_candidates_are_looked_at_than_allowed(world: worlds.World) -> None:
    few = found(fit(world, candidates=7, neighbours=EVERYBODY), world)
    assert (few > 0).sum(axis=1).max() == 7


def test_whoever_only_dislikes_has_no_neighbours(world: worlds.World) -> None:
    model = fit(world)
    evidence = Evidence(np.array([4], np.int32), np.array([-2.0], np.float32), np.array([-1], np.int16))
    assert np.isnan(model.score(Query(history=evidence), np.arange(20, dtype=np.int32))).all()


def test_users_who_are_all_alike_are_all_found() -> None:
    triples = [(user, item, worlds.VIEW) for user in range(6) for item in range(3)]
    world = worlds.World(worlds.events(triples), worlds.catalog(3), np.zeros(6, np.int32), np.zeros(3, np.int32))
    np.testing.assert_allclose(found(fit(world), world), 1.0, rtol=1e-5)
