import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.catalog.models import Item
from apps.catalog.selectors import item_facts
from tests.apps.catalog.test_writing_items import WHOLE
from tests.factories import client, make_items, public_key, secret_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> APIClient:
    return client()


def fields_at_fault(response: Any, status: int = 400) -> list[str]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["type"]
    assert body["title"]
    assert body["detail"]
    return [error["field"] for error in body["errors"]]


def test_put_creates_then_replaces_and_says_which(api: APIClient) -> None:
    first = api.put("/api/v1/items/mug", WHOLE)
    assert first.status_code == 201
    again = api.put("/api/v1/items/mug", WHOLE)
    assert (again.status_code, again.json()) == (200, first.json())
    assert api.put("/api/v1/items/mug", {"title": "Cup"}).json()["brand"] == ""


def test_what_is_read_is_what_was_written_and_may_be_sent_back(api: APIClient) -> None:
    api.put("/api/v1/items/mug", WHOLE)
    read = api.get("/api/v1/items/mug").json()
    times = {"published_at", "expires_at"}
    assert {name: read[name] for name in WHOLE.keys() - times} == {name: WHOLE[name] for name in WHOLE.keys() - times}
    assert read["published_at"] == "2024-03-01T08:00:00Z"
    assert api.put("/api/v1/items/mug", read).json() == read


def test_numbers_are_accepted_as_ids(api: APIClient) -> None:
    assert api.put("/api/v1/items/67890", {"item_id": 67890, "title": "x"}).status_code == 201
    assert api.post("/api/v1/items", [{"item_id": 67890, "title": "x"}]).json()["results"] == [
        {"item_id": "67890", "status": "unchanged", "errors": []}
    ]


@pytest.mark.parametrize("item_id", ["a/b", "ä ö", "50%", "a?b#c", "日本語", "a;b=c", "x" * 255, "..a", "🫖"])
def test_any_printable_id_works_in_an_address(api: APIClient, item_id: str) -> None:
    from urllib.parse import quote

    address = f"/api/v1/items/{quote(item_id, safe='')}"
    assert api.put(address, {"title": "x"}).status_code == 201
    assert api.get(address).json()["item_id"] == item_id
    assert api.delete(address).status_code == 204


def test_an_id_that_cannot_be_one_is_named(api: APIClient) -> None:
    assert fields_at_fault(api.put(f"/api/v1/items/{'x' * 256}", {"title": "x"})) == ["item_id"]
    assert fields_at_fault(api.get("/api/v1/items/a%00b")) == ["item_id"]
    assert fields_at_fault(api.put("/api/v1/items/a", {"item_id": "b", "title": "x"})) == ["item_id"]


def test_unknown_and_deleted_items_are_not_found(api: APIClient) -> None:
    make_items({"item_id": "a"})
    assert api.delete("/api/v1/items/a").status_code == 204
    for response in (
        api.get("/api/v1/items/a"),
        api.get("/api/v1/items/b"),
        api.patch("/api/v1/items/a", {"title": "x"}),
        api.delete("/api/v1/items/b"),
    ):
        assert fields_at_fault(response, 404) == ["item_id"]
    assert api.delete("/api/v1/items/a").status_code == 204, "deleting again is as good as deleting once"


def test_patch_changes_what_it_names(api: APIClient) -> None:
    api.put("/api/v1/items/mug", WHOLE)
    patched = api.patch("/api/v1/items/mug", {"price": 3, "stock": None})
    assert patched.status_code == 200
    assert (patched.json()["price"], patched.json()["stock"], patched.json()["brand"]) == ("3.00", None, "Potters")
    assert fields_at_fault(api.patch("/api/v1/items/mug", {"price": "x", "colour": 1})) == ["price", "colour"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "x", "price": "-1"}, "price"),
        ({"title": "x", "price": {"amount": 1}}, "price"),
        ({"title": "x", "currency": "pounds"}, "currency"),
        ({"title": "x", "url": "javascript:alert(1)"}, "url"),
        ({"title": "x", "colour": "red"}, "colour"),
        ({"title": "x", "parent_id": "nobody"}, "parent_id"),
        ({}, "title"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
        (7, "body"),
    ],
)
def test_a_bad_item_is_refused_with_the_field_named(api: APIClient, body: object, field: str) -> None:
    assert fields_at_fault(api.put("/api/v1/items/a", json.dumps(body), content_type="application/json")) == [field]
    assert item_facts("a") is None


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"{'a': 1}",
        b"\xff\xfe",
        b'{"price": NaN}',
        b'{"a": Infinity}',
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b"1" * 5_000,
        b'{"\\ud800": 1}',
        b'{"title": "\\uDFFF"}',
    ],
)
def test_a_body_that_is_no_json_is_refused(api: APIClient, body: bytes) -> None:
    assert fields_at_fault(api.put("/api/v1/items/a", body, content_type="application/json")) == ["body"]


