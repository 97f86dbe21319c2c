"""Splits by time, full rankings, bootstrap intervals, and the whole of it on a planted world."""

import json
from typing import Any

import numpy as np
import pytest

from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation import compare, ranking
from apps.recommend.engine.evaluation.evaluate import compare as compare_measured
from apps.recommend.engine.evaluation.evaluate import evaluate, measure
from apps.recommend.engine.evaluation.splits import Split, items_as_of, temporal_split
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY, Items
from tests import worlds

CUT = worlds.NOW - 10 * DAY
BEFORE, AFTER = CUT - 1, CUT


def small() -> Any:
    """User 0 buys 0, then 0 and 1; user 1 views 2, then buys 2; user 2 is new; user 3 never comes back."""
    rows = [
        (0, 0, worlds.PURCHASE, BEFORE),
        (0, 0, worlds.PURCHASE, AFTER),
        (0, 1, worlds.PURCHASE, AFTER),
        (1, 2, worlds.VIEW, BEFORE),
        (1, 2, worlds.PURCHASE, AFTER),
        (2, 1, worlds.PURCHASE, AFTER),
        (3, 1, worlds.PURCHASE, BEFORE),
        (3, 2, worlds.DISLIKE, AFTER),
        (0, 2, worlds.IMPRESSION, AFTER),
    ]
    return worlds.events([row[:3] for row in rows], times=[row[3] for row in rows])


def truth(split: Split) -> dict[int, set[int]]:
    return {int(u): set(split.truth[i].indices.tolist()) for i, u in enumerate(split.users)}


def test_truth_is_what_known_users_newly_wanted_after_the_cut() -> None:
    assert truth(temporal_split(small(), at=CUT, events=["purchase"])) == {0: {1}, 1: {2}}
    assert truth(temporal_split(small(), at=CUT)) == {0: {1}}  # user 1 had viewed it
    assert truth(temporal_split(small(), at=CUT, new_only=False)) == {0: {0, 1}, 1: {2}}


def test_the_training_part_ends_before_the_cut_and_is_seen_from_it() -> None:
    split = temporal_split(small(), at=CUT)
    assert split.train.times.max() == BEFORE
    assert split.train.as_of == CUT
    assert split.train.n_items == small().n_items


def test_the_window_can_end_early() -> None:
    with pytest.raises(NotEnoughData, match="before and after"):
        temporal_split(small(), at=CUT, until=CUT)


def test_no_past_and_no_future_are_both_refused() -> None:
    with pytest.raises(NotEnoughData, match="before the split"):
        temporal_split(small(), at=BEFORE)
    with pytest.raises(NotEnoughData, match="before and after"):
        temporal_split(small(), at=worlds.NOW)


def test_items_that_did_not_exist_yet_are_hidden() -> None:
    items = worlds.catalog(4, ["a", "b", "c", "d"])
    published = items.published.copy()
    published[[1, 2, 3]] = [CUT, CUT + 1, CUT + 1]
    parents = np.array([-1, -1, 1, 0], np.int32)
    items = Items(**{**vars(items), "published": published, "parents": parents})
    past = items_as_of(items, small(), CUT)
    np.testing.assert_array_equal(past.ids, worlds.item_ids(4)[:3])  # row 2: an event before, so it did exist
    np.testing.assert_array_equal(past.parents, [-1, -1, 1])
    assert past.texts == ["a", "b", "c"]


def test_histories_hold_the_latest_events_of_each_user_in_order_of_asking() -> None:
    triples = [(1, i, worlds.VIEW) for i in range(4)] + [(0, 5, worlds.VIEW), (2, 1, worlds.VIEW)]
    interactions = worlds.events(triples, times=[worlds.NOW - 100 + i for i in range(6)])
    found = ranking.histories(interactions, np.array([0, 1], np.int32), 2)
    assert [set(found[i].indices.tolist()) for i in range(2)] == [{5}, {2, 3}]
    everything = ranking.histories(interactions, np.array([1], np.int32), None)
    np.testing.assert_allclose(everything.toarray()[0], interactions.matrix().toarray()[1])


def test_top_rows_are_those_of_sorting_with_nan_last() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 50)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.7] = np.nan
    for k in (1, 10, 50, 60):
        rows = ranking.top_rows(scores, k)
        assert rows.shape == (20, min(k, 50))
        for user in range(20):
            finite = np.flatnonzero(~np.isnan(scores[user]))
            expected = finite[np.argsort(-scores[user][finite])][:k]
            np.testing.assert_array_equal(rows[user][: len(expected)], expected)
            assert (rows[user][len(expected) :] == -1).all()


def test_ties_do_not_favour_low_rows() -> None:
    rows = ranking.top_rows(np.zeros((2, 1000), np.float32), 100)
    assert 300 < rows[0].mean() < 700
    np.testing.assert_array_equal(rows[0], rows[1])
    zeros = np.array([[0.0, -0.0, 0.0, -0.0]], np.float32)
    np.testing.assert_array_equal(ranking.top_rows(zeros, 4), ranking.top_rows(np.abs(zeros), 4))


