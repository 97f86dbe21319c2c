"""Tuning: what it finds, what it never looks at, and that it can be broken off at any moment."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from apps.plugins import ComponentConfig
from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.blend import Blend, BlendPart
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import measure
from apps.recommend.engine.evaluation.splits import temporal_split
from apps.recommend.engine.lens import Lens
from apps.recommend.engine.registries import ALGORITHMS, SOURCES, STAGES
from apps.recommend.engine.tuning.ranges import Between, OneOf, ranges
from apps.recommend.engine.tuning.studies import Tried, Values, forget, search
from apps.recommend.engine.tuning.tuner import Plan, TunablePart, Tuned, tune
from apps.recommend.engine.tuning.weighing import WeighedWindows, fitted_proposals
from apps.recommend.engine.tuning.windows import windows
from apps.recommend.engine.types import DAY, Interactions, Items
from tests import worlds

UNTIL = worlds.START + 50 * DAY
CONFIGS: list[tuple[str, type[BaseModel]]] = [
    *((name, registry[name].Config) for registry in (ALGORITHMS, SOURCES, STAGES) for name in registry),
    ("lens", Lens),
]


@pytest.mark.parametrize(("name", "config"), CONFIGS)
def test_declared_ranges_hold_only_values_that_the_parameters_take(name: str, config: type[BaseModel]) -> None:
    needed = {"model": "m"} if "model" in config.model_fields else {}
    for field, within in ranges(config).items():
        values = within.values if isinstance(within, OneOf) else (within.low, within.high)
        for value in values:
            if value is None:  # a table leaves it out, so it must be the default
                assert config.model_fields[field].default is None
            assert getattr(config(**needed, **{field: value}), field) == value


def test_the_ranges_of_the_shipped_algorithms_are_found() -> None:
    assert set(ranges(ALGORITHMS["als"].Config)) >= {"factors", "regularization", "alpha"}
    assert set(ranges(Lens)) == {"window_days", "half_life_days"}


@pytest.mark.parametrize("wrong", [(2.0, 1.0, False), (0.0, 1.0, True)])
def test_a_range_that_is_none_is_refused(wrong: tuple[float, float, bool]) -> None:
    with pytest.raises(ValueError, match="no range"):
        Between(*wrong)


SPACE = {"x": Between(0.0, 1.0), "n": Between(1, 50, log=True), "kind": OneOf("a", "b", None)}


class PlugPulled(Exception):
    """What ends a tuning in the middle."""


def hill(values: Values) -> tuple[float, ...]:
    x = float(values["x"] or 0)
    return x + (values["kind"] == "b"), 1 - x


def searched(journal: Path, trials: int, objective: Any = hill, **options: Any) -> list[Tried]:
    return search(journal, "hill", SPACE, objective, trials=trials, objectives=2, seed=4, **options)


def test_an_interrupted_search_goes_on_without_losing_or_repeating_a_trial(tmp_path: Path) -> None:
    whole = searched(tmp_path / "whole.journal", 40)
    evaluated: list[Values] = []

    def fails_midway(values: Values) -> tuple[float, ...]:
        if len(evaluated) == 17:
            raise PlugPulled
        evaluated.append(dict(values))
        return hill(values)

    with pytest.raises(PlugPulled):
        searched(tmp_path / "broken.journal", 40, fails_midway)
    evaluated_before = len(evaluated)

    def counts(values: Values) -> tuple[float, ...]:
        evaluated.append(dict(values))
        return hill(values)

    resumed = searched(tmp_path / "broken.journal", 40, counts)
    assert evaluated_before == 17
    assert len(evaluated) == 40
    assert resumed == whole
    assert [one.number for one in resumed] == list(range(40))
    assert searched(tmp_path / "broken.journal", 40, fails_midway) == whole  # nothing left to do: nothing is tried


def test_a_search_can_be_forgotten(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    searched(journal, 3)
    forget(journal)
    forget(journal)
    assert len(searched(journal, 2)) == 2


def test_first_values_are_tried_first_and_a_search_ends_when_told(tmp_path: Path) -> None:
    first = [{"x": 0.25, "n": 7, "kind": None}, {"x": 0.5, "n": 1, "kind": "a"}]
    found = searched(tmp_path / "j", 30, first=first, go_on=lambda done: done < 5)
    assert [dict(one.values) for one in found[:2]] == first
    assert len(found) == 5
    assert len({repr(sorted(one.values.items())) for one in found}) == 5


def test_one_objective_is_climbed(tmp_path: Path) -> None:
    found = search(tmp_path / "j", "one", SPACE, lambda values: hill(values)[:1], trials=60, objectives=1, seed=1)
    assert max(one.achieved[0] for one in found) > 1.9
    assert all(isinstance(one.values["n"], int) and 1 <= one.values["n"] <= 50 for one in found)


class Oracle:
    """Wants what each item's group is told to be wanted: knows the world, or the opposite of it."""

    class Config(ComponentConfig):
        days: float = 1.0
        """Only 40 makes it good."""

    Model = PopularityModel
    collaborative = reads_texts = False

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> PopularityModel:
        return PopularityModel(items.ids, self.scores)