def test_characters_beyond_the_first_plane_may_be_escaped(api: APIClient) -> None:
    body = b'{"title": "\\ud83e\\uded6 pot"}'
    assert api.put("/api/v1/items/a", body, content_type="application/json").json()["title"] == "\U0001fad6 pot"


@pytest.mark.parametrize("name", ["", " ", "\x00", "<b>", "x" * 10_000, "a.b", "[key]", "errors"])
def test_a_field_of_any_name_is_refused_in_an_answer_that_can_be_sent(api: APIClient, name: str) -> None:
    assert fields_at_fault(api.put("/api/v1/items/a", {"title": "x", name: 1})) == [name or "(empty name)"]
    assert len(fields_at_fault(api.put("/api/v1/users/a", {name: 1}))) == 1


def test_a_body_in_another_format_is_refused(api: APIClient) -> None:
    assert fields_at_fault(api.put("/api/v1/items/a", b"title=x", content_type="text/plain"), 415) == []


def test_an_oversize_body_is_refused(api: APIClient, settings: Any) -> None:
    settings.MAX_BODY_BYTES = 1_000
    body = json.dumps({"title": "x", "description": "x" * 1_000})
    assert fields_at_fault(api.put("/api/v1/items/a", body, content_type="application/json"), 413) == ["body"]


def test_a_method_or_address_that_does_not_exist_is_a_problem_document_too(api: APIClient) -> None:
    assert fields_at_fault(api.delete("/api/v1/items"), 405) == []
    assert fields_at_fault(api.get("/api/v1/nothing-here"), 404) == []


class TestBulk:
    def test_every_entry_has_its_own_result_and_good_ones_are_stored(self, api: APIClient) -> None:
        make_items({"item_id": "old"}, {"item_id": "same"})
        response = api.post(
            "/api/v1/items",
            [
                {"item_id": "new", "title": "x"},
                {"item_id": "old", "title": "changed"},
                {"item_id": "same", "title": "Item 2"},
                {"item_id": "bad", "title": "x", "price": "-1", "stock": "y"},
                {"title": "no id"},
                "text",
                {"item_id": "orphan", "title": "x", "parent_id": "bad"},
                {"item_id": ["a"], "title": "x"},
            ],
        )
        assert response.status_code == 200
        results = response.json()["results"]
        assert [(one["item_id"], one["status"]) for one in results] == [
            ("new", "created"), ("old", "updated"), ("same", "unchanged"), ("bad", "rejected"), (None, "rejected"),
            (None, "rejected"), ("orphan", "rejected"), (None, "rejected"),
        ]  # fmt: skip
        assert [[error["field"] for error in one["errors"]] for one in results[3:]] == [
            ["price", "stock"], ["item_id"], ["item"], ["parent_id"], ["item_id"],
        ]  # fmt: skip
        assert set(Item.objects.values_list("external_id", flat=True)) == {"new", "old", "same"}

    def test_a_thousand_entries_are_accepted_and_one_more_is_not(self, api: APIClient) -> None:
        rows = [{"item_id": n, "title": "x"} for n in range(1001)]
        assert fields_at_fault(api.post("/api/v1/items", rows), 413) == ["items"]
        assert not Item.objects.exists()
        results = api.post("/api/v1/items", rows[:1000]).json()["results"]
        assert {one["status"] for one in results} == {"created"}
        assert Item.objects.count() == 1000

    def test_one_item_may_be_posted_alone_and_an_empty_list_is_nothing(self, api: APIClient) -> None:
        assert len(api.post("/api/v1/items", {"item_id": "a", "title": "x"}).json()["results"]) == 1
        assert api.post("/api/v1/items", []).json() == {"results": []}

    @pytest.mark.parametrize("body", ["text", None, 3, True])
    def test_what_is_no_list_is_refused(self, api: APIClient, body: object) -> None:
        response = api.post("/api/v1/items", json.dumps(body), content_type="application/json")
        assert fields_at_fault(response) == ["items"]


