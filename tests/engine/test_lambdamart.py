"""The learned second stage: what it is told, what it never sees, and that it finds what none of its parts can."""

import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import sparse

from apps.plugins import PluginError
from apps.recommend.engine.algorithms.lambdamart import LambdaMart, LambdaMartModel
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import measure
from apps.recommend.engine.evaluation.splits import Split, temporal_split
from apps.recommend.engine.part_models import queries_of
from apps.recommend.engine.rank_learning import Questions
from apps.recommend.engine.ranking_features import names
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY, Evidence, Interactions, Items, Queries, Query, rows_of
from tests import worlds

BLIND = [{"algorithm": "category_popularity"}, {"algorithm": "popularity"}]
BLIND_NAMES = [part["algorithm"] for part in BLIND]


def learner(**config: Any) -> LambdaMart:
    return LambdaMart(LambdaMart.Config(**{"parts": BLIND, "trees": 60, "patience": 15} | config))


@pytest.fixture(scope="module")
def shop() -> worlds.World:
    return worlds.bargains()


@pytest.fixture(scope="module")
def split(shop: worlds.World) -> Split:
    return temporal_split(shop.interactions, at=worlds.START + 52 * DAY)


@pytest.fixture(scope="module")
def model(shop: worlds.World, split: Split) -> LambdaMartModel:
    return learner().fit(split.train.compact(), shop.items, np.random.default_rng(1))


def known_by(model: Any, shop: worlds.World, user: int, now: int = worlds.NOW, timed: bool = True) -> Query:
    """What the user did, latest first, in the model's rows."""
    done = shop.interactions
    mine = np.flatnonzero(done.users == user)
    mine = mine[np.argsort(-done.times[mine])]
    rows = rows_of(model.item_ids, done.item_ids[done.items[mine]])
    mine, rows = mine[rows >= 0], rows[rows >= 0]
    types = np.full(len(rows), -1, np.int16)
    history = Evidence(rows, done.weights()[mine], types, done.times[mine] if timed else None)
    return Query(history=history, now=now, user=int(done.user_ids[user]))


def test_it_finds_what_takes_two_facts_at_once_and_no_part_can_see(shop: worlds.World, split: Split) -> None:
    def ndcg(algorithm: Any) -> float:
        found = algorithm.fit(split.train.compact(), shop.items, np.random.default_rng(1))
        return float(measure(found, split, n_items=len(shop.items)).per_user["ndcg", 10].mean())

    best_part = max(ndcg(ALGORITHMS.create(name)) for name in BLIND_NAMES)
    assert ndcg(learner(repeats=False)) > 1.2 * best_part


def test_bargain_hunters_are_shown_what_is_cheap_on_their_shelf(model: LambdaMartModel, shop: worlds.World) -> None:
    everything = np.arange(len(model.item_ids), dtype=np.int32)
    groups = shop.item_groups[rows_of(shop.interactions.item_ids, model.item_ids)]
    for user in range(20):
        scores = model.score(known_by(model, shop, user), everything)
        best = np.argsort(-np.nan_to_num(scores, nan=-np.inf))[:5]
        assert np.mean(groups[best] == shop.user_groups[user]) > 0.7


@dataclass
class Listening:
    """An algorithm that notes which events it is shown."""

    inner: Any
    seen: list[Interactions] = field(default_factory=list)
    reads_texts = False

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> Any:
        self.seen.append(interactions)
        return self.inner.fit(interactions, items, rng)


