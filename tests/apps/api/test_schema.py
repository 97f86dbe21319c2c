"""What programs are told about the API."""

from typing import Any

import pytest
from django.test import Client

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def calls(client: Client, db: None) -> dict[str, dict[str, Any]]:
    """Every call of the API by "METHOD path", as /api/schema/ describes it."""
    paths = client.get("/api/schema/", {"format": "json"}, headers={"Accept": "application/json"}).json()["paths"]
    return {
        f"{method.upper()} {path}": one
        for path, methods in paths.items()
        if path.startswith("/api/v1/")
        for method, one in methods.items()
        if method in METHODS
    }


def test_every_call_says_which_scope_it_needs(calls: dict[str, dict[str, Any]]) -> None:
    assert calls["GET /api/v1/items"]["x-scope"] == "catalog:read"
    assert calls["DELETE /api/v1/users/{user_id}"]["x-scope"] == "users:write"
    assert not [name for name, call in calls.items() if f"Scope: `{call['x-scope']}`." not in call["description"]]


def test_every_refusal_is_described_as_a_problem_document(calls: dict[str, dict[str, Any]]) -> None:
    for name, call in calls.items():
        refusals = {status: answer for status, answer in call["responses"].items() if status >= "400"}
        assert {"400", "401", "403"} <= refusals.keys(), name
        assert ("413" in refusals) == ("415" in refusals) == ("requestBody" in call), name
        for answer in refusals.values():
            assert list(answer["content"]) == ["application/problem+json"], name
            assert answer["description"], name


def test_the_page_to_try_calls_on_opens_and_describes_nothing_else(client: Client, db: None) -> None:
    assert client.get("/api/docs/").status_code == 200
    assert client.options("/api/docs/").status_code == 405
