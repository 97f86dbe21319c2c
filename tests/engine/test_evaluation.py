"""What models are asked and how they are measured, and the whole of it on a planted world."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apps.plugins import PluginError
from apps.recommend.engine import progress
from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.evaluation import ranking
from apps.recommend.engine.evaluation.evaluate import Protocol, evaluate, evaluate_tasks, measure
from apps.recommend.engine.evaluation.evaluate import compare as compare_measured
from apps.recommend.engine.evaluation.newest_first import NewestFirst
from apps.recommend.engine.evaluation.splits import temporal_split
from apps.recommend.engine.evaluation.tasks import Task, task_split
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY, Query
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


def test_histories_hold_the_latest_events_of_each_user_in_order_of_asking() -> None:
    triples = [(1, i, worlds.VIEW) for i in range(4)] + [(0, 5, worlds.VIEW), (2, 1, worlds.VIEW)]
    interactions = worlds.events(triples, times=[worlds.NOW - 100 + i for i in range(6)])
    found = ranking.histories(interactions, np.array([0, 1], np.int32), 2)
    assert [set(found[i].indices.tolist()) for i in range(2)] == [{5}, {2, 3}]
    everything = ranking.histories(interactions, np.array([1], np.int32), None)
    np.testing.assert_allclose(everything.toarray()[0], interactions.matrix().toarray()[1])


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
    for name in ("popularity", "item_knn", "als", "content"):
        both = [
            measure(model, split, n_items=80).per_user["ndcg", 10] for model in (fitted(name), OneByOne(fitted(name)))
        ]
        np.testing.assert_allclose(both[0], both[1], atol=0.02)


def test_small_batches_change_nothing(world: worlds.World, fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    split = temporal_split(world.interactions, at=CUT)
    whole = measure(fitted("item_knn"), split, n_items=80)
    monkeypatch.setattr(ranking, "BATCH_SCORES", 200)
    np.testing.assert_array_equal(measure(fitted("item_knn"), split, n_items=80).recommended, whole.recommended)


def test_models_that_learn_the_planted_tastes_surely_beat_popularity(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn", "als", "content")}
    result = evaluate(recipes, world.items, split, Protocol(seed=3, ks=(5, 10)))
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
    result = evaluate(recipes, world.items, split, Protocol(seed=3))
    assert list(result.skipped) == ["together"]
    assert "together is left out: it needs at least 1" in str(result)
    assert {figure.model for figure in result.figures} == {"popularity", "a", "b", "c", "d"}
    assert max(map(len, str(result).splitlines())) <= 150


def test_the_same_seed_gives_the_same_evaluation(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "als")}
    one, two = (evaluate(recipes, world.items, split, Protocol(seed=3)) for _ in range(2))
    assert one.figures == two.figures
    assert one.differences == two.differences


def test_a_model_does_not_differ_from_itself(world: worlds.World, fitted: Any) -> None:
    split = temporal_split(world.interactions, at=CUT)
    measured = measure(fitted("als"), split, n_items=80)
    for interval in compare_measured(measured, measured, seed=0).values():
        assert (interval.mean, interval.low, interval.high) == (0, 0, 0)


def test_splits_that_share_their_past_share_the_fitted_models(world: worlds.World) -> None:
    train = world.interactions.before(CUT)
    fits = []

    class Counted:
        Model, collaborative, reads_texts = PopularityModel, False, False

        def fit(self, interactions: Any, items: Any, rng: Any) -> PopularityModel:
            fits.append(len(interactions))
            return ALGORITHMS.create("popularity").fit(interactions, items, rng)

    tasks = {
        "new": [task_split(world.interactions, train, Task(), at=CUT)],
        "all": [task_split(world.interactions, train, Task(new_only=False), at=CUT)],
    }
    found = evaluate_tasks({"counted": Counted()}, world.items, tasks, Protocol(seed=1))
    assert fits == [len(train)]
    assert found["new"].new_only
    assert not found["all"].new_only
    assert found["all"].n_truth > found["new"].n_truth


def test_cutoffs_are_pooled_by_user(world: worlds.World) -> None:
    starts = [CUT - 10 * DAY, CUT]
    splits = [temporal_split(world.interactions, at=at, until=at + 10 * DAY) for at in starts]
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn")}
    pooled = evaluate_tasks(recipes, world.items, {"": splits}, Protocol(seed=3))[""]
    alone = [evaluate(recipes, world.items, split, Protocol(seed=3)) for split in splits]
    sizes = np.array([one.n_observations for one in alone])
    assert pooled.n_observations == sizes.sum()
    assert pooled.n_users == len(np.union1d(*(split.users for split in splits))) < sizes.sum()
    for model in recipes:
        means = [one.figure(model, "ndcg@10").mean for one in alone]
        assert pooled.figure(model, "ndcg@10").mean == pytest.approx(np.average(means, weights=sizes))
        assert [cutoff.means[model]["ndcg@10"] for cutoff in pooled.cutoffs] == pytest.approx(means)
        coverage = [one.figure(model, "coverage@10").mean for one in alone]
        assert pooled.figure(model, "coverage@10").mean == pytest.approx(np.mean(coverage))


class Clock:
    """Stands still until somebody lets time pass."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


