"""New items are shown as often as agreed, and never more."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import DAY, Query, Slate
from tests import worlds

N = 60
NOW = worlds.NOW


def shop(new: list[int], proven: tuple[int, ...] = ()) -> Context:
    """Rows of `new` were published yesterday; only those of `proven` are wanted."""
    published = np.full(N, NOW - 400 * DAY)
    published[new] = NOW - DAY
    items = replace(worlds.catalog(N), published=published)
    wanted = np.array([50.0 if row in proven else 1.0 for row in range(N - 5)], dtype=np.float32)
    model = PopularityModel(items.ids[: N - 5], wanted)
    popular = ServedModel.over(items, model, name="popular", version="1")
    return Context(items=items, eligible=np.ones(N, dtype=bool), models={"popular": popular})


def slate(rows: list[int]) -> Slate:
    scores = np.linspace(1, 0, len(rows), dtype=np.float32)
    return Slate(np.array(rows, np.int32), scores, np.zeros(len(rows), np.int16), ("s",))


def explored(context: Context, rows: list[int], seed: int | None = None, **config: Any) -> Slate:
    stage = STAGES.create("explore", {"count": 20, "share": 0.1, **config})
    rng = None if seed is None else np.random.default_rng(seed)
    return stage(slate(rows), Query(now=NOW, user=4), replace(context, rng=rng))


ROWS = list(range(50))


@given(
    new=st.sets(st.integers(0, 49)), share=st.floats(0, 1), count=st.integers(1, 70), seed=st.none() | st.integers(0, 9)
)
def test_no_more_of_the_first_places_go_to_new_items_than_agreed_while_others_are_left(
    new: set[int], share: float, count: int, seed: int | None
) -> None:
    found = explored(shop(sorted(new)), ROWS, seed, share=share, count=count)
    assert sorted(found.rows.tolist()) == ROWS
    first = min(count, len(ROWS))
    shown = sum(row in new for row in found.rows[:first].tolist())
    forced = max(0, first - (len(ROWS) - len(new)))
    assert shown <= max(int(share * first + 1e-9), forced)
    assert shown >= min(int(share * first + 1e-9), len(new))
    others = [row for row in found.rows.tolist() if row not in new]
    assert others == sorted(others)


def test_what_is_wanted_already_or_old_is_not_held_back() -> None:
    found = explored(shop(new=[0, 1, 2], proven=(0, 1)), ROWS, seed=1)
    assert found.rows[:2].tolist() == [0, 1]
    old = explored(shop(new=[]), ROWS, seed=1)
    assert old.rows.tolist() == ROWS
    assert old.propensities is None


def test_an_item_that_the_model_does_not_know_is_unproven() -> None:
    found = explored(shop(new=[57]), [*range(40), 57], seed=1)
    assert 57 in found.rows[:20]


def test_propensities_are_how_often_just_this_item_stands_at_just_this_place() -> None:
    context = shop(new=[3, 30, 31, 40, 45])
    draws = 1_500
    seen = np.zeros((50, 50))
    told = np.zeros((50, 50))
    for seed in range(draws):
        found = explored(context, ROWS, seed)
        assert found.propensities is not None
        places = np.arange(50)
        seen[found.rows, places] += 1
        told[found.rows, places] = found.propensities
    np.testing.assert_allclose(seen / draws, np.where(seen > 0, told, 0), atol=4 * np.sqrt(0.2 * 0.8 / draws))
    assert (seen[[3, 30, 31, 40, 45], :20].sum(axis=1) > 0).all()


def test_propensities_of_an_earlier_draw_are_multiplied() -> None:
    stage = STAGES.create("explore", {"count": 20, "share": 0.1})
    before = replace(slate(ROWS), propensities=np.full(50, 0.5, np.float32))
    context = replace(shop(new=[3, 30]), rng=np.random.default_rng(0))
    found = stage(before, Query(now=NOW), context)
    assert set(found.propensities[np.isin(found.rows, [3, 30])]) == {0.25}
    assert set(found.propensities[~np.isin(found.rows, [3, 30])]) == {0.5}


def test_without_chance_new_items_take_turns_by_the_hour_and_all_get_theirs() -> None:
    new = [3, 30, 31, 40, 45, 46]
    context = shop(new)
    stage = STAGES.create("explore", {"count": 20, "share": 0.1, "days": 30})
    shown: list[frozenset[int]] = []
    for hour in range(6):
        ask = Query(now=NOW + hour * 3_600, user=4)
        found = stage(slate(ROWS), ask, context)
        assert found.propensities is None
        assert found.rows.tolist() == stage(slate(ROWS), ask, context).rows.tolist()
        shown.append(frozenset(found.rows[:20].tolist()) & frozenset(new))
    assert {len(one) for one in shown} == {2}
    assert frozenset.union(*shown) == frozenset(new)


def test_only_the_best_of_the_new_are_drawn_from() -> None:
    new = list(range(20, 50))
    for seed in range(30):
        found = explored(shop(new), ROWS, seed, among=5)
        assert set(found.rows[:20].tolist()) & set(new) <= set(range(20, 25))


@pytest.mark.parametrize("rows", [[], [7]])
def test_slates_of_nothing_and_of_one_stay_as_they_are(rows: list[int]) -> None:
    assert explored(shop(new=[7]), rows, seed=1).rows.tolist() == rows
