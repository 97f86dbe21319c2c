"""Rules one by one: what each does to a list."""

import numpy as np
import pytest

from apps.recommend.engine.context import Context
from apps.recommend.engine.filters import parse
from apps.recommend.engine.rules import BY_RULE, Rules, arrange
from apps.recommend.engine.types import Items, Query, Slate
from tests.engine.rule_shop import NOW, N, arranged, rows, rule, shop, ten


def test_without_rules_a_list_is_the_first_of_the_slate() -> None:
    found = arranged(limit=4)
    assert rows(found) == [0, 1, 2, 3]
    assert found.slate.scores.tolist() == [10, 9, 8, 7]
    assert not found.pinned.any()


def test_pins_take_their_places_in_the_order_of_the_rule_and_candidates_or_not() -> None:
    found = arranged(rule("pin", 20, 5, position=2), limit=5)
    assert rows(found) == [0, 20, 5, 1, 2]
    assert found.pinned.tolist() == [False, True, True, False, False]
    assert [found.slate.source_names[source] for source in found.slate.source] == ["als", BY_RULE, "als", "als", "als"]


@pytest.mark.parametrize("why", ["unavailable", "missing", "excluded", "filtered", "hidden", "not included"])
def test_a_pin_that_may_not_be_shown_is_skipped_and_the_next_takes_its_place(why: str) -> None:
    available = np.ones(N, bool)
    available[20] = why != "unavailable"
    more = {
        "hidden": [rule("hide", 20, id=2, priority=-9)],
        "not included": [rule("include_only", *range(20), 21, id=2)],
    }
    found = arranged(
        rule("pin", 99 if why == "missing" else 20, 21, position=1, priority=9),
        *more.get(why, []),
        items=shop(available=available),
        excluded=np.array([20], np.int32) if why == "excluded" else None,
        filter=parse("price != 20") if why == "filtered" else None,
        limit=3,
    )
    assert rows(found) == [21, 0, 1]


def test_of_two_pins_on_one_place_the_higher_priority_gets_it_and_the_other_moves_down() -> None:
    lower, higher = rule("pin", 20, 21, position=2, id=1), rule("pin", 22, position=2, id=2, priority=1)
    assert rows(arranged(lower, higher, limit=5)) == [0, 22, 20, 21, 1]
    older = rule("pin", 20, position=2, id=1, priority=1)
    assert rows(arranged(older, higher, limit=4)) == [0, 20, 22, 1]


def test_pins_beyond_the_list_are_not_shown_and_pins_beyond_a_short_list_end_it() -> None:
    assert rows(arranged(rule("pin", 20, position=4), limit=3)) == [0, 1, 2]
    assert rows(arranged(rule("pin", 20, position=9), slate=ten(np.array([3], np.int32)))) == [3, 20]


def test_pins_are_shown_although_no_source_had_a_candidate() -> None:
    found = arranged(rule("pin", 20, 21), slate=Slate.empty())
    assert rows(found) == [20, 21]
    assert found.slate.source_names == (BY_RULE,)


def test_on_the_next_page_pins_stand_where_they_are_in_the_whole_list() -> None:
    pins = rule("pin", 20, 21, 22, position=4)
    assert rows(arranged(pins, limit=5)) == [0, 1, 2, 20, 21]
    shown = np.array([0, 1, 2, 20, 21], np.int32)
    assert rows(arranged(pins, limit=5, offset=5, excluded=shown)) == [22, 3, 4, 5, 6]
    assert rows(arranged(rule("pin", 20, position=7), limit=3, offset=5)) == [0, 20, 1]


def test_a_pin_beats_a_bury_and_a_boost() -> None:
    assert rows(arranged(rule("pin", 3), rule("bury", 3, id=2, priority=9), rule("boost", 9, id=3), limit=2))[0] == 3


def test_a_boost_lifts_by_its_strength_and_keeps_everything_else_in_order() -> None:
    assert rows(arranged(rule("boost", 5, strength=1.5), limit=10)) == [0, 1, 2, 5, 3, 4, 6, 7, 8, 9]
    assert rows(arranged(rule("boost", 5, strength=1000), limit=3)) == [5, 0, 1]


def test_a_bury_sinks_by_its_strength() -> None:
    assert rows(arranged(rule("bury", 0, strength=2), limit=10)) == [1, 2, 3, 4, 0, 5, 6, 7, 8, 9]


def test_the_rule_of_higher_priority_decides_how_an_item_is_weighed() -> None:
    boost, bury = rule("boost", 4, strength=9, id=2), rule("bury", 4, 5, strength=9, id=3)
    assert rows(arranged(boost, bury))[0] == 4  # the older one
    above = rule("bury", 4, 5, strength=9, id=3, priority=1)
    assert rows(arranged(boost, above))[-2:] in ([4, 9], [9, 5], [5, 9])
    assert rows(arranged(boost, rule("boost", 4, strength=1.0, id=1)))[4] == 4  # they do not add up


def test_boosts_do_the_same_whatever_unit_a_pipeline_scores_in() -> None:
    for scale, shift in [(1.0, 0.0), (1e9, 1.7e9), (0.01, -3.0)]:
        slate = ten()
        moved = Slate(slate.rows, (slate.scores * scale + shift).astype(np.float32), slate.source, slate.source_names)
        assert rows(arranged(rule("boost", 5, strength=1.5), slate=moved)) == [0, 1, 2, 5, 3, 4, 6, 7, 8, 9]


