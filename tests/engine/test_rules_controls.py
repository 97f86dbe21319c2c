"""A placement's controls, and what a request leaves out: what each does to a list."""

import numpy as np
from scipy import sparse

from apps.recommend.engine.context import Context
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.rules import NO_RULES, Controls, arrange
from apps.recommend.engine.types import Query, Slate
from tests.engine.rule_shop import NOW, N, arranged, rows, rule, shop, ten


def test_caps_let_the_next_best_through_and_pins_count() -> None:
    brands = np.array([0, 0, 0, 1, 1, -1, -1, -1, 2, 2, *range(10, 30)], np.int64)
    two = Controls(max_per_brand=2)
    assert rows(arranged(items=shop(brands=brands), controls=two, limit=6)) == [0, 1, 3, 4, 5, 6]
    pinned = arranged(rule("pin", 2), items=shop(brands=brands), controls=two, limit=4)
    assert rows(pinned) == [2, 0, 3, 4]
    all_pinned = arranged(rule("pin", 0, 1, 2), items=shop(brands=brands), controls=two, limit=4)
    assert rows(all_pinned) == [0, 1, 2, 3]


def test_where_two_caps_meet_an_item_that_one_keeps_out_does_not_count_for_the_other() -> None:
    columns = np.array([0, 0, 1, *range(2, 29)])
    categories = sparse.csr_matrix((np.ones(N, np.float32), (np.arange(N), columns)), shape=(N, N))
    brands = np.array([0, 1, 1, *range(2, 29)], np.int64)
    found = arranged(
        items=shop(brands=brands, categories=categories),
        controls=Controls(max_per_brand=1, max_per_category=1),
        limit=3,
    )
    assert rows(found) == [0, 2, 3]


def test_caps_look_at_every_candidate_before_they_leave_a_list_short() -> None:
    brands = np.zeros(N, np.int64)
    brands[29] = 1
    found = arranged(
        items=shop(brands=brands), slate=ten(np.arange(N, dtype=np.int32)), controls=Controls(max_per_brand=1), limit=2
    )
    assert rows(found) == [0, 29]


def test_a_price_range_holds_for_pins_too_and_leaves_out_what_has_no_price() -> None:
    price = np.arange(N, dtype=float)
    price[3] = np.nan
    found = arranged(rule("pin", 20), items=shop(price=price), controls=Controls(price_min=2, price_max=5))
    assert rows(found) == [2, 4, 5]


def test_least_relevance_is_a_share_of_the_best_and_no_boost_makes_up_for_it() -> None:
    half = Controls(min_relevance=0.5)
    assert rows(arranged(controls=half)) == [0, 1, 2, 3, 4, 5]
    assert rows(arranged(rule("boost", 9, strength=100), controls=half)) == [0, 1, 2, 3, 4, 5]
    assert rows(arranged(rule("pin", 9, position=2), controls=half, limit=3)) == [0, 9, 1]
    assert rows(arranged(min_score=8.5)) == [0, 1]


def test_of_a_family_one_is_shown_and_the_parent_if_it_can_be() -> None:
    parents = np.full(N, -1, np.int32)
    parents[[2, 4, 20]] = 6  # rows 2, 4, 20 are variants of 6
    parents[[3, 5]] = 25  # and 3, 5 of 25, which is no candidate
    collapse = Controls(collapse_variants=True)
    assert rows(arranged(items=shop(parents=parents), controls=collapse)) == [0, 1, 6, 25, 7, 8, 9]
    available = np.ones(N, bool)
    available[[6, 25]] = False
    assert rows(arranged(items=shop(parents=parents, available=available), controls=collapse)) == [0, 1, 2, 3, 7, 8, 9]
    hidden = arranged(rule("hide", 6), items=shop(parents=parents), controls=collapse)
    assert rows(hidden) == [0, 1, 2, 25, 7, 8, 9]
    pinned = arranged(rule("pin", 20), items=shop(parents=parents), controls=collapse)
    assert rows(pinned) == [20, 0, 1, 25, 7, 8, 9]


