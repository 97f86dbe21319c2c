from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.interactions.entry_token import EntryToken, sign
from apps.interactions.models import Attribution, Event
from apps.users.models import User
from apps.users.services import api_key_create, user_token_sign, visitor_id_is_ours

pytestmark = pytest.mark.django_db
URL = "/api/v1/interactions"
Post = Callable[..., Any]


def _client(**key: Any) -> APIClient:
    _, plain = api_key_create(name="test", **key)
    return APIClient(headers={"Authorization": f"Bearer {plain}"})


@pytest.fixture
def post(items: dict[str, int]) -> Post:
    client = _client()
    return lambda body, **extra: client.post(URL, body, format="json", **extra)


@pytest.fixture
def public_post(items: dict[str, int]) -> Post:
    client = _client(kind="public", allowed_origins=["*"])
    return lambda body, **extra: client.post(URL, body, format="json", **extra)


def view(**said: object) -> dict[str, object]:
    return {"user_id": "ann", "item_id": "lamp", "interaction_type": "view", **said}


def test_one_event_is_stored_and_its_repeat_is_known(post: Post) -> None:
    first, again = (post(view(event_id="e1")) for _ in range(2))
    assert (first.status_code, first.json()) == (201, {"status": "stored", "event_id": "e1", "user_id": "ann"})
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    assert Event.objects.count() == 1


def test_numbers_are_accepted_as_ids(post: Post, items: dict[str, int]) -> None:
    from apps.catalog.models import Item

    Item.objects.create(external_id="67890", title="numbered")
    response = post({"user_id": 12345, "item_id": 67890, "interaction_type": "view"})
    assert (response.status_code, response.json()["user_id"]) == (201, "12345")
    assert response.json()["event_id"]


def test_a_list_has_a_result_for_each_and_good_ones_are_stored(post: Post) -> None:
    body = [view(event_id="a"), view(item_id="nothing"), view(event_id="a"), "text", view(interaction_type="xyz")]
    response = post(body)
    assert response.status_code == 200
    answer = response.json()
    assert {k: answer[k] for k in ("stored", "duplicate", "rejected")} == {"stored": 1, "duplicate": 1, "rejected": 3}
    assert [r["status"] for r in answer["results"]] == ["stored", "rejected", "duplicate", "rejected", "rejected"]
    assert [r.get("field") for r in answer["results"]] == [None, "item_id", None, "body", "interaction_type"]
    assert "nothing" in answer["results"][1]["detail"]


@pytest.mark.parametrize("alias", ["token", "attribution_token", "recommId", "recomm_id"])
def test_a_token_comes_under_any_of_its_names(post: Post, items: dict[str, int], alias: str) -> None:
    token = EntryToken(uuid4(), items["lamp"], 2, "home", propensity=0.5)
    assert post(view(**{alias: sign(token)})).status_code == 201
    assert Attribution.objects.get().propensity == 0.5


def test_a_token_of_another_item_names_the_token(post: Post, items: dict[str, int]) -> None:
    response = post(view(item_id="mug", token=sign(EntryToken(uuid4(), items["lamp"], 2, "home"))))
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "token"


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"item_id": "nothing"}, 404, "item_id"),
        ({"item_id": None}, 400, "item_id"),
        ({"item_id": True}, 400, "item_id"),
        ({"item_id": 1.5}, 400, "item_id"),
        ({"item_id": ["lamp"]}, 400, "item_id"),
        ({"user_id": None}, 400, "user_id"),
        ({"user_id": {}}, 400, "user_id"),
        ({"user_id": 10**300}, 400, "user_id"),
        ({"interaction_type": None}, 400, "interaction_type"),
        ({"interaction_type": 5}, 400, "interaction_type"),
        ({"interaction_type": "wiev"}, 400, "interaction_type"),
        ({"occurred_at": "2999-01-01"}, 400, "occurred_at"),
        ({"occurred_at": {}}, 400, "occurred_at"),
        ({"occurred_at": True}, 400, "occurred_at"),
        ({"value": []}, 400, "value"),
        ({"value": "x"}, 400, "value"),
        ({"quantity": 0}, 400, "quantity"),
        ({"quantity": False}, 400, "quantity"),
        ({"currency": 1}, 400, "currency"),
        ({"properties": []}, 400, "properties"),
        ({"properties": "x"}, 400, "properties"),
        ({"query": 1}, 400, "query"),
        ({"query": "x" * 1_001}, 400, "query"),
        ({"query": "a\x00"}, 400, "query"),
        ({"token": 7}, 400, "token"),
        ({"event_id": ""}, 201, ""),
        ({"page_location": "https://…"}, 400, "page_location"),
        ({"event_type": "purchase"}, 400, "event_type"),
    ],
)
def test_a_bad_event_is_answered_with_a_problem_that_names_the_field(
    post: Post, said: dict[str, object], status: int, field: str
) -> None:
    response = post(view(**said))
    assert response.status_code == status
    if field:
        problem = response.json()
        assert response["Content-Type"] == "application/problem+json"
        assert problem["status"] == status
        assert [error["field"] for error in problem["errors"]] == [field]
        assert problem["errors"][0]["detail"]
        assert not Event.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"", b"[1,", b"\xff", b'{"value": NaN}', b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_bad_request(items: dict[str, int], body: bytes) -> None:
    response = _client().post(URL, body, content_type="application/json")
    assert response.status_code == 400
    assert not Event.objects.exists()


