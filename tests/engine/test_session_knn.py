"""Session neighbourhoods against a plain implementation of the papers' formulas, one dictionary at a time."""

from collections import defaultdict
from dataclasses import replace
from math import exp, inf, log, log2, sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.algorithms.session_knn import LONGEST, SessionKnn, SessionKnnModel
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.types import DAY, Evidence, Interactions, Query
from tests import worlds

VS_KNN: dict[str, Any] = {"k": 40, "sample_size": 120}
STAN: dict[str, Any] = VS_KNN | {"spw": 1.6, "snh": 5.0, "inh": 2.7, "similarity": "cosine", "idf_weighting": 0.0}
V_STAN: dict[str, Any] = STAN | {"idf_weighting": 5.0, "shared_weighting": "quadratic", "recent": 3}
FADING = {
    "same": lambda step, length: 1.0,
    "linear": lambda step, length: (length - step) / length,
    "quadratic": lambda step, length: ((length - step) / length) ** 2,
    "logarithmic": lambda step, length: 1 / log2(step + 2),
    "reciprocal": lambda step, length: 1 / (step + 1),
}


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """600 sessions of 2 to 9 events, with popular items, repetitions and dislikes; no two events at one time."""
    rng = np.random.default_rng(3)
    triples, times, sessions = [], [], []
    moments = rng.permutation(worlds.DAYS * DAY)[:600]
    for session in range(600):
        for position in range(int(rng.integers(2, 10))):
            kind = worlds.DISLIKE if rng.random() < 0.05 else worlds.VIEW
            triples.append((session % 90, int(60 * rng.random() ** 2), kind))
            times.append(worlds.START + int(moments[session]) * 16 + position)
            sessions.append(session)
    shuffled = rng.permutation(len(triples))
    return worlds.events(
        [triples[i] for i in shuffled], times=[times[i] for i in shuffled], sessions=[sessions[i] for i in shuffled],
        n_users=90, n_items=60,
    )  # fmt: skip


def fitted(interactions: Interactions, **config: Any) -> SessionKnnModel:
    items = worlds.catalog(interactions.n_items)
    return SessionKnn(SessionKnn.Config(**config)).fit(interactions, items, np.random.default_rng(0))


def past_sessions(interactions: Interactions) -> list[tuple[int, list[int]]]:
    """(time, item ids in the order they were last wanted) of each session with two items, latest first."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for session, item, time, weight in zip(
        interactions.sessions.tolist(), interactions.items.tolist(), interactions.times.tolist(),
        interactions.weights().tolist(), strict=True,
    ):  # fmt: skip
        if weight > 0:
            wanted = found[session]
            wanted[item] = max(wanted.get(item, 0), time)
    sessions = [
        (max(wanted.values()), [int(interactions.item_ids[item]) for item in sorted(wanted, key=wanted.__getitem__)])
        for wanted in found.values()
        if len(wanted) > 1
    ]
    return sorted(sessions, reverse=True)


def expected(interactions: Interactions, current: list[int], config: SessionKnn.Config) -> dict[int, float]:
    """Scores by item id for the current session's item ids, latest first."""
    sessions = past_sessions(interactions)
    current = current[: config.recent]
    length = len(current)
    fading, shared_fading = FADING[config.weighting], FADING[config.shared_weighting]
    sampled = [one for one in sessions if set(one[1]) & set(current)][: config.sample_size]
    newest = max(time for time, _ in sampled) if sampled else 0
    neighbours = []
    for time, items in sampled:
        similarity = 0.0
        for step, item in enumerate(current):
            if item in items:
                similarity += fading(step, length) if config.spw is None else exp(-step / config.spw)
        if config.similarity == "cosine":
            similarity /= sqrt(length * len(items))
        if config.snh is not None:
            similarity *= exp((time - newest) / DAY / config.snh)
        neighbours.append((float(np.float32(similarity)), time, items))
    neighbours.sort(key=lambda one: (one[0], one[1]), reverse=True)
    scores: dict[int, float] = defaultdict(float)
    for similarity, _, items in neighbours[: config.k]:
        step, latest = next((step, item) for step, item in enumerate(current) if item in items)
        for place, item in enumerate(items):
            distance = abs(place - items.index(latest))
            near = 1.0 if config.inh is None else exp(-distance / config.inh)
            scores[item] += similarity * shared_fading(step, length) * near
    having = {item: sum(item in items for _, items in sessions) for item in scores}
    return {
        item: score * (1 + config.idf_weighting * log(len(sessions) / having[item]) / log(len(sessions)))
        for item, score in scores.items()
    }


def scored(model: SessionKnnModel, current: list[int]) -> NDArray[np.float32]:
    history = Evidence.of_rows([int(np.searchsorted(model.item_ids, item)) for item in current])
    return model.score(Query(history=history), np.arange(len(model.item_ids), dtype=np.int32))


@pytest.mark.parametrize(
    "config",
    [
        VS_KNN,
        *(VS_KNN | {"weighting": weighting, "shared_weighting": weighting} for weighting in FADING),
        VS_KNN | {"k": 10_000, "sample_size": 10_000},
        VS_KNN | {"k": 1, "sample_size": 2},
        STAN,
        V_STAN,
    ],
)
def test_scores_are_those_of_the_papers_formulas(interactions: Interactions, config: dict[str, Any]) -> None:
    model = fitted(interactions, **config)
    rng = np.random.default_rng(8)
    for length in (1, 2, 3, 6, 12):
        current = rng.choice(model.item_ids, length, replace=False).tolist()
        wanted = expected(interactions, current, SessionKnn.Config(**config))
        scores = scored(model, current)
        told = dict(zip(model.item_ids[~np.isnan(scores)].tolist(), scores[~np.isnan(scores)].tolist(), strict=True))
        assert told.keys() == wanted.keys()
        for item, score in wanted.items():
            assert told[item] == pytest.approx(score, rel=1e-4), (length, item)


