"""Rules and controls from rows to the engine, and what can be said of them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.recommend import rule_review, rules
from apps.recommend.engine.filters import FilterError
from apps.recommend.engine.rules import NO_CONTROLS, Controls
from apps.recommend.models import Placement, Rule
from tests.factories import make_items

pytestmark = pytest.mark.django_db


def placement(key: str) -> Placement:
    return Placement.objects.get(key=key)


def make_rule(name: str = "rule", action: str = "boost", *placements: str, **fields) -> Rule:
    rule = Rule.objects.create(name=name, action=action, **fields)
    rule.placements.set(map(placement, placements))
    return rule


def test_all_rules_are_read_in_one_query(django_assert_num_queries) -> None:
    for number in range(5):
        make_rule(f"rule {number}", "hide", "home", "cart", items=[number])
    make_rule("everywhere", "hide", items=[9])
    with django_assert_num_queries(1):
        found = rules.specs()
    assert [spec.name for spec in found] == [*(f"rule {number}" for number in range(5)), "everywhere"]
    assert found[0].placements == {"home", "cart"}
    assert found[-1].placements == frozenset()


def test_a_row_becomes_a_spec_with_everything_in_it() -> None:
    starts = timezone.now().replace(microsecond=0)
    make_rule(
        "mugs first", "promote_share", priority=3, items=[4, 2], filter="price<20", share=0.3, position=2, strength=5.0,
        seed_filter='brand = "Acme"', categories=[7], segments=["vip"], context={"device": "phone"},
        starts_at=starts, ends_at=starts + timedelta(days=1),
    )  # fmt: skip
    (spec,) = rules.specs()
    assert (spec.name, spec.action, spec.priority, spec.items) == ("mugs first", "promote_share", 3, (4, 2))
    assert (spec.share, spec.position, spec.strength) == (0.3, 2, 5.0)
    assert (str(spec.filter), str(spec.seed_filter)) == ("price < 20", 'brand = "Acme"')
    assert (spec.categories, spec.segments, spec.context) == ({7}, {"vip"}, (("device", "phone"),))
    assert spec.starts == int(starts.timestamp())
    assert spec.ends == spec.starts + 86_400


def test_rules_that_are_off_or_over_are_not_read_and_those_to_come_are() -> None:
    now = timezone.now()
    make_rule("off", active=False)
    make_rule("over", ends_at=now - timedelta(seconds=1))
    make_rule("to come", starts_at=now + timedelta(days=1))
    assert [spec.name for spec in rules.specs()] == ["to come"]


def test_a_rule_whose_filter_cannot_be_read_is_left_out_and_the_others_are_not() -> None:
    broken = make_rule("broken", "hide", filter="price <")
    make_rule("sound", "hide", filter="price < 1")
    assert [spec.name for spec in rules.specs()] == ["sound"]
    with pytest.raises(FilterError, match="character"):
        rules.spec_of(broken, ())


def test_a_placement_gets_its_own_rules_and_those_for_all() -> None:
    make_rule("here", "hide", "home", items=[1])
    make_rule("there", "hide", "cart", items=[2])
    make_rule("everywhere", "hide", items=[3])
    found = rules.specs()
    assert [spec.name for spec in rules.rules_for("home", found).specs] == ["here", "everywhere"]
    assert [spec.name for spec in rules.rules_for("popular", found).specs] == ["everywhere"]


def test_a_rule_whose_placements_are_deleted_does_not_spread_to_all_others() -> None:
    rule = make_rule("only here", "hide", "home", "cart", filter="price < 1", everywhere=False)
    placement("home").delete()
    assert [spec.placements for spec in rules.specs()] == [{"cart"}]
    placement("cart").delete()
    assert rules.specs() == ()
    assert "deleted, so it applies nowhere" in rule_review.reviewed([rule])[rule.pk].conflicts[0]


def test_the_digest_follows_the_content_and_nothing_else() -> None:
    rule = make_rule("a", "hide", items=[1], segments=["x", "y", "z"])
    before = rules.rules_for("home", rules.specs())
    rule.save()
    assert rules.rules_for("home", rules.specs()) is before  # with all it has looked up
    rule.segments = ["z", "x", "y"]
    rule.save()
    assert rules.rules_for("home", rules.specs()).digest == before.digest
    rule.items = [2]
    rule.save()
    assert rules.rules_for("home", rules.specs()).digest != before.digest
    assert rules.rules_for("home", ()).digest == ""


def test_a_placement_that_asks_nothing_has_no_controls() -> None:
    assert rules.controls_of(placement("home")) is NO_CONTROLS
    row = Placement(max_per_brand=2, price_max=Decimal("9.50"), freshness_weight=0.5, freshness_half_life_days=3.0)
    assert rules.controls_of(row) == Controls(
        max_per_brand=2, price_max=9.5, freshness_weight=0.5, freshness_half_life_days=3.0
    )


@pytest.mark.parametrize(
    "wrong", [{"price_min": Decimal(5), "price_max": Decimal(4)}], ids=["a highest price below the lowest"]
)
def test_the_database_refuses_a_placement_that_could_show_nothing(wrong: dict) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Placement.objects.filter(key="home").update(**wrong)


def test_the_database_refuses_a_rule_that_ends_before_it_starts() -> None:
    now = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_rule(starts_at=now, ends_at=now)


def test_a_review_says_the_status_what_is_touched_and_what_is_in_the_way() -> None:
    first, second, third = make_items(
        {"item_id": "mug", "price": "5"}, {"item_id": "jug", "available": False}, {"item_id": "cup", "price": "50"}
    )
    now = timezone.now()
    pin = make_rule("pin", "pin", items=[first, second])
    hide = make_rule("hide", "hide", priority=1, filter="price < 10")
    later = make_rule("later", "boost", items=[third], starts_at=now + timedelta(days=1))
    over = make_rule("over", "boost", items=[third], ends_at=now - timedelta(days=1))
    off = make_rule("off", "hide", items=[first, second, third], active=False)
    broken = make_rule("broken", "boost", filter="price <")
    found = rule_review.reviewed([pin, hide, later, over, off, broken])
    assert [found[rule.pk].status for rule in (pin, later, over, off)] == ["active now", "scheduled", "expired", "off"]
    assert found[pin.pk].reach == rule_review.Reach(items=2, available=1)
    assert found[hide.pk].reach == rule_review.Reach(items=1, available=1)
    assert found[broken.pk].reach is None
    assert found[broken.pk].conflicts[0].startswith("A filter cannot be read any more, so the rule does nothing.")
    assert found[pin.pk].conflicts == (
        "“pin” pins jug, which cannot be shown now: it is left out, and what is pinned next takes the place.",
        "“pin” pins mug, which “hide” hides: it is not shown, and what is pinned next takes the place.",
    )
    assert found[hide.pk].conflicts == found[pin.pk].conflicts[1:]
    assert found[off.pk].conflicts == ()