def test_items_the_user_had_are_left_out_only_when_asked() -> None:
    split = temporal_split(small(), at=CUT)  # user 0 had item 0
    model = PopularityModel(worlds.item_ids(3), np.array([3, 2, 1], np.float32))
    asked = {"n_items": 3, "ks": (2,), "metrics": ("recall", "mrr")}
    assert measure(model, split, **asked).recommended.tolist() == [[1, 2]]
    with_all = measure(model, split, exclude_had=False, **asked)
    assert with_all.recommended.tolist() == [[0, 1]]
    assert with_all.per_user["mrr", 2].tolist() == [0.5]


def test_a_model_of_other_items_is_asked_about_the_ones_it_knows() -> None:
    split = temporal_split(small(), at=CUT)
    stranger = 1  # an id no event names, before all others
    model = PopularityModel(np.array([stranger, *worlds.item_ids(2)]), np.array([9, 8, 7], np.float32))
    found = measure(model, split, n_items=4, ks=(3,), metrics=("recall", "mrr", "coverage"))
    assert found.recommended.tolist() == [[small().n_items, 1, -1]]
    assert found.per_user["mrr", 3].tolist() == [0.5]
    assert found.overall["coverage", 3] == 2 / 4


def test_models_with_and_without_batches_are_ranked_alike(world: worlds.World, fitted: Any) -> None:
    class OneByOne:
        def __init__(self, model: Any) -> None:
            self.item_ids, self.score = model.item_ids, model.score

    split = temporal_split(world.interactions, at=CUT)
    for name in ALGORITHMS:
        both = [
            measure(model, split, n_items=80).per_user["ndcg", 10] for model in (fitted(name), OneByOne(fitted(name)))
        ]
        np.testing.assert_allclose(both[0], both[1], atol=0.02)


def test_small_batches_change_nothing(world: worlds.World, fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    split = temporal_split(world.interactions, at=CUT)
    whole = measure(fitted("item_knn"), split, n_items=80)
    monkeypatch.setattr(ranking, "BATCH_SCORES", 200)
    np.testing.assert_array_equal(measure(fitted("item_knn"), split, n_items=80).recommended, whole.recommended)


def test_bootstrap_intervals_are_those_of_theory() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(900, 1))
    (interval,) = compare.intervals(values, np.random.default_rng(1))
    expected = 1.96 * values.std() / 30
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.mean == pytest.approx(expected, rel=0.1)
    assert interval.mean - interval.low == pytest.approx(expected, rel=0.1)


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    users = rng.normal(0.0, 5.0, size=500)  # users differ far more than models do
    ours, theirs = users + 0.1 + rng.normal(0, 0.2, 500), users
    (difference,) = compare.intervals((ours - theirs)[:, None], np.random.default_rng(1))
    assert difference.low > 0
    alone = compare.intervals(np.stack([ours, theirs], axis=1), np.random.default_rng(1))
    assert alone[0].low < alone[1].high


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        (interval,) = compare.intervals(rng.normal(size=(80, 1)), rng, resamples=400)
        covered += interval.low <= 0 <= interval.high
    assert 0.88 < covered / 200 < 0.99


def test_resampling_in_blocks_uses_every_user_once_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "DRAWS_AT_ONCE", 700)
    means = compare.bootstrap_means(np.ones((300, 2)), np.random.default_rng(0), resamples=7)
    np.testing.assert_allclose(means, np.ones((7, 2)))


def test_models_that_learn_the_planted_tastes_surely_beat_popularity(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn", "als", "content")}
    result = evaluate(recipes, world.interactions, world.items, split, seed=3, ks=(5, 10))
    for name in ("item_knn", "als", "content"):
        difference = result.difference(name, "popularity", "recall@10")
        assert difference.low > 0
        assert difference.sure
        mean = result.figure(name, "recall@10").mean - result.figure("popularity", "recall@10").mean
        assert difference.mean == pytest.approx(mean)
    assert result.n_users == len(split.users)
    assert "minus item_knn" in str(result)
    read = json.loads(result.to_json())
    assert {figure["metric"] for figure in read["figures"]} >= {"ndcg@5", "map@10", "coverage@10"}
    with pytest.raises(KeyError):
        result.figure("als", "recall@7")


def test_a_model_without_data_is_named_and_the_others_are_compared(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create("popularity") for name in ("popularity", "a", "b", "c", "d")}
    recipes["together"] = ALGORITHMS.create("item_knn", {"events": ["add_to_cart"]})
    result = evaluate(recipes, world.interactions, world.items, split, seed=3)
    assert list(result.skipped) == ["together"]
    assert "together is left out: it needs at least 1" in str(result)
    assert {figure.model for figure in result.figures} == {"popularity", "a", "b", "c", "d"}
    assert max(map(len, str(result).splitlines())) <= 160


def test_the_same_seed_gives_the_same_evaluation(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "als")}
    one, two = (evaluate(recipes, world.interactions, world.items, split, seed=3) for _ in range(2))
    assert one.figures == two.figures
    assert one.differences == two.differences


def test_a_model_does_not_differ_from_itself(world: worlds.World, fitted: Any) -> None:
    split = temporal_split(world.interactions, at=CUT)
    measured = measure(fitted("als"), split, n_items=80)
    for interval in compare_measured(measured, measured, seed=0).values():
        assert (interval.mean, interval.low, interval.high) == (0, 0, 0)