def test_the_parts_behind_a_lesson_know_nothing_of_what_it_asks_for(
    shop: worlds.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm = learner()
    parts = [Listening(ALGORITHMS.create(name)) for name in BLIND_NAMES]
    algorithm._parts = parts
    asked: list[tuple[int, int]] = []
    between = Questions.between

    def noting(past: Interactions, wanted: Interactions, start: int, end: int, *, visits: bool) -> Questions:
        asked.append((start, end))
        return between(past, wanted, start, end, visits=visits)

    monkeypatch.setattr(Questions, "between", noting)
    algorithm.fit(shop.interactions, shop.items, np.random.default_rng(1))
    (first, second), (again, last) = asked
    assert first < second == again < last
    for part in parts:
        before_first, before_second, all_of_it = part.seen
        assert (before_first.as_of, before_second.as_of) == (first, second)
        assert before_first.times.max() < first
        assert before_second.times.max() < second
        assert len(all_of_it) == len(shop.interactions)
    shares = np.quantile(shop.interactions.times, [0.7, 0.85])
    assert abs(first - shares[0]) < 2
    assert abs(second - shares[1]) < 2


def test_questions_are_who_came_again_what_they_had_and_what_they_wanted_since(shop: worlds.World) -> None:
    done, start, end = shop.interactions, worlds.START + 30 * DAY, worlds.START + 40 * DAY
    past = done.before(start)
    for visits in (False, True):
        questions = Questions.between(past, done, start, end, visits=visits)
        rows = rows_of(done.user_ids, questions.asked.users)
        for number, user in enumerate(rows.tolist()):
            mine = done.users == user
            since = mine & (done.times >= start) & (done.times < end)
            assert set(questions.truth[number].indices) == set(done.items[since])
            had = mine & (done.times < start)
            history = questions.asked.histories[number]
            expected = dict(zip(done.items[had].tolist(), done.times[had].tolist(), strict=True))
            assert questions.asked.times is not None
            assert dict(zip(history.indices, questions.asked.times[number].data, strict=True)) == expected
            assert questions.asked.now[number] == (done.times[since].min() if visits else start)
        came_again = {u for u in range(done.n_users) if u in set(past.users) and u in set(_users(done, start, end))}
        assert set(rows) == came_again


def _users(done: Interactions, start: int, end: int) -> NDArray[np.int32]:
    return done.users[(done.times >= start) & (done.times < end)]


def test_hour_and_weekday_are_learned_from_only_where_questions_are_asked_at_visits(shop: worlds.World) -> None:
    columns = names(BLIND_NAMES)
    both = cheap_in_the_morning(shop)
    of_windows, of_visits = (
        learner(feature_share=1.0, asked=asked).fit(both, shop.items, np.random.default_rng(1))
        for asked in ("window", "visit")
    )
    moment = {columns.index("hour"), columns.index("weekday")}
    assert not moment & set(of_windows.trees.feature.tolist())
    assert columns.index("hour") in of_visits.trees.feature
    cheap = shop.item_groups[rows_of(both.item_ids, of_visits.item_ids)] % 2 == 1
    midnight = worlds.NOW // DAY * DAY
    shares = []
    for hour in (9, 20):
        best = []
        for user in np.unique(both.users)[:20]:
            query = known_by(of_visits, replace(shop, interactions=both), user, now=midnight + hour * 3_600)
            scores = of_visits.score(query, np.arange(len(cheap), dtype=np.int32))
            best.append(cheap[np.argsort(-np.nan_to_num(scores, nan=-np.inf))[:8]].mean())
        shares.append(np.mean(best))
    assert shares[0] > shares[1] + 0.2


def cheap_in_the_morning(shop: worlds.World) -> Interactions:
    """The same events of half as many users, who all buy what is cheap before noon and what is dear after."""
    done = shop.interactions
    same = np.arange(done.n_users, dtype=np.int32)
    for group in range(0, int(shop.user_groups.max()), 2):
        dear, cheap = (np.flatnonzero(shop.user_groups == one) for one in (group, group + 1))
        size = min(len(dear), len(cheap))
        same[dear[:size]] = cheap[:size]
    hours = np.random.default_rng(5).integers(0, 12, len(done)) + np.where(shop.item_groups[done.items] % 2, 0, 12)
    return replace(done, users=same[done.users], times=done.times // DAY * DAY + hours * 3_600)


def test_evidence_without_times_is_taken_as_of_the_usual_age(model: LambdaMartModel, shop: worlds.World) -> None:
    everything = np.arange(len(model.item_ids), dtype=np.int32)
    query = known_by(model, shop, 3, timed=False)
    found, features = model.looked_at(queries_of(query, len(model.item_ids)))
    table = dict(zip(names(BLIND_NAMES), features.T, strict=True))
    assert (model.usual[:2] > 0).all()
    np.testing.assert_allclose(table["idle_days"], model.usual[0], rtol=1e-6)
    had = np.isin(found.rows, query.history.rows)
    assert had.any()
    np.testing.assert_allclose(table["own_days"][had], model.usual[1], rtol=1e-6)
    assert np.isnan(table["own_days"][~had]).all()
    assert np.isfinite(model.score(query, everything)[found.rows]).all()


def test_one_asked_alone_and_among_many_gets_the_same_scores_with_times_and_moment(
    model: LambdaMartModel, shop: worlds.World
) -> None:
    everything = np.arange(len(model.item_ids), dtype=np.int32)
    alone = [known_by(model, shop, user, now=worlds.NOW + user * 1_000) for user in range(6)]
    each = [queries_of(query, len(model.item_ids)) for query in alone]
    together = Queries(
        sparse.vstack([one.histories for one in each]).tocsr(),
        sparse.vstack([one.times for one in each]).tocsr(),
        np.concatenate([one.users for one in each]),
        np.concatenate([one.now for one in each]),
    )
    for scores, query in zip(model.score_queries(together), alone, strict=True):
        np.testing.assert_allclose(scores, model.score(query, everything), rtol=1e-5)


def test_where_repeats_are_not_wanted_what_the_user_had_scores_nothing(shop: worlds.World) -> None:
    model = learner(repeats=False).fit(shop.interactions, shop.items, np.random.default_rng(1))
    query = known_by(model, shop, 5)
    assert np.isnan(model.score(query, query.history.rows)).all()
    assert np.isfinite(model.score(query, np.arange(len(model.item_ids), dtype=np.int32))).any()


def test_a_part_that_cannot_be_fitted_is_silent_and_stays_so_when_stored(shop: worlds.World) -> None:
    algorithm = learner(parts=[*BLIND, {"algorithm": "social"}])
    assert algorithm.reads_follows
    assert not algorithm.reads_texts
    model = algorithm.fit(shop.interactions, shop.items, np.random.default_rng(1))
    assert model.parts.models[2] is None
    arrays = model.to_arrays()
    assert all(re.fullmatch(r"\w{1,60}", name) for name in arrays)
    twin = LambdaMartModel.from_arrays(arrays)
    query = known_by(model, shop, 2)
    rows = np.arange(len(model.item_ids), dtype=np.int32)
    np.testing.assert_array_equal(twin.score(query, rows), model.score(query, rows))


def test_when_no_part_can_be_fitted_it_says_what_is_missing(shop: worlds.World) -> None:
    with pytest.raises(NotEnoughData, match="follows"):
        learner(parts=[{"algorithm": "social"}]).fit(shop.interactions, shop.items, np.random.default_rng(1))


def test_too_few_who_came_again_are_refused_in_plain_words(shop: worlds.World) -> None:
    few = shop.interactions.select(shop.interactions.users < 8)
    with pytest.raises(NotEnoughData, match="at least 20 users with events both before and in the time"):
        learner().fit(few, shop.items, np.random.default_rng(1))
    with pytest.raises(NotEnoughData, match="users who wanted one of their candidates later"):
        learner(candidates=1, repeats=False, min_users=60).fit(shop.interactions, shop.items, np.random.default_rng(1))


def test_only_events_of_the_named_types_are_foreseen(shop: worlds.World) -> None:
    with pytest.raises(NotEnoughData, match="there are 0"):
        learner(events=["view_item"]).fit(shop.interactions, shop.items, np.random.default_rng(1))


def test_parts_are_checked_when_the_recipe_is_read() -> None:
    with pytest.raises(PluginError, match="no algorithm is called 'nothing'"):
        learner(parts=[{"algorithm": "nothing"}])
    with pytest.raises(ValidationError, match="neighbors"):
        learner(parts=[{"algorithm": "item_knn", "parameters": {"neighbors": 3}}])
    with pytest.raises(ValidationError, match="leave less than a tenth"):
        learner(label_share=0.45, choose_share=0.46)


def test_a_part_looks_through_its_own_lens(shop: worlds.World) -> None:
    trending = {"algorithm": "popularity", "parameters": {"window_days": 5.0}}
    narrow = learner(parts=[trending]).fit(shop.interactions, shop.items, np.random.default_rng(1)).parts.models[0]
    expected = shop.interactions.select(shop.interactions.as_of - shop.interactions.times <= 5 * DAY)
    alone = ALGORITHMS.create("popularity").fit(expected, shop.items, np.random.default_rng(1))
    np.testing.assert_array_equal(narrow.to_arrays()["popularity"], alone.popularity)


def test_serving_a_stored_model_does_without_what_trained_it(model: LambdaMartModel, tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", **model.to_arrays())
    code = (
        "import sys, numpy as np\n"
        "from apps.recommend.engine.registries import ALGORITHMS\n"
        "from apps.recommend.engine.types import Evidence, Query\n"
        f"arrays = dict(np.load({str(tmp_path / 'model.npz')!r}, allow_pickle=False))\n"
        "model = ALGORITHMS['lambdamart'].Model.from_arrays(arrays)\n"
        "scores = model.score(Query(history=Evidence.of_rows([1, 2])), np.arange(9, dtype=np.int32))\n"
        "print(np.isfinite(scores).any(), 'lightgbm' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@dataclass(eq=False)
class Timed:
    """A model that remembers what it was asked."""

    item_ids: NDArray[np.int64]
    asked: list[Queries] = field(default_factory=list)

    def score_queries(self, asked: Queries) -> NDArray[np.float32]:
        self.asked.append(asked)
        return np.zeros(asked.histories.shape, np.float32)


def test_evaluation_tells_who_asks_when_and_when_they_did_what(shop: worlds.World, split: Split) -> None:
    model = Timed(shop.items.ids)
    measure(model, split, n_items=len(shop.items))  # type: ignore[arg-type]
    [asked] = model.asked
    np.testing.assert_array_equal(asked.users, split.train.user_ids[split.users])
    assert (asked.now == split.at).all()
    assert asked.times is not None
    for number, user in enumerate(split.users):
        mine = split.train.users == user
        times = dict(zip(split.train.items[mine], split.train.times[mine], strict=True))
        assert dict(zip(asked.times[number].indices, asked.times[number].data, strict=True)) == times
