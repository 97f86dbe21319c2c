"""Friends' taste against the same propagation in dense matrices."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.algorithms import social
from apps.recommend.engine.algorithms.social import Social, SocialModel
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.types import Evidence, Follows, Interactions, Query
from tests import worlds


def following(interactions: Interactions, pairs: list[tuple[int, int]], times: list[int] | None = None) -> Interactions:
    """`interactions` with follows between user rows; rows beyond the last are people without events."""
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    ids = worlds.user_ids(max(interactions.n_users, int(rows.max(initial=0)) + 1))
    when = np.full(len(rows), worlds.START) if times is None else np.array(times)
    return replace(interactions, follows=Follows(ids[rows[:, 0]], ids[rows[:, 1]], when.astype(np.int64)))


def fitted(interactions: Interactions, **config: Any) -> SocialModel:
    items = worlds.catalog(interactions.n_items)
    return Social(Social.Config(**config)).fit(interactions, items, np.random.default_rng(0))


def scored(model: SocialModel, user: int) -> NDArray[np.float32]:
    return model.score(Query(user=user), np.arange(len(model.item_ids), dtype=np.int32))


def normalised(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
    result = np.zeros_like(matrix)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        result[row, column] = matrix[row, column] / np.sqrt(rows[row] * columns[column])
    return result


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """40 users with events, 10 more without, who follow each other at random; 25 items."""
    rng = np.random.default_rng(5)
    triples = [(int(rng.integers(40)), int(rng.integers(25)), worlds.VIEW) for _ in range(300)]
    pairs = [(int(a), int(b)) for a, b in rng.integers(50, size=(160, 2)) if a != b and a != 3]
    return following(worlds.events(triples, n_users=40, n_items=25), [*pairs, pairs[0]])


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("block_entries", [1, 1_000_000])
def test_scores_are_the_mean_of_the_propagated_layers(
    interactions: Interactions, layers: int, block_entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(social, "BLOCK_ENTRIES", block_entries)
    follows = interactions.follows
    assert follows is not None
    ids = worlds.user_ids(50)
    graph = np.zeros((50, 50))
    graph[np.searchsorted(ids, follows.followers), np.searchsorted(ids, follows.followed)] = 1
    step = normalised(graph)
    taste = np.zeros((50, 25))
    taste[:40] = normalised(interactions.matrix().toarray().astype(np.float64))
    powers = sum(np.linalg.matrix_power(step, layer) for layer in range(1, layers + 1))
    np.fill_diagonal(powers, 0)
    wanted = powers @ taste / layers

    model = fitted(interactions, layers=layers, items=25)
    for user in range(50):
        np.testing.assert_allclose(np.nan_to_num(scored(model, int(ids[user]))), wanted[user], rtol=1e-5, atol=1e-9)


def test_only_the_best_items_of_each_user_are_kept(interactions: Interactions) -> None:
    all_of_them, best = fitted(interactions, items=25), fitted(interactions, items=4)
    for user in best.user_ids.tolist():
        everything, kept = scored(all_of_them, user), scored(best, user)
        told = np.flatnonzero(~np.isnan(kept))
        assert len(told) == min(4, int((~np.isnan(everything)).sum()))
        np.testing.assert_array_equal(kept[told], everything[told])
        assert kept[told].min() >= np.nanmax(np.where(np.isnan(kept), everything, -1), initial=-1)


def test_who_follows_somebody_needs_no_events_of_their_own() -> None:
    model = fitted(following(worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)]), [(7, 1)]))
    scores = scored(model, int(worlds.user_ids(8)[7]))
    assert np.isnan(scores[0])
    assert scores[1] > 0


def test_who_asks_must_be_known_and_must_ask_for_themselves(interactions: Interactions) -> None:
    model = fitted(interactions)
    rows = np.arange(len(model.item_ids), dtype=np.int32)
    known = int(model.user_ids[0])
    asked = Evidence.of_rows([0, 1])
    assert not np.isnan(model.score(Query(history=asked, user=known), rows)).all()
    for nobody in (Query(history=asked), Query(user=known + 1), Query(user=10**12), Query(seeds=asked, user=known)):
        assert np.isnan(model.score(nobody, rows)).all()
    follows_nobody = int(worlds.user_ids(4)[3])
    assert np.isnan(scored(model, follows_nobody)).all()


def test_users_scored_at_once_are_scored_as_one_by_one(interactions: Interactions) -> None:
    model = fitted(interactions)
    ids = np.array([*model.user_ids[:3], -1, model.user_ids[0]], dtype=np.int64)
    together = model.score_users(ids, sparse.csr_matrix((5, len(model.item_ids)), dtype=np.float32))
    np.testing.assert_array_equal(together, np.stack([scored(model, int(user)) for user in ids]))


def test_a_circle_of_friends_does_not_bring_ones_own_taste_back() -> None:
    events = worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)])
    model = fitted(following(events, [(0, 1), (1, 0)]), layers=2)
    assert np.isnan(scored(model, int(worlds.user_ids(1)[0]))).tolist() == [True, False]


def test_the_past_knows_no_follows_of_the_future() -> None:
    events = worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)], times=[worlds.START, worlds.START])
    later = worlds.START + 100
    past = following(events, [(0, 1), (1, 0)], [worlds.START, later]).before(later)
    assert fitted(past).user_ids.tolist() == worlds.user_ids(1).tolist()


@pytest.mark.parametrize(
    ("pairs", "kind", "lack"),
    [
        ([], worlds.VIEW, "at least 1 follows"),
        ([(0, 0)], worlds.VIEW, "follows of somebody else"),
        ([(0, 1)], worlds.VIEW, "users who follow somebody with a taste"),
        ([(1, 0)], worlds.DISLIKE, "pairs with positive weight"),
    ],
)
def test_too_little_to_learn_from_is_said(pairs: list[tuple[int, int]], kind: int, lack: str) -> None:
    with pytest.raises(NotEnoughData, match=lack):
        fitted(following(worlds.events([(0, 0, kind)]), pairs))


def test_without_a_follow_graph_there_is_nothing_to_learn() -> None:
    with pytest.raises(NotEnoughData, match="follows"):
        fitted(worlds.events([(0, 0, worlds.VIEW)]))