class Slow:
    """Takes its time, and says how far it is. `seconds` is how long each fit takes, the last of them ever after."""

    Model, collaborative, reads_texts = PopularityModel, False, False

    def __init__(self, clock: Clock, *seconds: float) -> None:
        self.clock, self.seconds = clock, list(seconds)

    def fit(self, interactions: Any, items: Any, rng: Any) -> Any:
        self.clock.time += self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        progress.report("slow", 1, 1)
        return ALGORITHMS.create("popularity").fit(interactions, items, rng)


def test_a_run_out_of_time_shows_the_models_that_were_asked(world: worlds.World, clock: Clock) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {"popularity": Slow(clock, 1), "slow": Slow(clock, 25), "never": Slow(clock, 1)}
    result = evaluate(recipes, world.items, split, Protocol(seed=1, budget_seconds=20))
    assert result.models == ["popularity"]
    assert set(result.skipped) == {"slow", "never"}
    assert "stopped after 20 seconds" in str(result)


def test_a_run_out_of_time_keeps_the_cutoffs_that_all_models_saw(world: worlds.World, clock: Clock) -> None:
    splits = [temporal_split(world.interactions, at=at) for at in (CUT - 5 * DAY, CUT)]
    recipes = {"popularity": Slow(clock, 1), "other": Slow(clock, 1, 25)}
    result = evaluate_tasks(recipes, world.items, {"": splits}, Protocol(seed=1, budget_seconds=20))[""]
    assert result.models == ["popularity", "other"]
    assert [cutoff.at for cutoff in result.cutoffs] == [CUT - 5 * DAY]
    assert "1 of 2 splits" in result.stopped


def test_a_model_that_needs_too_much_memory_is_left_out_and_named(world: worlds.World, clock: Clock) -> None:
    class Greedy(Slow):
        def fit(self, interactions: Any, items: Any, rng: Any) -> Any:
            raise MemoryError

    split = temporal_split(world.interactions, at=CUT)
    recipes = {"popularity": Slow(clock, 1), "greedy": Greedy(clock, 1)}
    result = evaluate(recipes, world.items, split, Protocol(seed=1))
    assert result.models == ["popularity"]
    assert "greedy is left out: it needs more memory than it may use." in str(result)


def test_a_run_without_any_result_in_time_says_so(world: worlds.World, clock: Clock) -> None:
    split = temporal_split(world.interactions, at=CUT)
    with pytest.raises(progress.OutOfTime, match="time allowed"):
        evaluate({"slow": Slow(clock, 2)}, world.items, split, Protocol(seed=1, budget_seconds=1))


def test_tasks_that_were_whole_when_time_ran_out_are_shown_as_they_are(world: worlds.World, clock: Clock) -> None:
    at = CUT - 5 * DAY
    tasks = {"whole": [temporal_split(world.interactions, at=at)], "late": [temporal_split(world.interactions, at=CUT)]}
    recipes = {"popularity": Slow(clock, 1, 25)}
    found = evaluate_tasks(recipes, world.items, tasks, Protocol(seed=1, budget_seconds=20))
    assert list(found) == ["whole"]
    assert (found["whole"].stopped, found["whole"].models) == ("", ["popularity"])


def test_a_run_with_time_to_spare_is_whole(world: worlds.World, clock: Clock) -> None:
    split = temporal_split(world.interactions, at=CUT)
    heard = []
    with progress.listening(lambda what, done, total: heard.append((what, done, total))):
        result = evaluate({"slow": Slow(clock, 1)}, world.items, split, Protocol(seed=1, budget_seconds=600))
    assert (result.stopped, result.skipped) == ("", {})
    assert ("evaluate", 1, 1) in heard  # a limit does not keep others from listening