class TestLists:
    def test_the_pages_of_a_list_hold_every_item_once_newest_first(self, api: APIClient) -> None:
        make_items(*[{"categories": ["A > B"]} for _ in range(7)])
        seen, address = [], "/api/v1/items?limit=3"
        while address:
            page = api.get(address).json()
            assert len(page["results"]) <= 3
            seen += [item["item_id"] for item in page["results"]]
            address = page["next"]
        assert seen == [f"item-{n}" for n in range(7, 0, -1)]

    def test_an_item_added_meanwhile_neither_repeats_nor_hides_another(self, api: APIClient) -> None:
        make_items({}, {}, {})
        page = api.get("/api/v1/items?limit=2").json()
        make_items({"item_id": "late"})
        assert [item["item_id"] for item in api.get(page["next"]).json()["results"]] == ["item-1"]

    def test_a_page_takes_the_same_number_of_queries_however_long(self, api: APIClient) -> None:
        make_items(*[{"categories": ["A"], "parent_id": "item-1" if n else ""} for n in range(30)])
        counts = set()
        for limit in (2, 30):
            with CaptureQueriesContext(connection) as captured:
                api.get(f"/api/v1/items?limit={limit}")
            counts.add(len(captured))
        assert len(counts) <= 2
        assert max(counts) <= 5

    @pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1.5", "٣", "9" * 400])
    def test_a_bad_limit_is_refused(self, api: APIClient, limit: str) -> None:
        assert fields_at_fault(api.get("/api/v1/items", {"limit": limit})) == ["limit"]

    @pytest.mark.parametrize("cursor", ["x", "!!!", "LTE", "é", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"])
    def test_a_cursor_that_is_not_ours_is_refused(self, api: APIClient, cursor: str) -> None:
        assert fields_at_fault(api.get("/api/v1/items", {"cursor": cursor})) == ["cursor"]

    def test_categories_name_their_parents(self, api: APIClient) -> None:
        make_items({"categories": ["Kitchen > Mugs"]})
        assert api.get("/api/v1/categories").json() == {
            "results": [
                {"category_id": "Kitchen > Mugs", "name": "Mugs", "parent_id": "Kitchen"},
                {"category_id": "Kitchen", "name": "Kitchen", "parent_id": None},
            ],
            "next": None,
        }


class TestWhoMay:
    @pytest.mark.parametrize("address", ["/api/v1/items", "/api/v1/items/a", "/api/v1/categories"])
    def test_nobody_without_a_key(self, address: str) -> None:
        response = APIClient().get(address)
        assert fields_at_fault(response, 401) == []
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize(
        ("method", "address", "scope"),
        [
            ("get", "/api/v1/items", "catalog:read"),
            ("get", "/api/v1/items/a", "catalog:read"),
            ("get", "/api/v1/categories", "catalog:read"),
            ("put", "/api/v1/items/a", "catalog:write"),
            ("patch", "/api/v1/items/a", "catalog:write"),
            ("delete", "/api/v1/items/a", "catalog:write"),
            ("post", "/api/v1/items", "catalog:write"),
        ],
    )
    def test_only_keys_with_the_scope(self, method: str, address: str, scope: str) -> None:
        make_items({"item_id": "a"})
        others = {"catalog:read", "catalog:write", "users:read", "users:write", "recommendations:read"} - {scope}
        for key in (secret_key(*others), public_key()):
            response = getattr(client(key), method)(address, {"title": "x"})
            assert fields_at_fault(response, 403) == []
            assert scope in response.json()["detail"]
        assert getattr(client(secret_key(scope)), method)(address, {"title": "x"}).status_code < 300