def test_the_order_of_the_current_session_decides(interactions: Interactions) -> None:
    model = fitted(interactions, **VS_KNN)
    current = model.item_ids[[4, 20, 33]].tolist()
    assert not np.array_equal(scored(model, current), scored(model, current[::-1]), equal_nan=True)


def test_contributions_say_what_each_item_of_the_current_session_added(interactions: Interactions) -> None:
    model = fitted(interactions, **V_STAN | {"recent": 6})
    rows = np.arange(len(model.item_ids), dtype=np.int32)
    evidence = Evidence.of_rows([4, 20, 4, 33])
    parts = model.contributions(Query(history=evidence), rows)
    np.testing.assert_allclose(parts.sum(axis=1), np.nan_to_num(model.score(Query(history=evidence), rows)), rtol=1e-4)
    assert (parts[:, 2] == 0).all(), "an item speaks once, where it stands latest"
    assert all(parts[:, place].any() for place in (0, 1, 3))


def test_what_was_disliked_is_no_part_of_the_current_session(interactions: Interactions) -> None:
    model = fitted(interactions, **VS_KNN)
    rows = np.arange(len(model.item_ids), dtype=np.int32)
    none = np.full(3, -1, np.int16)
    mixed = Evidence(np.array([4, 20, 33], np.int32), np.array([2.0, -4.0, 0.5], np.float32), none)
    np.testing.assert_array_equal(
        model.score(Query(history=mixed), rows), model.score(Query(history=Evidence.of_rows([4, 33])), rows)
    )


def test_events_without_a_session_are_grouped_by_user_and_day() -> None:
    visits = [(0, 0, 0, 10), (0, 1, 0, 20), (0, 2, 1, 0), (0, 3, 1, 30), (1, 0, 0, 40), (1, 4, 0, 50)]
    start = worlds.START // DAY * DAY
    interactions = worlds.events(
        [(user, item, worlds.VIEW) for user, item, _, _ in visits],
        times=[start + day * DAY + second for _, _, day, second in visits],
        n_items=5,
    )
    model = fitted(interactions)
    assert np.diff(model.session_ends).tolist() == [2, 2, 2]
    assert [set(part.tolist()) for part in np.split(model.session_items, model.session_ends[1:-1])] == [
        {2, 3}, {0, 4}, {0, 1},
    ]  # fmt: skip
    assert not np.isnan(scored(model, [7])[[0, 1, 4]]).any()
    assert np.isnan(scored(model, [7])[[2, 3]]).all()


def test_sessions_and_days_do_not_mix() -> None:
    interactions = worlds.events([(0, item, worlds.VIEW) for item in range(4)], sessions=[0, 0, -1, -1])
    model = fitted(interactions)
    assert sorted(sorted(part.tolist()) for part in np.split(model.session_items, [2])) == [[0, 1], [2, 3]]


def test_only_the_asked_events_are_learned_from() -> None:
    triples = [(0, 0, worlds.VIEW), (0, 1, worlds.VIEW), (0, 2, worlds.PURCHASE), (0, 3, worlds.PURCHASE)]
    model = fitted(worlds.events(triples, sessions=[0] * 4), events=["purchase"])
    assert model.item_ids.tolist() == worlds.item_ids(4)[2:].tolist()


def test_of_an_endless_session_the_latest_items_are_kept() -> None:
    count = LONGEST + 50
    interactions = worlds.events(
        [(0, item, worlds.VIEW) for item in range(count)], times=list(range(count)), sessions=[0] * count, as_of=count
    )
    model = fitted(interactions)
    assert model.item_ids.tolist() == worlds.item_ids(count)[50:].tolist()
    assert model.session_items.tolist() == list(range(LONGEST)), "in order of time"


def test_of_equally_like_sessions_the_latest_are_the_nearest() -> None:
    triples = [(user, item, worlds.VIEW) for user in range(5) for item in (0, user + 1)]
    times = [worlds.NOW - 100 * (user % 4) + item for user, item, _ in triples]
    model = fitted(worlds.events(triples, times=times, sessions=[user for user, _, _ in triples]), k=2)
    found = np.flatnonzero(~np.isnan(scored(model, [7])))
    assert found.tolist() == [0, 1, 5], "the sessions of users 0 and 4 are the latest"


def test_sessions_far_apart_in_time_lose_all_weight_without_a_warning() -> None:
    triples = [(user, item, worlds.VIEW) for user in range(2) for item in (0, user + 1)]
    interactions = worlds.events(triples, times=[10, 20, worlds.NOW, worlds.NOW], sessions=[0, 0, 1, 1])
    worth = {code: replace(one, half_life_days=inf) for code, one in interactions.worth.items()}
    interactions = replace(interactions, worth=worth)
    with np.errstate(all="raise", under="ignore"):
        scores = scored(fitted(interactions, snh=2.5), [7])
    assert scores[1] == 0
    assert scores[2] > 0


def test_without_a_session_of_two_items_there_is_nothing_to_learn() -> None:
    with pytest.raises(NotEnoughData, match="at least 1 sessions with two items"):
        fitted(worlds.events([(0, 0, worlds.VIEW), (1, 1, worlds.VIEW)], sessions=[0, 1]))
    with pytest.raises(NotEnoughData):
        fitted(worlds.events([]))