def shop_windows(world: worlds.World, **options: Any) -> Any:
    settings: dict[str, Any] = {"until": UNTIL, "days": 8, "count": 2, "new_only": True} | options
    return windows(world.interactions, world.items, **settings)


def part(name: str, **options: Any) -> BlendPart:
    return BlendPart(ALGORITHMS.create(name), **options)


PARTS = {
    "item_knn": part("item_knn", weight=1.0, cold_weight=0.3, limit=30),
    "content": part("content", weight=0.4, limit=25),
    "popularity": part("popularity", weight=0.1, cold_weight=1.0, limit=30, everybody=True),
}


@pytest.mark.parametrize("new_only", [True, False])
def test_figures_of_weights_are_what_measuring_the_blend_gives(world: worlds.World, new_only: bool) -> None:
    (window,) = shop_windows(world, count=1, new_only=new_only)
    blend = Blend(PARTS, drops_seen=new_only)
    proposed = [fitted_proposals(window, one, np.random.default_rng(0)) for one in PARTS.values()]
    ours = WeighedWindows.of([window], [proposed], calibration="spread", drops_seen=new_only).figures(blend.weights)
    split = temporal_split(world.interactions, at=window.at, until=window.until, new_only=new_only)
    model = blend.fit(split.train.compact(), world.items, np.random.default_rng(0))
    measured = measure(model, split, n_items=len(window.items), metrics=("ndcg", "coverage"))
    np.testing.assert_array_equal(window.user_ids, split.train.user_ids[split.users])
    np.testing.assert_allclose(ours.ndcg[0], measured.per_user["ndcg", 10], atol=1e-6)
    assert ours.coverage[0] == pytest.approx(measured.overall["coverage", 10])


def test_windows_follow_one_another_and_never_look_past_their_end(world: worlds.World) -> None:
    events = world.interactions
    late = events.times >= UNTIL
    items = np.where(late, (events.items + 7) % events.n_items, events.items).astype(np.int32)
    other = replace(world, interactions=replace(events, items=items))
    ours, theirs = (shop_windows(one, count=3) for one in (world, other))
    assert [(w.at - UNTIL) / DAY for w in ours] == [-24, -16, -8]
    assert [(w.until - UNTIL) / DAY for w in ours] == [-16, -8, 0]
    for mine, same in zip(ours, theirs, strict=True):
        assert mine.train.times.max() < mine.at
        np.testing.assert_array_equal(mine.train.items, same.train.items)
        for name in ("history", "truth", "had", "cold_history"):
            assert (getattr(mine, name) != getattr(same, name)).nnz == 0


def test_cut_histories_are_a_few_of_the_users_own_events(world: worlds.World) -> None:
    for window in shop_windows(world, new_only=False):
        kept = np.diff(window.cold_history.indptr)
        assert 1 <= kept.min() < kept.max() <= 5
        assert (window.cold_history.astype(bool) > window.history.astype(bool)).nnz == 0


def test_a_sample_of_users_is_tested_where_there_are_too_many(world: worlds.World) -> None:
    assert [len(window.user_ids) for window in shop_windows(world, limit_users=9)] == [9, 9]


def test_windows_without_anybody_to_test_are_left_out_and_none_is_too_little(world: worlds.World) -> None:
    assert len(shop_windows(world, days=20, count=5)) < 5
    with pytest.raises(NotEnoughData):
        shop_windows(world, until=worlds.START)


def fixed(one: BlendPart) -> TunablePart:
    return TunablePart(one, {}, lambda values: one.algorithm)


def tuned(world: worlds.World, tmp_path: Path, parts: Mapping[str, TunablePart], **options: Any) -> Tuned:
    plan = {"trials": 40, "part_trials": 0, "seed": 3} | options
    return tune(
        parts,
        shop_windows(world),
        Plan(
            journal=tmp_path / "tuning.journal",
            study="test",
            calibration="spread",
            drops_seen=True,
            history_half=5.0,
            **plan,
        ),
    )


def test_a_part_that_misleads_loses_its_weight(world: worlds.World, tmp_path: Path) -> None:
    noise = Oracle(np.random.default_rng(0).random(len(world.items)).astype(np.float32))
    parts = {
        "noise": fixed(BlendPart(noise, weight=1.0, everybody=True)),
        "item_knn": fixed(part("item_knn", weight=0.02)),
    }
    found = tuned(world, tmp_path, parts)
    assert found.weights.warm[1] > 2 * found.weights.warm[0]
    assert found.after.mean_ndcg > found.before.mean_ndcg + 0.05
    assert found.after.mean_ndcg >= max(alone.mean_ndcg for alone in found.alone.values()) - 1e-9
    assert found.weight_trials == 40
    assert found.cut_short == []


