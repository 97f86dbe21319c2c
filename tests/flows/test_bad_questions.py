"""Questions and rules that make no sense: each is refused in clear words, or answered with a full list."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.catalog.models import Item
from apps.catalog.services import item_delete, item_patch
from apps.recommend.models import Rule
from apps.recommend.train import train_model

V1 = "/api/v1"
HOME = f"{V1}/recommendations/user/shopper-1"
FULL = 10

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def small_shop(shop: None) -> None:
    for name in ("item_knn", "popular_7d"):
        train_model(name, force=True)


def both_ways(api: APIClient, asked: dict[str, Any]) -> Iterator[Any]:
    """The answers to the same question by GET, the short way and the ordinary one, and by POST."""
    query = {name: ",".join(value) if isinstance(value, list) else value for name, value in asked.items()}
    yield api.get(HOME, query)
    yield api.get(HOME, query, headers={"X-Request-Id": "1"})
    placement = {"placement": "home", "user_id": "shopper-1"}
    yield api.post(f"{V1}/recommendations", json.dumps(placement | asked), content_type="application/json")


def shown(api: APIClient, **asked: Any) -> list[str]:
    """What is shown, the same by all ways."""
    lists = []
    for response in both_ways(api, asked):
        assert response.status_code == 200, response.content
        lists.append([entry["item_id"] for entry in response.json()["recommendations"]])
    assert lists[0] == lists[1] == lists[2]
    assert len(set(lists[0])) == len(lists[0])
    return lists[0]


@pytest.mark.parametrize("limit", [-1, 0, 201, 10**30, "many", 2.5, ""])
def test_a_limit_out_of_range_is_refused(api: APIClient, limit: Any) -> None:
    refused(api, "limit", limit=limit)


@pytest.mark.parametrize(
    "text",
    [
        "price < 1 or " * 800 + "price < 1",
        "price in (" + ", ".join(map(str, range(2_000))) + ")",
        "(" * 500 + "price < 1" + ")" * 500,
        "not " * 400 + "price < 1",
        "colour = 1",
        "price <",
        "price < 'a lot'",
        '"',
        "😀 = 1",
    ],
)
def test_a_filter_that_is_too_much_or_makes_no_sense_is_refused(api: APIClient, text: str) -> None:
    refused(api, "filter", filter=text)


def test_a_hundred_thousand_items_to_leave_out_are_refused(api: APIClient) -> None:
    refused(api, "exclude", exclude=[f"thing-{number}" for number in range(100_000)])


def test_an_unknown_placement_or_category_is_not_found(api: APIClient) -> None:
    for asked in ({"placement": "no-such-place"}, {"category": "no such category"}):
        for response in both_ways(api, asked):
            assert response.status_code == 404, response.content
            assert [error["field"] for error in response.json()["errors"]] == [*asked]


@pytest.mark.parametrize(
    "asked",
    [
        {"user_id": 3, "item_ids": ["no-such-thing"], "placement": "cart"},
        {"placement": "home", "after": "nonsense!"},
        {"placement": "home", "context": {"a": {"b": "c"}}},
        {"placement": "home", "limits": 3},
        {"placement": "home", "return_properties": ["colour"]},
        {"placement": ["home"]},
        {"requests": []},
        {"requests": [{"placement": "home"}] * 1_000},
        [[]],
        "home",
        None,
    ],
)
def test_other_nonsense_is_refused_too(api: APIClient, asked: Any) -> None:
    response = api.post(f"{V1}/recommendations", json.dumps(asked), content_type="application/json")
    assert 400 <= response.status_code < 500, response.content
    assert response.json()["errors"]


def refused(api: APIClient, field: str, **asked: Any) -> None:
    for response in both_ways(api, asked):
        assert response.status_code == 400, response.content
        assert {error["field"] for error in response.json()["errors"]} == {field}
        assert len(response.content) < 5_000, "it need not be told what it said"


def number(item: str) -> int:
    return Item.objects.get(external_id=item).pk


def rule(action: str, **said: Any) -> None:
    Rule.objects.create(name=f"{action} {Rule.objects.count()}", action=action, **said)


def test_a_rule_that_hides_everything_empties_no_shelf(api: APIClient) -> None:
    rule("hide", filter="price > 0")
    assert len(shown(api)) == FULL


def test_rules_that_include_nothing_there_is_empty_no_shelf(api: APIClient) -> None:
    item_patch("mug-1", {"available": False})
    rule("include_only", items=[number("mug-1"), 10**9])
    rule("include_only", filter="price > 1000000")
    assert len(shown(api)) == FULL


def test_of_contradicting_rules_the_one_of_higher_priority_holds(api: APIClient) -> None:
    rule("include_only", filter="price < 12", priority=1)
    rule("hide", filter="price < 12")
    rule("pin", items=[number("lamp-12")])
    found = shown(api)
    assert len(found) == FULL
    assert {int(item.split("-")[1]) for item in found} <= {*range(11)}


def test_pins_of_what_is_not_there_give_way_to_the_next(api: APIClient) -> None:
    item_patch("mug-1", {"available": False})
    gone, there = number("mug-2"), number("lamp-7")
    item_delete("mug-2")
    rule("pin", items=[10**12, number("mug-1"), gone, there], position=2)
    rule("pin", items=[there], position=5, priority=-1)
    found = shown(api)
    assert len(found) == FULL
    assert found[1] == "lamp-7"
    assert not {"mug-1", "mug-2"} & {*found}
