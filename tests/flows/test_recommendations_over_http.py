"""Recommendations as a shop's developer meets them: over HTTP, with a key."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.catalog.services import item_delete, item_patch, items_upsert, parse_item
from apps.interactions.entry_token import verify
from apps.interactions.services import EventInput, events_record
from apps.recommend.models import ModelVersion, Placement
from apps.recommend.train import train_model
from apps.users.services import api_key_create, user_token_sign, visitor_id_issue

V1 = "/api/v1"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [entry["item_id"] for entry in response.json()["recommendations"]]


def kinds(item_ids: list[str]) -> set[str]:
    return {item_id.split("-")[0] for item_id in item_ids}


def test_a_user_gets_what_suits_their_taste_and_nothing_they_have_seen(trained_shop: None, api: APIClient) -> None:
    body = api.get(f"{V1}/recommendations/user/shopper-1", {"limit": 5, "explain": True}).json()
    assert [entry["position"] for entry in body["recommendations"]] == [1, 2, 3, 4, 5]
    assert kinds([entry["item_id"] for entry in body["recommendations"]]) == {"mug"}
    seen = {f"mug-{(3 + step * 2) % 15}" for step in range(8)}
    assert not seen & {entry["item_id"] for entry in body["recommendations"]}
    assert body["placement"] == "home"
    assert body["pipeline"] == "home"
    assert body["fallback"] is None
    assert body["experiment"] is None
    assert uuid.UUID(body["recomm_id"])
    assert ModelVersion.objects.filter(version=body["model_version"], active=True).exists()


def test_reasons_name_something_the_user_really_did(trained_shop: None, api: APIClient) -> None:
    events_record([EventInput("view", item_id="lamp-3", user_id="newcomer")])
    body = api.get(f"{V1}/recommendations/user/newcomer", {"limit": 5, "explain": "true"}).json()
    for entry in body["recommendations"]:
        assert entry["reason"]["code"] == "because_you_viewed"
        assert entry["reason"]["item_ids"] == ["lamp-3"]
        assert entry["reason"]["text"] == "Because you viewed Lamp number 3"
    assert kinds([entry["item_id"] for entry in body["recommendations"]]) == {"lamp"}


@pytest.mark.parametrize(
    ("happened", "code"),
    [
        (["view", "add_to_cart"], "because_you_added_to_cart"),
        (["view", "add_to_cart", "remove_from_cart"], "because_you_viewed"),
        (["add_to_cart", "remove_from_cart"], "taste"),
        (["view", "add_to_cart", "purchase"], "because_you_bought"),
    ],
)
def test_what_has_left_the_cart_is_not_said_to_be_in_it(
    trained_shop: None, api: APIClient, happened: list[str], code: str
) -> None:
    """Also when everything is reported at once, with one time for all."""
    events_record([EventInput(kind, item_id="lamp-3", user_id="newcomer") for kind in happened])
    body = api.get(f"{V1}/recommendations/user/newcomer", {"limit": 5, "explain": "true"}).json()
    assert {entry["reason"]["code"] for entry in body["recommendations"]} == {code}


def test_without_explain_no_reason_is_given(trained_shop: None, api: APIClient) -> None:
    body = api.get(f"{V1}/recommendations/user/shopper-1").json()
    assert len(body["recommendations"]) == 10
    assert not any("reason" in entry for entry in body["recommendations"])


def test_an_event_changes_the_very_next_answer(trained_shop: None, api: APIClient) -> None:
    before = ids(api.get(f"{V1}/recommendations/user/visitor", {"limit": 5}))
    posted = api.post(
        f"{V1}/interactions",
        [{"user_id": "visitor", "item_id": f"lamp-{n}", "interaction_type": "view"} for n in (1, 2, 4)],
        format="json",
    )
    assert posted.json()["stored"] == 3
    after = ids(api.get(f"{V1}/recommendations/user/visitor", {"limit": 5}))
    assert kinds(after) == {"lamp"}
    assert after != before


def test_the_two_calls_of_the_readme_work_as_they_stand(trained_shop: None, api: APIClient) -> None:
    items_upsert([parse_item({"item_id": 67890, "title": "Kettle"})])
    answer = api.get(f"{V1}/recommendations/user/12345", {"limit": 10, "explain": True})
    assert len(ids(answer)) == 10
    stored = api.post(
        f"{V1}/interactions", {"user_id": 12345, "item_id": 67890, "interaction_type": "view"}, format="json"
    )
    assert stored.status_code == 201, stored.content


def test_an_unknown_user_gets_a_named_fallback_not_an_error(trained_shop: None, api: APIClient) -> None:
    body = api.get(f"{V1}/recommendations/user/nobody-knows-me", {"limit": 4, "explain": True}).json()
    assert len(body["recommendations"]) == 4
    assert body["fallback"] in ("trending", "popular")
    assert {entry["reason"]["code"] for entry in body["recommendations"]} <= {"trending", "popular"}


def test_a_shop_without_any_model_still_answers(shop: None, api: APIClient) -> None:
    body = api.get(f"{V1}/recommendations/user/shopper-1", {"limit": 30}).json()
    assert len(body["recommendations"]) == 30
    assert body["fallback"] == "newest"
    assert body["model_version"] is None


def test_an_empty_shop_answers_with_an_empty_list(api: APIClient) -> None:
    assert ids(api.get(f"{V1}/recommendations/user/anybody")) == []
    assert ids(api.get(f"{V1}/recommendations/popular")) == []


@pytest.mark.parametrize("relation", ["similar", "bought_together", "viewed_together"])
def test_an_item_goes_with_its_own_kind_never_with_itself(trained_shop: None, api: APIClient, relation: str) -> None:
    found = ids(api.get(f"{V1}/recommendations/item/mug-2", {"relation": relation, "limit": 3}))
    assert kinds(found) == {"mug"}
    assert "mug-2" not in found


def test_an_unknown_item_is_404_and_the_field_is_named(trained_shop: None, api: APIClient) -> None:
    response = api.get(f"{V1}/recommendations/item/no-such-thing")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"] == "item_id"


def test_popular_is_ordered_by_how_much_an_item_is_wanted(trained_shop: None, api: APIClient) -> None:
    events_record([EventInput("purchase", item_id="mug-14", user_id=f"fan-{n}") for n in range(30)])
    from apps.recommend.train import train_model

    for name in ("popular_7d", "popular_1d"):
        train_model(name, force=True)
    assert ids(api.get(f"{V1}/recommendations/popular", {"limit": 3}))[0] == "mug-14"
    assert ids(api.get(f"{V1}/recommendations/popular", {"limit": 1, "window": "24h"})) == ["mug-14"]


def test_best_sellers_of_a_window_follow_their_model_as_soon_as_it_is_trained(
    trained_shop: None, api: APIClient
) -> None:
    def best() -> str:
        return ids(api.get(f"{V1}/recommendations/popular", {"window": "7d", "limit": 1}))[0]

    train_model("popular_7d")
    before = best()
    wanted = "lamp-14" if before != "lamp-14" else "mug-14"
    events_record([EventInput("purchase", item_id=wanted, user_id=f"fan-{n}") for n in range(30)])
    assert best() == before
    train_model("popular_7d")
    assert best() == wanted


def test_what_is_the_same_for_everybody_is_answered_and_explained_without_reading_anybodys_history(
    trained_shop: None, api: APIClient
) -> None:
    with CaptureQueriesContext(connection) as queries:
        body = api.get(f"{V1}/recommendations/popular", {"user_id": "shopper-1", "explain": True}).json()
    assert {entry["reason"]["code"] for entry in body["recommendations"]} == {"popular"}
    assert not [query for query in queries if "users_user" in query["sql"]]


def test_new_arrivals_come_newest_first(trained_shop: None, api: APIClient) -> None:
    items_upsert([parse_item({"item_id": "brand-new", "title": "Just in"})])
    assert ids(api.get(f"{V1}/recommendations/new", {"limit": 2}))[0] == "brand-new"


def test_a_new_item_is_among_the_arrivals_at_once_though_they_were_asked_for_before(shop: None, api: APIClient) -> None:
    for name in ("one", "two"):
        items_upsert([parse_item({"item_id": name, "title": "Just in", "categories": ["Home > Lamps"]})])
        for asked in ({"limit": 2}, {"limit": 2, "category": "Lamps"}):
            assert ids(api.get(f"{V1}/recommendations/new", asked))[0] == name


def test_limit_exclude_and_category_are_obeyed(trained_shop: None, api: APIClient) -> None:
    found = ids(
        api.get(f"{V1}/recommendations/popular", {"limit": 20, "category": "Lamps", "exclude": ["lamp-1", "lamp-2"]})
    )
    assert kinds(found) == {"lamp"}
    assert len(found) == 13
    assert not {"lamp-1", "lamp-2"} & set(found)
    assert len(ids(api.get(f"{V1}/recommendations/popular", {"count": 7, "category": "Home"}))) == 7
    assert "mug-1" not in ids(api.get(f"{V1}/recommendations/popular", {"limit": 200, "exclude": "mug-1,mug-2"}))


@pytest.mark.parametrize(
    ("change", "back"),
    [({"available": False}, {"available": True}), ({"stock": 0}, {"stock": 5})],
)
def test_an_item_that_cannot_be_bought_disappears_and_comes_back(
    trained_shop: None, api: APIClient, change: dict[str, Any], back: dict[str, Any]
) -> None:
    first = ids(api.get(f"{V1}/recommendations/popular", {"limit": 5}))
    item_patch(first[0], change)
    assert first[0] not in ids(api.get(f"{V1}/recommendations/popular", {"limit": 200}))
    item_patch(first[0], back)
    assert first[0] in ids(api.get(f"{V1}/recommendations/popular", {"limit": 5}))


def test_a_deleted_item_disappears_from_every_list(trained_shop: None, api: APIClient) -> None:
    item_delete("mug-4")
    for path in ("popular", "trending", "new", "user/shopper-1", "item/mug-2"):
        assert "mug-4" not in ids(api.get(f"{V1}/recommendations/{path}", {"limit": 200}))


def test_a_changed_price_and_title_show_at_once(trained_shop: None, api: APIClient) -> None:
    item_patch("mug-1", {"price": "99.95", "title": "Golden mug"})
    cards = {
        entry["item_id"]: entry["item"]
        for entry in api.get(f"{V1}/recommendations/popular", {"limit": 200}).json()["recommendations"]
    }
    assert cards["mug-1"]["price"] == "99.95"
    assert cards["mug-1"]["title"] == "Golden mug"
    assert cards["mug-1"]["currency"] == "GBP"
    assert cards["mug-1"]["url"] == "/shop/mug-1"


def test_several_placements_in_one_call_without_repeats(trained_shop: None, api: APIClient) -> None:
    question = [
        {"placement": "home", "user_id": "shopper-1", "limit": 5},
        {"placement": "popular", "limit": 5},
        {"placement": "cart", "item_ids": ["mug-1", "mug-3"], "limit": 5},
    ]
    answers = api.post(f"{V1}/recommendations", {"requests": question, "distinct": True}, format="json").json()
    shown = [entry["item_id"] for answer in answers["results"] for entry in answer["recommendations"]]
    assert len(shown) == len(set(shown)) == 15
    one = api.post(f"{V1}/recommendations", question[1], format="json").json()
    assert one["placement"] == "popular"
    listed = api.post(f"{V1}/recommendations", question, format="json").json()
    assert [answer["placement"] for answer in listed["results"]] == ["home", "popular", "cart"]


def test_a_search_finds_words_and_near_misses_and_nothing_for_nonsense(trained_shop: None, api: APIClient) -> None:
    assert ids(api.get(f"{V1}/search", {"q": "lamp number 7", "limit": 3}))[0] == "lamp-7"
    assert kinds(ids(api.get(f"{V1}/search", {"q": "lmap", "limit": 3}))) <= {"lamp"}
    assert ids(api.get(f"{V1}/search", {"q": "zzqqxx"})) == []


def test_every_entry_carries_a_token_that_ties_an_event_to_it(trained_shop: None, api: APIClient) -> None:
    body = api.get(f"{V1}/recommendations/user/shopper-1", {"limit": 3}).json()
    entry = body["recommendations"][1]
    token = verify(entry["token"])
    assert len(entry["token"]) <= 200
    assert (str(token.recomm_id), token.position, token.placement) == (body["recomm_id"], 2, "home")
    assert token.source == entry["source"]
    click = {"user_id": "shopper-1", "item_id": entry["item_id"], "interaction_type": "click", "token": entry["token"]}
    assert api.post(f"{V1}/interactions", click, format="json").status_code == 201
    wrong = click | {"item_id": "lamp-1" if entry["item_id"] != "lamp-1" else "lamp-2"}
    refused = api.post(f"{V1}/interactions", wrong, format="json")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "token"


@pytest.mark.parametrize(
    ("path", "params", "status", "field"),
    [
        ("recommendations/user/x", {"limit": 0}, 400, "limit"),
        ("recommendations/user/x", {"limit": -3}, 400, "limit"),
        ("recommendations/user/x", {"limit": 100000}, 400, "limit"),
        ("recommendations/user/x", {"limit": "many"}, 400, "limit"),
        ("recommendations/user/x", {"limit": 3, "count": 4}, 400, "count"),
        ("recommendations/user/x", {"colour": "red"}, 400, "colour"),
        ("recommendations/user/x", {"placement": "attic"}, 404, "placement"),
        ("recommendations/user/x", {"category": "Spaceships"}, 404, "category"),
        ("recommendations/user/" + "x" * 256, {}, 400, "user_id"),
        ("recommendations/item/mug-1", {"relation": "cousin"}, 400, "relation"),
        ("recommendations/popular", {"window": "2y"}, 400, "window"),
        ("recommendations/popular", {"exclude": ",".join(map(str, range(1001)))}, 400, "exclude"),
        ("search", {}, 400, "q"),
    ],
)
def test_a_malformed_question_is_refused_naming_the_field(
    shop: None, api: APIClient, path: str, params: dict[str, Any], status: int, field: str
) -> None:
    response = api.get(f"{V1}/{path}", params)
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert field in [error["field"] for error in response.json()["errors"]]


@pytest.mark.parametrize(
    ("question", "status", "field"),
    [
        ({"placement": "attic"}, 404, "placement"),
        ({"placement": "home", "item_ids": ["no-such-item"]}, 404, "item_ids"),
        ({"placement": "home", "item_ids": ["mug-1", 1.5]}, 400, "item_ids[1]"),
        ({"placement": "home", "category": "Spaceships"}, 404, "category"),
        ({"placement": "home", "context": {"category": "Spaceships"}}, 404, "context.category"),
        ({"placement": "home", "context": {"colour": ["red"]}}, 400, "context.colour"),
        ({"placement": "home", "filter": "price <"}, 400, "filter"),
        ({"placement": "home", "after": "nonsense"}, 400, "after"),
        ({"placement": "home", "return_properties": ["colour"]}, 400, "return_properties"),
    ],
)
def test_a_question_with_a_body_is_refused_naming_the_field_as_it_was_sent(
    shop: None, api: APIClient, question: dict[str, Any], status: int, field: str
) -> None:
    for body, path in ((question, ""), ([{"placement": "popular"}, question], "requests[1].")):
        response = api.post(f"{V1}/recommendations", body, format="json")
        assert response.status_code == status, response.content
        assert [error["field"] for error in response.json()["errors"]] == [path + field]


def test_without_a_key_401_and_without_the_scope_403(shop: None) -> None:
    client = APIClient()
    assert client.get(f"{V1}/recommendations/popular").status_code == 401
    _, key = api_key_create(name="importer", kind="secret", scopes=["catalog:write"])
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    assert client.get(f"{V1}/recommendations/popular").status_code == 403


def test_a_browser_key_reads_for_its_own_visitor_only(trained_shop: None) -> None:
    _, key = api_key_create(name="browser", kind="public", allowed_origins=["*"])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    assert client.get(f"{V1}/recommendations/user/shopper-1").status_code == 403
    assert client.get(f"{V1}/recommendations/user/{visitor_id_issue()}").status_code == 200
    token = user_token_sign("shopper-1", 60)
    signed = client.get(f"{V1}/recommendations/user/shopper-1", {"limit": 3}, HTTP_X_USER_TOKEN=token)
    assert kinds(ids(signed)) == {"mug"}


def test_a_user_token_says_who_is_asking_wherever_it_is_sent(trained_shop: None) -> None:
    _, key = api_key_create(name="browser", kind="public", allowed_origins=["*"])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    token = user_token_sign("shopper-1", 60)
    question = {"placement": "home", "limit": 3, "user_token": token}
    assert kinds(ids(client.post(f"{V1}/recommendations", question, format="json"))) == {"mug"}
    answers = client.post(f"{V1}/recommendations", [question, question | {"user_id": "shopper-1"}], format="json")
    for answer in answers.json()["results"]:
        assert kinds([entry["item_id"] for entry in answer["recommendations"]]) == {"mug"}
    other = client.post(f"{V1}/recommendations", [question | {"user_id": "shopper-2"}], format="json")
    assert other.status_code == 403
    assert other.json()["errors"][0]["field"] == "requests[0].user_id"


def test_someone_who_opted_out_is_treated_as_a_new_visitor(trained_shop: None, api: APIClient) -> None:
    assert api.get(f"{V1}/recommendations/user/shopper-1").json()["fallback"] is None
    api.put(f"{V1}/users/shopper-1/preferences", {"personalised": False}, format="json")
    assert api.get(f"{V1}/recommendations/user/shopper-1").json()["fallback"] is not None


def test_a_failing_pipeline_is_replaced_by_its_fallback_and_the_failure_is_counted(
    trained_shop: None, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.recommend.engine.stages.drop_seen import DropSeen
    from apps.recommend.metrics import PIPELINE_FAILURES

    def broken(*_: Any) -> None:
        raise RuntimeError("a plug-in with a mistake")

    monkeypatch.setattr(DropSeen, "__call__", broken)
    before = PIPELINE_FAILURES.labels(pipeline="home", step="stages")._value.get()
    body = api.get(f"{V1}/recommendations/user/shopper-1").json()
    assert body["fallback"] == "trending"
    assert len(body["recommendations"]) == 10
    assert PIPELINE_FAILURES.labels(pipeline="home", step="stages")._value.get() == before + 1


def test_an_edited_placement_shows_at_once(trained_shop: None, api: APIClient) -> None:
    Placement.objects.filter(key="home").update(pipeline="popular", count=3)
    body = api.get(f"{V1}/recommendations/user/shopper-1").json()
    assert body["pipeline"] == "popular"
    assert len(body["recommendations"]) == 3
    Placement.objects.filter(key="home").update(active=False)
    assert api.get(f"{V1}/recommendations/user/shopper-1").status_code == 404


def test_a_cached_answer_equals_the_computed_one(trained_shop: None, api: APIClient) -> None:
    first = api.get(f"{V1}/recommendations/user/shopper-1", {"limit": 20, "explain": True}).json()
    second = api.get(f"{V1}/recommendations/user/shopper-1", {"limit": 20, "explain": True}).json()

    def lasting(body: dict[str, Any]) -> list[Any]:
        return [(e["item_id"], e["score"], e["source"], e["reason"]) for e in body["recommendations"]]

    assert lasting(first) == lasting(second)
    assert first["recomm_id"] != second["recomm_id"]
