"""Conflicts among rules, in words."""

import numpy as np
import pytest

from apps.recommend.engine.filters import parse
from apps.recommend.engine.rules import Reach, RuleSpec, conflicts, reach
from tests.engine.rule_shop import NOW, N, rule, shop

EVERYTHING = parse("price >= 0")
NAMES = {number + 100: f"item {number}" for number in range(N)}


def told(*specs: RuleSpec, **columns: object) -> list[str]:
    return [one.sentence(NAMES) for one in conflicts(specs, shop(**columns), NOW)]


def test_rules_that_go_together_have_no_conflict() -> None:
    assert told(
        rule("pin", 1, 2, id=1),
        rule("pin", 3, position=3, id=2),
        rule("hide", 4, id=3),
        rule("boost", 5, id=4),
        rule("bury", 6, id=5),
        rule("include_only", *range(10), id=6),
        rule("promote_share", 7, share=0.5, id=7),
        rule("promote_share", 8, share=0.5, id=8),
        rule("boost", 5, id=9),
    ) == []  # fmt: skip


def test_a_pin_that_is_hidden_or_not_included_is_told_by_the_item() -> None:
    pin = rule("pin", 1, 2, 3)
    assert told(pin, rule("hide", 2, 3, id=2)) == [
        (
            "“rule 1” pins item 2, item 3, which “rule 2” hides: they are not shown, and "
            "what is pinned next takes the place."
        )
    ]
    assert told(pin, rule("include_only", 1, 2, id=2, priority=5)) == [
        (
            "“rule 1” pins item 3, which “rule 2” does not include: it is not shown, and "
            "what is pinned next takes the place."
        )
    ]


def test_a_pin_that_cannot_be_shown_is_told_and_long_lists_are_cut() -> None:
    available = np.arange(N) >= 5
    assert told(rule("pin", 1, 9), available=available) == [
        "“rule 1” pins item 1, which cannot be shown now: it is left out, and what is pinned next takes the place."
    ]
    (sentence,) = told(rule("pin", 0, 1, 2, 3, 4), available=available)
    assert "item 0, item 1, item 2 and 2 more, which cannot be shown now: they are left out" in sentence
    (still,) = conflicts([rule("pin", 1)], shop(available=available), NOW)
    assert still.sentence({}).startswith("“rule 1” pins number 101,")


def test_what_leaves_nothing_is_told_alone_in_pairs_and_together() -> None:
    assert told(rule("hide", filter=EVERYTHING)) == [
        "“rule 1” would leave nothing that can be shown. It is set aside while that is so."
    ]
    assert told(rule("include_only", 1), rule("include_only", 2, id=2)) == [
        (
            "“rule 1” and “rule 2” together would leave nothing that can be shown. “rule 1” holds: it has the same "
            "priority and is older. “rule 2” is set aside."
        )
    ]
    three = [
        rule("hide", filter=parse(f"price >= {low} and price < {low + 10}"), id=low + 1, priority=low)
        for low in (0, 10, 20)
    ]
    assert told(*three) == [
        (
            "“rule 21”, “rule 11”, “rule 1” together would leave nothing that can be shown. “rule 1” is set aside "
            "first, as it decides least."
        )
    ]
    assert told(*three, available=np.zeros(N, bool)) == []  # with nothing to show nobody is to blame


def test_of_two_pins_on_one_place_the_one_that_decides_is_named() -> None:
    assert told(rule("pin", 1, 2), rule("pin", 3, position=2, id=2, priority=1)) == [
        (
            "“rule 2” and “rule 1” both pin to place 2. “rule 2” gets it: its priority is higher. "
            "What “rule 1” pins moves down."
        )
    ]


def test_a_boost_and_a_bury_of_one_item_contradict_each_other() -> None:
    assert told(rule("boost", 1, 2), rule("bury", 2, 3, id=2)) == [
        "“rule 1” and “rule 2” both weigh item 2. Only “rule 1” counts for it: it has the same priority and is older."
    ]


def test_a_promotion_or_boost_of_nothing_but_hidden_items_does_nothing() -> None:
    assert told(rule("boost", 1, 2), rule("hide", 1, 2, id=2)) == [
        "“rule 1” does nothing where “rule 2” applies, which hides all of its items."
    ]
    assert told(rule("promote_share", 1, share=0.1), rule("include_only", 2, id=2)) == [
        "“rule 1” does nothing where “rule 2” applies, which does not include any of its items."
    ]
    assert told(rule("boost", 1, 2), rule("hide", 1, id=2)) == []


def test_shares_that_add_up_to_more_than_all_places_are_told() -> None:
    assert told(rule("promote_share", 1, share=0.7), rule("promote_share", 2, share=0.5, id=2)) == [
        (
            "“rule 1” and “rule 2” promote 120 % of the places together. “rule 1” is served first: it has the same "
            "priority and is older."
        )
    ]


def test_a_rule_that_means_nothing_does_nothing() -> None:
    assert told(rule("boost", filter=parse("price > 99"))) == [
        "“rule 1” means no item of the catalog, so it does nothing."
    ]
    assert told(rule("promote_share", 3, share=0.1), available=np.arange(N) != 3) == [
        "Nothing that “rule 1” promotes can be shown now, so it does nothing."
    ]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ({}, {}, True),
        ({"ends": NOW + 9}, {"starts": NOW + 9}, False),
        ({"ends": NOW + 10}, {"starts": NOW + 9}, True),
        ({"ends": NOW}, {}, False),  # over
        ({"placements": frozenset({"home"})}, {"placements": frozenset({"cart"})}, False),
        ({"placements": frozenset({"home"})}, {"placements": frozenset({"cart", "home"})}, True),
        ({"placements": frozenset({"home"})}, {}, True),
        ({"context": (("device", "phone"),)}, {"context": (("device", "tablet"),)}, False),
        ({"context": (("device", "phone"),)}, {"context": (("country", "de"),)}, True),
        ({"segments": frozenset({"a"})}, {"segments": frozenset({"b"})}, True),  # somebody may be in both
    ],
)
def test_only_rules_that_can_apply_to_one_request_conflict(one: dict, other: dict, meet: bool) -> None:
    found = conflicts([rule("pin", 1, **one), rule("hide", 1, id=2, **other)], shop(), NOW)
    assert [conflict.rules for conflict in found] == ([(1, 2)] if meet else [])


def test_a_rule_reaches_what_it_names_and_what_its_filter_matches() -> None:
    items = shop(available=np.arange(N) != 4)
    assert reach(rule("boost", 4, 9, 77, filter=parse("price < 3")), items, NOW) == Reach(items=5, available=4)
