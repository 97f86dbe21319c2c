"""When a rule applies, and how its items are found."""

import numpy as np
import pytest

from apps.recommend.engine.context import Context
from apps.recommend.engine.filters import parse
from apps.recommend.engine.rules import NO_RULES, Rules, arrange
from apps.recommend.engine.types import Query
from tests.engine.rule_shop import NOW, N, rows, rule, shop, ten


@pytest.mark.parametrize(
    ("condition", "asked", "holds"),
    [
        ({"starts": NOW}, {}, True),
        ({"starts": NOW + 1}, {}, False),
        ({"ends": NOW}, {}, False),
        ({"ends": NOW + 1}, {}, True),
        ({"segments": frozenset({"vip", "new"})}, {"segments": ["old", "new"]}, True),
        ({"segments": frozenset({"vip"})}, {"segments": ["old"]}, False),
        ({"segments": frozenset({"vip"})}, {}, False),
        ({"context": (("device", "phone"), ("n", "1"))}, {"context": {"device": "phone", "n": 1, "more": ""}}, True),
        ({"context": (("device", "phone"), ("n", "1"))}, {"context": {"device": "phone"}}, False),
        ({"categories": frozenset({1002})}, {"categories": [1002, 1]}, True),
        ({"categories": frozenset({1002})}, {"categories": [1001]}, False),
        ({"categories": frozenset({1002})}, {"seeds": np.array([5, 2], np.int32)}, True),
        ({"categories": frozenset({1002})}, {"seeds": np.array([5], np.int32)}, False),
        ({"seed_filter": parse("price = 2")}, {"seeds": np.array([5, 2], np.int32)}, True),
        ({"seed_filter": parse("price = 2")}, {"seeds": np.array([5], np.int32)}, False),
        ({"seed_filter": parse("price = 2")}, {}, False),
        ({"segments": frozenset({"vip"}), "starts": NOW + 1}, {"segments": ["vip"]}, False),
    ],
)  # fmt: skip
def test_a_rule_applies_when_each_of_its_conditions_holds(condition: dict, asked: dict, holds: bool) -> None:
    active = Rules.of([rule("hide", 1, **condition)]).active(now=NOW, items=shop(), **asked)
    assert active.ids == ((1,) if holds else ())


def test_active_rules_are_made_once_for_each_set_of_them() -> None:
    rules = Rules.of([rule("hide", 1, id=1), rule("hide", 2, id=2, segments=frozenset({"vip"}))])
    items = shop()
    plain, vip = rules.active(now=NOW, items=items), rules.active(now=NOW, items=items, segments=["vip"])
    assert (plain.ids, vip.ids) == ((1,), (1, 2))
    assert rules.active(now=NOW, items=items) is plain
    assert Rules.of([]).active(now=NOW, items=items) is NO_RULES


def test_a_rule_finds_its_items_again_when_the_catalog_has_new_rows() -> None:
    rules = Rules.of([rule("hide", 1)])
    ids = np.arange(N, dtype=np.int64) + 100
    context = [Context(items=items, eligible=items.available) for items in (shop(ids=ids + 50), shop(ids=ids))]
    found = [
        rows(arrange(ten(), active=rules.active(now=NOW, items=c.items), query=Query(now=NOW), context=c, limit=2))
        for c in context
    ]
    assert found == [[0, 1], [0, 2]]


def test_a_hundred_rules_are_told_apart() -> None:
    hides = [rule("hide", number % 10, id=number, segments=frozenset({f"s{number}"})) for number in range(100)]
    items = shop()
    context = Context(items=items, eligible=items.available)
    for number in (0, 63, 64, 99):
        active = Rules.of(hides).active(now=NOW, items=items, segments=[f"s{number}"])
        found = arrange(ten(), active=active, query=Query(now=NOW), context=context, limit=10)
        assert set(range(10)) - set(rows(found)) == {number % 10}
