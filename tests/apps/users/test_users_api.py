import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.users.selectors import user_by_external_id
from apps.users.services import user_token_verify, users_merge, visitor_id_is_ours
from tests.factories import client, make_events, make_items, make_user, public_key, secret_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> APIClient:
    return client()


def fields_at_fault(response: Any, status: int = 400) -> list[str]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]


def test_put_creates_then_sets_what_is_sent(api: APIClient) -> None:
    made = api.put("/api/v1/users/12345", {"user_id": 12345, "attributes": {"city": "Leeds"}})
    assert made.status_code == 201
    assert made.json()["user_id"] == "12345"
    assert (made.json()["anonymous"], made.json()["personalised"]) == (False, True)
    again = api.put("/api/v1/users/12345", {"personalised": False})
    assert again.status_code == 200
    assert (again.json()["personalised"], again.json()["attributes"]) == (False, {"city": "Leeds"})
    assert api.get("/api/v1/users/12345").json() == again.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"attributes": [1]}, "attributes"),
        ({"attributes": {"a": "\x00"}}, "attributes"),
        ({"personalised": "perhaps"}, "personalised"),
        ({"name": "Ann"}, "name"),
        ({"user_id": "bob"}, "user_id"),
        ({"user_id": 1.5}, "user_id"),
        ([], "body"),
        ("x", "body"),
    ],
)
def test_a_bad_field_is_named(api: APIClient, body: object, field: str) -> None:
    response = api.put("/api/v1/users/ann", json.dumps(body), content_type="application/json")
    assert fields_at_fault(response) == [field]
    assert user_by_external_id("ann") is None


def test_an_unknown_user_is_not_found(api: APIClient) -> None:
    for response in (
        api.get("/api/v1/users/nobody"),
        api.delete("/api/v1/users/nobody"),
        api.get("/api/v1/users/nobody/export"),
        api.get("/api/v1/users/nobody/preferences"),
    ):
        assert fields_at_fault(response, 404) == ["user_id"]
    assert fields_at_fault(api.get(f"/api/v1/users/{'x' * 256}")) == ["user_id"]


def test_delete_erases(api: APIClient) -> None:
    make_user("ann")
    assert api.delete("/api/v1/users/ann").status_code == 204
    assert api.get("/api/v1/users/ann").status_code == 404
    assert api.get("/api/v1/users").json()["results"] == []


def test_merge_can_be_called_at_every_sign_in(api: APIClient) -> None:
    for _ in range(2):
        merged = api.post("/api/v1/users/ann/merge", {"from": "visitor-1"})
        assert (merged.status_code, merged.json()["user_id"]) == (200, "ann")
    assert api.get("/api/v1/users/visitor-1").json()["user_id"] == "ann"


def test_a_merge_that_cannot_be_is_refused(api: APIClient) -> None:
    make_user("bob")
    assert fields_at_fault(api.post("/api/v1/users/ann/merge", {"from": "bob"}), 409) == ["from"]
    assert fields_at_fault(api.post("/api/v1/users/ann/merge", {})) == ["from"]
    assert fields_at_fault(api.post("/api/v1/users/ann/merge", {"from": None})) == ["from"]
    assert fields_at_fault(api.post("/api/v1/users/ann/merge", {"from": "x", "to": "y"})) == ["to"]


def test_an_export_holds_the_user_and_their_events(api: APIClient) -> None:
    make_items({})
    make_events("ann", ["item-1"])
    users_merge("visitor-1", "ann")
    held = api.get("/api/v1/users/ann/export").json()
    assert held["user"]["user_id"] == "ann"
    assert held["user"]["visitor_ids"] == ["visitor-1"]
    assert [event["item_id"] for event in held["interactions"]["events"]] == ["item-1"]


def test_preferences_are_kept_even_for_a_user_nobody_knows_yet(api: APIClient) -> None:
    address = "/api/v1/users/ann/preferences"
    assert api.put(address, {"personalised": False}).json() == {"personalised": False}
    assert api.get(address).json() == {"personalised": False}
    assert fields_at_fault(api.put(address, {})) == ["personalised"]
    assert fields_at_fault(api.put(address, {"personalised": None})) == ["personalised"]


def test_a_shops_server_gets_a_token_for_its_signed_in_user(api: APIClient) -> None:
    answer = api.post("/api/v1/users/ann/token", {"seconds": 60}).json()
    assert user_token_verify(answer["user_token"]) == "ann"
    assert api.post("/api/v1/users/ann/token", {}).status_code == 200
    assert fields_at_fault(api.post("/api/v1/users/ann/token", {"seconds": 86_401})) == ["seconds"]


def test_a_browser_gets_a_visitor_id_but_no_token() -> None:
    browser = client(public_key())
    assert visitor_id_is_ours(browser.post("/api/v1/visitors").json()["visitor_id"])
    assert fields_at_fault(browser.post("/api/v1/users/ann/token", {}), 403) == []


def test_the_list_leaves_out_who_was_merged_or_erased(api: APIClient) -> None:
    make_user("ann")
    make_user("bob")
    users_merge("visitor-1", "ann")
    page = api.get("/api/v1/users?limit=1").json()
    assert [user["user_id"] for user in page["results"]] == ["bob"]
    assert [user["user_id"] for user in api.get(page["next"]).json()["results"]] == ["ann"]


@pytest.mark.parametrize(
    ("method", "address", "scope"),
    [
        ("get", "/api/v1/users", "users:read"),
        ("get", "/api/v1/users/ann", "users:read"),
        ("put", "/api/v1/users/ann", "users:write"),
        ("delete", "/api/v1/users/ann", "users:write"),
        ("post", "/api/v1/users/ann/merge", "users:write"),
        ("get", "/api/v1/users/ann/export", "users:read"),
        ("get", "/api/v1/users/ann/preferences", "users:read"),
        ("put", "/api/v1/users/ann/preferences", "users:write"),
        ("post", "/api/v1/users/ann/token", "users:write"),
        ("post", "/api/v1/visitors", "events:write"),
    ],
)
def test_each_call_needs_its_scope(method: str, address: str, scope: str) -> None:
    assert fields_at_fault(getattr(APIClient(), method)(address, {}), 401) == []
    wrong = {"users:read": "users:write"}.get(scope, "users:read")
    response = getattr(client(secret_key(wrong)), method)(address, {})
    assert fields_at_fault(response, 403) == []
    assert scope in response.json()["detail"]


def test_an_unexpected_error_is_a_problem_document_that_says_nothing_of_its_cause(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("apps.users.selectors.user_record", broken)
    response = api.get("/api/v1/users/ann")
    assert fields_at_fault(response, 500) == []
    assert b"hunter2" not in response.content
    assert b"Traceback" not in response.content
