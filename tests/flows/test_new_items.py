"""A new item is recommended before any model has been trained on it."""

from typing import Any

from rest_framework.test import APIClient

from apps.catalog.services import items_upsert, parse_item

V1 = "/api/v1"


def similar(api: APIClient, item: str) -> list[str]:
    response: Any = api.get(f"{V1}/recommendations/item/{item}", {"limit": 20})
    assert response.status_code == 200, response.content
    return [entry["item_id"] for entry in response.json()["recommendations"]]


def test_an_item_of_this_minute_is_among_those_like_it(trained_shop: None, api: APIClient) -> None:
    assert "mug-new" not in similar(api, "mug-3")
    created = api.put(
        f"{V1}/items/mug-new",
        {
            "title": "Mug number 99",
            "description": "A mug for people who like a good mug.",
            "categories": ["Home > Mugs"],
        },
        format="json",
    )
    assert created.status_code == 201, created.content
    assert "mug-new" in similar(api, "mug-3")
    assert similar(api, "mug-new")[0].startswith("mug-")


def test_an_item_nobody_can_compare_is_asked_about_once(trained_shop: None, api: APIClient) -> None:
    items_upsert([parse_item({"item_id": "odd", "title": "Xyzzy"})])
    assert "odd" not in similar(api, "mug-3")
    assert len(similar(api, "odd")) == 20