def test_an_order_that_a_stage_made_is_kept_where_nothing_weighs_and_counts_where_something_does() -> None:
    slate = ten().take(np.array([0, 9, 1, 2, 3, 4, 5, 6, 7, 8]))
    assert rows(arranged(rule("pin", 20, position=3), slate=slate, limit=4)) == [0, 9, 20, 1]
    assert rows(arranged(rule("boost", 8, strength=1.0001), slate=slate))[:3] == [0, 9, 1]


def test_hidden_items_are_gone() -> None:
    assert rows(arranged(rule("hide", 0, 2), rule("hide", id=2, filter=parse("price = 3")), limit=3)) == [1, 4, 5]


def test_of_several_include_only_rules_what_all_include_is_left() -> None:
    assert rows(arranged(rule("include_only", 1, 2, 3), rule("include_only", id=2, filter=parse("price > 1")))) == [
        2,
        3,
    ]


def test_an_item_is_meant_when_it_is_named_or_matches_the_filter() -> None:
    assert rows(arranged(rule("include_only", 1, filter=parse("price >= 8")))) == [1, 8, 9]


def test_a_rule_that_would_leave_nothing_of_the_catalog_is_set_aside_and_named() -> None:
    everything = rule("hide", id=7, filter=parse("price >= 0"))
    found = arranged(everything, rule("hide", 0, id=8, priority=1), limit=2)
    assert rows(found) == [1, 2]
    assert found.set_aside == (7,)
    assert arranged(rule("hide", 0)).set_aside == ()


def test_what_decides_least_is_set_aside_first() -> None:
    one, other = rule("include_only", 1, 2, id=1), rule("include_only", 3, 4, id=2)
    found = arranged(one, other)
    assert (rows(found), found.set_aside) == ([1, 2], (2,))
    found = arranged(one, rule("include_only", 3, 4, id=2, priority=1))
    assert (rows(found), found.set_aside) == ([3, 4], (1,))


def test_rules_that_leave_something_hold_although_no_candidate_is_left() -> None:
    found = arranged(rule("include_only", 20, 21))
    assert (rows(found), found.set_aside) == ([], ())


def test_what_rules_leave_of_the_whole_catalog_can_be_asked_for() -> None:
    items = shop()
    active = Rules.of([rule("include_only", 20, 21, 22), rule("hide", 21, id=2)]).active(now=NOW, items=items)
    eligible = items.available
    allowed = active.allowed(items, NOW, eligible)
    assert allowed is not None
    assert np.flatnonzero(allowed).tolist() == [20, 22]
    assert active.allowed(items, NOW, eligible) is allowed
    assert Rules.of([rule("boost", 1)]).active(now=NOW, items=items).allowed(items, NOW, eligible) is None


def test_promoted_items_have_their_share_spread_evenly_and_no_more() -> None:
    found = arranged(rule("promote_share", 7, 8, 9, share=0.3))
    assert rows(found) == [0, 7, 1, 2, 8, 3, 4, 5, 9, 6]
    assert rows(arranged(rule("promote_share", 0, 1, 2, share=0.3)))[:3] == [0, 1, 2]  # they would be there anyway
    assert rows(arranged(rule("promote_share", 9, share=1.0))) == [0, 1, 2, 3, 9, 4, 5, 6, 7, 8]  # one place


def test_a_share_is_rounded_up() -> None:
    assert 9 in rows(arranged(rule("promote_share", 9, share=0.01), limit=5))
    assert sum(row >= 6 for row in rows(arranged(rule("promote_share", 6, 7, 8, 9, share=0.3), limit=5))) == 2


def test_promoted_items_need_not_be_candidates() -> None:
    found = arranged(rule("promote_share", 25, 26, share=0.4), limit=5)
    assert sorted(set(rows(found)) & {25, 26}) == [25, 26]
    assert rows(found)[0] == 0
    found = arranged(rule("promote_share", filter=parse("price >= 28"), share=0.4), limit=5)
    assert sorted(set(rows(found)) & {28, 29}) == [28, 29]


def test_what_a_filter_promotes_is_looked_at_anew_on_each_request() -> None:
    """The catalog has changed since the filter's items were found, within the minute they are believed."""
    items = shop()
    rules = Rules.of([rule("promote_share", filter=parse("price >= 28"), share=0.4)])

    def shown(now_items: Items) -> list[int]:
        active = rules.active(now=NOW, items=now_items)
        context = Context(items=now_items, eligible=now_items.available)
        return rows(arrange(ten(), active=active, query=Query(now=NOW), context=context, limit=5))

    assert {28, 29} <= set(shown(items))
    price, available = items.price.copy(), items.available.copy()
    price[28], available[29] = 1.0, False
    assert not {28, 29} & set(shown(shop(ids=items.ids, price=price, available=available)))


def test_of_two_promotions_the_one_of_higher_priority_is_served_first() -> None:
    found = arranged(
        rule("promote_share", 6, 7, share=1.0), rule("promote_share", 8, 9, share=1.0, id=2, priority=1), limit=2
    )
    assert rows(found) == [8, 9]


def test_chances_are_kept_and_what_a_rule_brought_has_none() -> None:
    slate = ten()
    drawn = Slate(slate.rows, slate.scores, slate.source, slate.source_names, np.full(10, 0.25, np.float32))
    found = arranged(rule("pin", 20), slate=drawn, limit=2).slate.propensities
    assert found is not None
    assert np.isnan(found[0])
    assert found[1] == 0.25