def test_too_many_events_or_bytes_are_refused(post: Post, settings: Any) -> None:
    assert post([view()] * 1_001).status_code == 413
    settings.MAX_BODY_BYTES = 500
    assert post(view(properties={"a": "x" * 600})).status_code == 413
    assert not Event.objects.exists()


def test_an_empty_list_stores_nothing(post: Post) -> None:
    assert post([]).json() == {"stored": 0, "duplicate": 0, "rejected": 0, "results": []}


def test_the_idempotency_key_stands_for_the_event_id(post: Post) -> None:
    responses = [post(view(), headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [r.status_code for r in responses] == [201, 200]
    assert responses[0].json()["event_id"] == "k1"
    lists = [post([view(), view()], headers={"Idempotency-Key": "k2"}).json() for _ in range(2)]
    assert [(a["stored"], a["duplicate"]) for a in lists] == [(2, 0), (0, 2)]


def test_a_session_stands_for_an_anonymous_user(post: Post) -> None:
    response = post({"session_id": "s9", "item_id": "lamp", "interaction_type": "view"})
    assert response.json()["user_id"] == "session:s9"
    assert User.objects.get().anonymous


def test_a_search_keeps_its_query(post: Post) -> None:
    assert post({"user_id": "ann", "event_type": "search", "query": "lamps"}).status_code == 201
    assert Event.objects.get().properties == {"query": "lamps"}


def test_no_key_is_401_and_a_key_without_the_scope_403(items: dict[str, int]) -> None:
    assert APIClient().post(URL, view(), format="json").status_code == 401
    assert _client(scopes=["catalog:read"]).post(URL, view(), format="json").status_code == 403
    assert not Event.objects.exists()


def test_a_browser_that_names_nobody_gets_one_visitor_id_and_may_use_it(public_post: Post) -> None:
    body = {"item_id": "lamp", "interaction_type": "view"}
    answer = public_post([body, {**body, "session_id": "s"}]).json()
    (visitor,) = {result["user_id"] for result in answer["results"]}
    assert visitor_id_is_ours(visitor)
    assert User.objects.get().anonymous
    again = public_post({**body, "user_id": visitor})
    assert (again.status_code, again.json()["user_id"]) == (201, visitor)


def test_a_browser_may_not_speak_for_others(public_post: Post) -> None:
    response = public_post(view(user_id="ann"))
    assert (response.status_code, response.json()["errors"][0]["field"]) == (403, "user_id")
    answer = public_post([view(user_id="ann"), {"item_id": "lamp", "interaction_type": "view"}]).json()
    assert (answer["stored"], answer["rejected"]) == (1, 1)
    assert answer["results"][0]["code"] == "forbidden"
    assert not User.objects.filter(external_id="ann").exists()


def test_a_browser_speaks_for_the_user_of_its_token(public_post: Post) -> None:
    token = user_token_sign("ann", 60)
    body = {"item_id": "lamp", "interaction_type": "view"}
    assert public_post({**body, "user_token": token}).json()["user_id"] == "ann"
    assert public_post([body], headers={"X-User-Token": token}).json()["results"][0]["user_id"] == "ann"
    assert not User.objects.get().anonymous
    bad = public_post([body], headers={"X-User-Token": "bad"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (403, "user_token")


@pytest.mark.parametrize("kind", ["purchase", "order", "refund"])
def test_a_browser_may_not_report_purchases_unless_allowed(public_post: Post, kind: str, settings: Any) -> None:
    body = {"item_id": "lamp", "interaction_type": kind}
    response = public_post(body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (403, "interaction_type")
    settings.PUBLIC_KEY_MAY_PURCHASE = True
    assert public_post(body).status_code == 201


def test_a_browser_cannot_take_the_id_of_a_shops_order(post: Post, public_post: Post) -> None:
    taken = public_post({"item_id": "lamp", "interaction_type": "view", "event_id": "order-1"})
    assert taken.json()["event_id"] == "order-1"
    assert post(view(interaction_type="purchase", event_id="order-1")).status_code == 201
    again = public_post({"item_id": "lamp", "interaction_type": "view", "event_id": "order-1"})
    assert again.json()["status"] == "duplicate"


def test_one_event_costs_few_queries(post: Post, django_assert_max_num_queries: Any) -> None:
    post(view())
    with django_assert_max_num_queries(10):
        post(view())