class Constant:
    """Says the same of every item, or nothing at all."""

    def __init__(self, item_ids: Any, value: float) -> None:
        self.item_ids, self.value = item_ids, value

    def score_batch(self, histories: Any) -> Any:
        return np.full(histories.shape, self.value, dtype=np.float32)


def test_scores_that_say_nothing_recommend_nothing(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    for value in (np.nan, -np.inf):
        found = measure(Constant(world.interactions.item_ids, value), split, n_items=80)
        assert (found.recommended == -1).all()
        assert found.per_user["ndcg", 10].sum() == 0
        assert found.overall["coverage", 10] == 0


def test_identical_scores_recommend_a_fixed_list_that_is_no_better_than_chance(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    found = measure(Constant(world.interactions.item_ids, 1.0), split, n_items=80, exclude_had=False)
    assert len(np.unique(found.recommended, axis=0)) == 1
    chance = 10 / 80
    assert found.per_user["recall", 10].mean() == pytest.approx(chance, abs=0.08)


def test_one_user_and_one_item_are_enough_to_be_measured() -> None:
    interactions = worlds.events([(0, 0, worlds.PURCHASE)] * 2, times=[BEFORE, AFTER])
    split = temporal_split(interactions, at=CUT, new_only=False)
    result = evaluate({"popularity": ALGORITHMS.create("popularity")}, worlds.catalog(1), split, Protocol(seed=1))
    figure = result.figure("popularity", "ndcg@10")
    assert (figure.mean, figure.low, figure.high) == (1.0, 1.0, 1.0)
    assert result.n_users == 1


def test_a_metric_can_be_asked_for_with_what_it_goes_by(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    protocol = Protocol(seed=1, metrics=("diversity_by_vectors",), likeness=ALGORITHMS.create("content"))
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "content")}
    result = evaluate(recipes, world.items, split, protocol)
    of = {name: result.figure(name, "diversity_by_vectors@10").mean for name in recipes}
    assert of["content"] < of["popularity"]  # alike is what content recommends
    without = evaluate(recipes, world.items, split, Protocol(seed=1, metrics=("diversity_by_vectors", "ndcg")))
    assert without.metrics == ["ndcg@10"]
    assert "diversity_by_vectors is left out: it needs" in str(without)
    with pytest.raises(PluginError, match="nonsense"):
        evaluate(recipes, world.items, split, Protocol(seed=1, metrics=("nonsense",)))


def test_newest_first_ranks_by_first_sight(world: worlds.World) -> None:
    interactions = worlds.events([(0, 2, worlds.VIEW)], times=[CUT - 3 * DAY], n_items=3, as_of=CUT)
    published = np.array([CUT - 9 * DAY, CUT - DAY, CUT])  # item 2 was met before it was published
    items = replace(worlds.catalog(3), published=published)
    model = NewestFirst().fit(interactions, items, np.random.default_rng(0))
    np.testing.assert_allclose(model.score(Query(), np.arange(3, dtype=np.int32)), [-9, -1, -3])
    again = type(model).from_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.newness, model.newness)


def test_what_is_said_one_by_one_is_said_latest_first() -> None:
    asked = []

    class Listener:
        item_ids = worlds.item_ids(4)

        def score(self, query: Query, rows: Any) -> Any:
            asked.append((query.user, query.history.rows.tolist()))
            return np.zeros(len(rows), np.float32)

    rows = [(0, 3, 4), (0, 1, 2), (0, 3, 1), (0, 0, 3), (0, 2, -1)]
    interactions = worlds.events(
        [(user, item, worlds.PURCHASE) for user, item, _ in rows], times=[CUT - days * DAY for _, _, days in rows]
    )
    measure(Listener(), temporal_split(interactions, at=CUT), n_items=4)  # type: ignore[arg-type]
    assert asked == [(int(interactions.user_ids[0]), [3, 1, 0])]


def test_a_models_figures_do_not_depend_on_its_company(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn", "als")}
    alone = evaluate({"als": recipes["als"]}, world.items, split, Protocol(seed=1))
    together = evaluate(recipes, world.items, split, Protocol(seed=1))
    assert together.figure("als", "recall@10") == alone.figure("als", "recall@10")


def test_figures_of_all_lists_together_need_no_others(world: worlds.World) -> None:
    split = temporal_split(world.interactions, at=CUT)
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn")}
    result = evaluate(recipes, world.items, split, Protocol(seed=1, metrics=("coverage",)))
    assert result.metrics == ["coverage@10"]
    assert result.differences == []
