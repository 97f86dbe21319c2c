"""The admin pages of rules and of placements' controls."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.catalog.services import item_delete
from apps.recommend.models import Placement, Rule
from tests.factories import make_items

pytestmark = pytest.mark.django_db

LIST = reverse("admin:recommend_rule_changelist")
ADD = reverse("admin:recommend_rule_add")
RULE = {
    "name": "Mugs first", "action": "boost", "active": "on", "priority": "0", "strength": "2", "position": "1",
    "share": "0.2", "filter": "price < 20",
}  # fmt: skip


def saved(client: Client, address: str = ADD, **fields: str) -> str:
    """What the page says after saving; "" when it was saved."""
    response = client.post(address, RULE | fields)
    assert response.status_code in {200, 302}
    return "" if response.status_code == 302 else response.content.decode()


def test_a_rule_is_made_from_ids_and_names(admin_client: Client) -> None:
    mug, cup = make_items(
        {"item_id": "mug", "categories": [["Kitchen", "Mugs"]]}, {"item_id": "cup, small", "categories": [["Kitchen"]]}
    )
    said = saved(
        admin_client, item_ids="cup, small\n\n mug \nmug", category_names="mugs", segment_names="vip\nnew",
        context_lines="device = phone\ncampaign=a=b", filter="",
    )  # fmt: skip
    assert said == ""
    rule = Rule.objects.get()
    assert rule.items == [cup, mug]
    assert len(rule.categories) == 1
    assert rule.segments == ["vip", "new"]
    assert rule.context == {"device": "phone", "campaign": "a=b"}


def test_a_rule_comes_back_into_its_form_as_it_was_typed(admin_client: Client) -> None:
    make_items({"item_id": "mug", "categories": [["Kitchen", "Mugs"]]}, {"item_id": "cup"})
    saved(admin_client, item_ids="cup\nmug", category_names="Mugs", context_lines="device=phone")
    form = admin_client.get(reverse("admin:recommend_rule_change", args=[Rule.objects.get().pk])).context["adminform"]
    assert form.form["item_ids"].value() == "cup\nmug"
    assert form.form["category_names"].value().count("\n") == 0
    assert form.form["category_names"].value() != ""
    assert form.form["context_lines"].value() == "device = phone"


def test_a_rule_is_for_the_placements_that_are_chosen_and_for_all_where_none_is(admin_client: Client) -> None:
    home = Placement.objects.get(key="home")
    assert saved(admin_client, placements=str(home.pk)) == ""
    rule = Rule.objects.get()
    assert list(rule.placements.all()) == [home]
    assert not rule.everywhere
    assert saved(admin_client, reverse("admin:recommend_rule_change", args=[rule.pk])) == ""
    rule.refresh_from_db()
    assert list(rule.placements.all()) == []
    assert rule.everywhere


def test_unknown_items_are_refused_by_name(admin_client: Client) -> None:
    make_items({"item_id": "mug"})
    assert "No item has the id jug. Correct it" in saved(admin_client, item_ids="mug\njug")
    assert "No items have the ids a, b, c, d, e and 2 more." in saved(admin_client, item_ids="\n".join("abcdefg"))
    assert not Rule.objects.exists()


def test_unknown_categories_are_refused_by_name(admin_client: Client) -> None:
    assert "No category has the id Mugs." in saved(admin_client, category_names="Mugs")


def test_a_deleted_item_may_stay_in_its_rule(admin_client: Client) -> None:
    make_items({"item_id": "mug"})
    saved(admin_client, item_ids="mug")
    item_delete("mug")
    rule = Rule.objects.get()
    assert saved(admin_client, reverse("admin:recommend_rule_change", args=[rule.pk]), item_ids="mug") == ""
    assert "No item has the id mug" in saved(admin_client, item_ids="mug", name="another")


@pytest.mark.parametrize("field", ["filter", "seed_filter"])
def test_a_filter_that_cannot_be_read_is_refused_at_its_character(admin_client: Client, field: str) -> None:
    assert "at character 12: price &lt; 20 &amp;" in saved(admin_client, **{field: "price < 20 & stock = 1"})
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"filter": ""}, "Say which items"),
        ({"action": "pin"}, "Pinned items are named one by one."),
        ({"action": "promote_share", "share": "0"}, "A share of 0 promotes nothing."),
        ({"share": "1.5"}, "less than or equal to 1"),
        ({"strength": "0.5"}, "greater than or equal to 1"),
        ({"position": "0"}, "greater than or equal to 1"),
        ({"context_lines": "phone"}, "This is not: phone"),
        ({"context_lines": "device=phone\ndevice=tablet"}, "device is there twice"),
        ({"item_ids": "\n".join(map(str, range(1001)))}, "A rule names at most 1,000 items; these are 1,001."),
        (
            {"starts_at_0": "2030-01-02", "starts_at_1": "00:00", "ends_at_0": "2030-01-01", "ends_at_1": "00:00"},
            "It would end before it starts.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_rule_that_makes_no_sense_is_refused(admin_client: Client, fields: dict, sentence: str) -> None:
    assert sentence in saved(admin_client, **fields)
    assert not Rule.objects.exists()


def test_the_list_says_status_reach_and_conflicts(admin_client: Client, django_assert_max_num_queries) -> None:
    (mug, _) = make_items({"item_id": "mug"}, {"item_id": "cup"})
    Rule.objects.create(name="Pin mug", action="pin", items=[mug])
    Rule.objects.create(name="Hide mug", action="hide", items=[mug], priority=5)
    Rule.objects.create(name="Later", action="boost", items=[mug], starts_at=timezone.now() + timedelta(days=1))
    Rule.objects.create(name="Over", action="boost", items=[mug], ends_at=timezone.now() - timedelta(days=1))
    Rule.objects.create(name="Off", action="boost", items=[mug], active=False)
    page = admin_client.get(LIST).content.decode()
    for words in ("active now", "scheduled", "expired", "off", "1 item, 1 of them can be shown"):
        assert words in page
    assert "“Pin mug” pins mug, which “Hide mug” hides: it is not shown" in page
    for number in range(10):
        Rule.objects.create(name=f"more {number}", action="boost", items=[mug])
    with django_assert_max_num_queries(40):
        admin_client.get(LIST)


def test_the_page_of_a_rule_says_what_stands_in_its_way(admin_client: Client) -> None:
    (mug,) = make_items({"item_id": "mug"})
    rule = Rule.objects.create(name="Nothing left", action="hide", items=[mug])
    page = admin_client.get(reverse("admin:recommend_rule_change", args=[rule.pk])).content.decode()
    assert "“Nothing left” would leave nothing that can be shown. It is set aside while that is so." in page
    assert "1 item, 1 of them can be shown" in page


def test_rules_are_turned_off_and_on_with_a_line_in_their_history(admin_client: Client) -> None:
    rule = Rule.objects.create(name="a", action="hide", filter="price < 1")
    chosen = {"_selected_action": [rule.pk]}
    admin_client.post(LIST, chosen | {"action": "turn_off"})
    assert not Rule.objects.get().active
    admin_client.post(LIST, chosen | {"action": "turn_on"})
    assert Rule.objects.get().active
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("id")] == ["Turned off.", "Turned on."]


def test_who_may_only_look_cannot_turn_rules_off(client: Client, django_user_model) -> None:
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_rule"))
    client.force_login(user)
    rule = Rule.objects.create(name="a", action="hide", filter="price < 1")
    assert client.get(LIST).status_code == 200
    client.post(LIST, {"_selected_action": [rule.pk], "action": "turn_off"})
    assert Rule.objects.get().active


def test_a_placement_takes_controls_and_refuses_a_range_the_wrong_way_round(admin_client: Client) -> None:
    home = Placement.objects.get(key="home")
    address = reverse("admin:recommend_placement_change", args=[home.pk])
    fields = {
        "label": "Home", "page_type": "home", "pipeline": home.pipeline, "active": "on", "max_per_brand": "2",
        "price_min": "1", "price_max": "9.5", "collapse_variants": "on", "freshness_weight": "0.5",
        "freshness_half_life_days": "7", "margin_weight": "0", "rotation_hours": "0",
    }  # fmt: skip
    assert (
        "The highest price is below the lowest."
        in admin_client.post(address, fields | {"price_max": "0.5"}).content.decode()
    )
    assert admin_client.post(address, fields).status_code == 302
    home.refresh_from_db()
    assert (home.max_per_brand, float(home.price_max), home.collapse_variants) == (2, 9.5, True)