def test_newness_counts_half_after_its_half_life() -> None:
    """Row i is i days old: × (1 + w · 2^(-i / 2)) on values of 1.01 to .01."""
    controls = Controls(freshness_weight=3.0, freshness_half_life_days=2.0)
    found = arranged(slate=ten(np.arange(10, dtype=np.int32)[::-1].copy()), controls=controls)
    value = {row: (row / 9 + 0.01) * (1 + 3 * 0.5 ** (row / 2)) for row in range(10)}
    assert rows(found) == sorted(value, key=lambda row: -value[row])


def test_margin_counts_from_the_attribute_and_within_0_and_1() -> None:
    said = {3: '{"margin": 0.5}', 5: '{"margin": 7}', 9: '{"margin": "a lot"}', 0: '{"margin": -2}'}
    fields = ItemFields.of(
        ids=shop().ids,
        brands=[""] * N,
        stock=np.full(N, np.nan),
        tags=["[]"] * N,
        attributes=[said.get(row, "{}") for row in range(N)],
        category_pairs=np.empty((0, 2), np.int64),
        category_names={},
    )
    found = arranged(items=shop(fields=fields), controls=Controls(margin_weight=1.0))
    value = {row: ((9 - row) / 9 + 0.01) * (1 + {3: 0.5, 5: 1.0}.get(row, 0.0)) for row in range(10)}
    assert rows(found) == sorted(value, key=lambda row: -value[row])
    assert rows(arranged(controls=Controls(margin_weight=1.0))) == list(range(10))  # a catalog without attributes


def test_rotation_differs_by_period_and_user_and_moves_nothing_far() -> None:
    flat = Slate(
        np.arange(30, dtype=np.int32), np.linspace(1, 0.9, 30, dtype=np.float32), np.zeros(30, np.int16), ("a",)
    )
    controls = Controls(rotation_hours=1)

    def shown(now: int, user: int) -> list[int]:
        items = shop(published=np.zeros(N, np.int64))
        context = Context(items=items, eligible=items.available)
        query = Query(now=now, user=user)
        return rows(arrange(flat, active=NO_RULES, controls=controls, query=query, context=context, limit=30))

    start = NOW // 3600 * 3600
    assert shown(start, 1) == shown(start + 3599, 1) != shown(start + 3600, 1)
    assert shown(start, 1) != shown(start, 2)
    assert sorted(shown(start, 1)) == list(range(30))
    places = np.argsort(shown(start, 1))
    assert np.abs(places - np.arange(30)).max() < 8


def test_what_is_out_of_the_category_is_gone() -> None:
    within = np.zeros(N, bool)
    within[[2, 3, 20]] = True
    assert rows(arranged(rule("pin", 20, 21), within=within)) == [20, 2, 3]


def test_many_excluded_rows_are_all_left_out() -> None:
    excluded = np.arange(0, 30, 2, dtype=np.int32)[::-1].copy()
    assert rows(arranged(excluded=excluded)) == [1, 3, 5, 7, 9]


def test_the_trace_says_what_went_and_what_moved_and_which_rule_did_it() -> None:
    brands = np.arange(N, dtype=np.int64)
    brands[4] = 1
    found = arranged(
        rule("hide", 0, id=5), rule("pin", 20, id=6, position=2), rule("boost", 9, id=7, strength=1000),
        items=shop(brands=brands), controls=Controls(max_per_brand=1), excluded=np.array([3], np.int32),
        limit=10, trace=True,
    )  # fmt: skip
    assert rows(found)[:3] == [9, 20, 1]
    told = {(one.why, one.rule): one.rows.tolist() for one in found.removed}
    assert told == {("excluded by the request", None): [3], ("hide", 5): [0], ("enough of its brand", None): [4]}
    moved = {one.row: (one.before, one.after, one.rules) for one in found.moved}
    assert moved[9] == (10, 1, (7,))
    assert moved[20] == (None, 2, (6,))
    assert moved[1] == (2, 3, ())