def test_coverage_never_falls_below_what_it_was(world: worlds.World, tmp_path: Path) -> None:
    """Content covers more and foresees less here: without the bound it would go."""
    parts = {"popularity": fixed(PARTS["popularity"]), "content": fixed(replace(PARTS["content"], weight=5.0))}
    found = tuned(world, tmp_path, parts)
    assert found.after.mean_coverage >= found.before.mean_coverage
    assert found.after.mean_ndcg >= found.before.mean_ndcg - 1e-9


def test_a_parameter_that_helps_is_found_and_named(world: worlds.World, tmp_path: Path) -> None:
    """Good only with the right value: the scores of the days after, which no honest part could know."""
    truth = np.bincount(world.interactions.items, minlength=len(world.items)).astype(np.float32)

    def build(values: Values) -> Oracle:
        return Oracle(truth if values["kind"] == "right" else 1 / (1 + truth))

    space = {"kind": OneOf("wrong", "right", "bad")}
    bad = TunablePart(BlendPart(build({"kind": "wrong"}), weight=1.0, everybody=True), space, build)
    parts = {"oracle": bad, "content": fixed(part("content", weight=0.3))}
    found = tuned(world, tmp_path, parts, trials=20, part_trials=6)
    assert found.parameters == {"oracle": {"kind": "right"}}
    assert found.part_trials == 6
    assert found.after.mean_ndcg > found.before.mean_ndcg


def test_parameters_that_do_not_help_stay_as_they_are(world: worlds.World, tmp_path: Path) -> None:
    same = PARTS["item_knn"]
    parts = {"item_knn": TunablePart(same, {"x": Between(0.0, 1.0)}, lambda values: same.algorithm)}
    assert tuned(world, tmp_path, parts, trials=5, part_trials=3).parameters == {}


def test_an_interrupted_tuning_goes_on_to_the_same_end(world: worlds.World, tmp_path: Path) -> None:
    built: list[Values] = []

    def parts(fail_at: int | None) -> dict[str, TunablePart]:
        def build(values: Values) -> Any:
            if len(built) == fail_at:
                raise PlugPulled
            built.append(dict(values))
            return ALGORITHMS.create("item_knn", {"neighbours": values["neighbours"]})

        space = {"neighbours": Between(2, 60)}
        return {"item_knn": TunablePart(part("item_knn"), space, build), "content": fixed(part("content"))}

    options = {"trials": 12, "part_trials": 5}
    whole = tuned(world, tmp_path / "whole", parts(None), **options)
    built.clear()
    with pytest.raises(PlugPulled):
        tuned(world, tmp_path / "broken", parts(3), **options)
    tried = len(built)
    resumed = tuned(world, tmp_path / "broken", parts(None), **options)
    assert resumed.parameters == whole.parameters
    np.testing.assert_array_equal(resumed.weights.warm, whole.weights.warm)
    assert resumed.part_trials == whole.part_trials == 5
    rebuilt = 1 if whole.parameters else 0  # the winner is fitted once more for the weights
    assert tried == 3
    assert len(built) == 5 + rebuilt


def test_a_budget_that_is_over_ends_the_tuning_with_what_there_is(world: worlds.World, tmp_path: Path) -> None:
    space = {"neighbours": Between(2, 60)}

    def build(values: Values) -> Any:
        return ALGORITHMS.create("item_knn", {"neighbours": values["neighbours"]})

    parts = {"item_knn": TunablePart(part("item_knn"), space, build), "content": fixed(part("content"))}
    found = tuned(world, tmp_path, parts, seconds=0.0, part_trials=4)
    assert found.cut_short == ["1 of 2 validation windows", "4 of 4 sets of parameters", "39 of 40 sets of weights"]
    assert found.after.mean_ndcg == found.before.mean_ndcg
    np.testing.assert_array_equal(found.weights.warm, [1.0, 1.0])


def test_a_part_that_cannot_learn_is_silent_and_all_of_them_change_nothing(world: worlds.World, tmp_path: Path) -> None:
    bare = replace(world, items=replace(world.items, texts=None))
    found = tuned(bare, tmp_path, {"content": fixed(part("content"))}, trials=3)
    assert found.before.mean_ndcg == found.after.mean_ndcg == 0.0


class _Greedy:
    """Wants more memory than there is with any parameters but its own."""

    Config = ALGORITHMS["item_knn"].Config
    Model = ALGORITHMS["item_knn"].Model
    collaborative, reads_texts = True, False

    def fit(self, interactions: Any, items: Any, rng: Any) -> Any:
        raise MemoryError


def test_parameters_that_need_too_much_memory_never_win_and_are_named(world: worlds.World, tmp_path: Path) -> None:
    parts = {"item_knn": TunablePart(part("item_knn"), {"neighbours": Between(2, 60)}, lambda values: _Greedy())}
    found = tuned(world, tmp_path, parts, trials=3, part_trials=2)
    assert found.parameters == {}
    assert found.part_trials == 2
    assert len(found.cut_short) == 2
    for told in found.cut_short:
        assert re.fullmatch(r"item_knn with neighbours \d+: not enough memory", told)
