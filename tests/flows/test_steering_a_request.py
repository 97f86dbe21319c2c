"""What a caller can ask for beyond who and where: filters, pages, properties, and the whole story."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.catalog.services import item_patch
from apps.recommend import result_cache
from apps.recommend.engine.sources.nearest_to_user import NearestToUser
from apps.recommend.models import Placement
from apps.users.services import api_key_create
from tests.factories import client

V1 = "/api/v1"
HOME = f"{V1}/recommendations/user/shopper-1"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [entry["item_id"] for entry in response.json()["recommendations"]]


def test_a_filter_is_obeyed_by_the_pipeline_and_by_its_fallbacks(trained_shop: None, api: APIClient) -> None:
    found = ids(api.get(HOME, {"limit": 10, "filter": "price > 9 and price < 15"}))
    assert len(found) == 10
    assert {int(item.split("-")[1]) for item in found} <= set(range(8, 14))


def test_a_filter_that_nothing_matches_gives_an_empty_list_not_other_items(trained_shop: None, api: APIClient) -> None:
    assert ids(api.get(HOME, {"filter": "price > 1000000"})) == []


def test_a_wrong_filter_is_refused_where_it_goes_wrong(trained_shop: None, api: APIClient) -> None:
    response = api.get(HOME, {"filter": "price < and stock > 1"})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["field"] == "filter"
    assert "character 9" in error["detail"]


@pytest.mark.parametrize("text", ["(" * 10_000, "price < 1 and " * 700 + "price < 1", "\x00", "colour = 'red'"])
def test_no_filter_breaks_anything(trained_shop: None, api: APIClient, text: str) -> None:
    assert api.get(HOME, {"filter": text}).status_code == 400
    sent = api.post(f"{V1}/recommendations", {"placement": "home", "filter": text}, format="json")
    assert sent.status_code == 400


def test_pages_follow_each_other_without_repeats_or_gaps(trained_shop: None, api: APIClient) -> None:
    whole = ids(api.get(HOME, {"limit": 12}))
    shown: list[str] = []
    after: dict[str, str] = {}
    for page in range(3):
        body = api.get(HOME, {"limit": 4, **after}).json()
        assert [entry["position"] for entry in body["recommendations"]] == [1 + 4 * page + n for n in range(4)]
        shown += [entry["item_id"] for entry in body["recommendations"]]
        after = {"after": body["next"]}
    assert shown == whole


def test_the_last_page_says_that_nothing_follows(trained_shop: None, api: APIClient) -> None:
    body = api.get(HOME, {"limit": 200}).json()
    assert body["next"] is None
    assert 0 < len(body["recommendations"]) < 200


def test_fields_can_be_asked_for_instead_of_the_card(trained_shop: None, api: APIClient) -> None:
    item_patch("mug-1", {"attributes": {"glaze": "matt"}, "brand": "Potter"})
    asked = {"limit": 30, "return_properties": "title,brand,attributes.glaze"}
    found = {entry["item_id"]: entry["item"] for entry in api.get(HOME, asked).json()["recommendations"]}
    found |= {
        entry["item_id"]: entry["item"]
        for entry in api.get(f"{V1}/recommendations/popular", asked).json()["recommendations"]
    }
    assert found["mug-1"] == {"title": found["mug-1"]["title"], "brand": "Potter", "attributes.glaze": "matt"}
    assert all(set(item) == {"title", "brand", "attributes.glaze"} for item in found.values())
    assert "item" not in api.get(HOME, {"return_properties": "false"}).json()["recommendations"][0]


def test_the_trace_needs_its_scope_and_tells_the_whole_way(trained_shop: None, api: APIClient) -> None:
    _, reader = api_key_create(name="reader", scopes=["recommendations:read"])
    refused = client(reader).get(HOME, {"trace": True})
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["field"] == "trace"
    trace = api.get(HOME, {"trace": True, "limit": 5}).json()["trace"]
    sources = trace["pipelines"]["home"]["sources"]
    assert {"step", "took_ms", "candidates", "items"} <= set(sources[0])
    assert any(source["candidates"] for source in sources)
    assert trace["user"]["user_id"] == "shopper-1"
    assert trace["plan"]["models"]
    json.dumps(trace)


def test_why_not_names_the_obstacle(trained_shop: None, api: APIClient) -> None:
    def why(item: str, **more: Any) -> str:
        body = api.get(HOME, {"trace": True, "limit": 5, "why_not": item, **more}).json()
        return " ".join(body["trace"]["why_not"]["because"])

    shown = ids(api.get(HOME, {"limit": 5}))
    assert "position 1" in why(shown[0])
    assert "No item" in why("no-such-thing")
    item_patch("lamp-3", {"available": False})
    assert "available" in why("lamp-3")
    assert "filter" in why(shown[0], filter=f'item_id != "{shown[0]}"')
    assert "drop_seen removed it" in why("mug-3")


def test_a_source_that_fails_leaves_the_others_to_answer(
    trained_shop: None, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose = NearestToUser.propose

    def fails(self: NearestToUser, *said: Any) -> Any:
        if self.config.model == "als":
            raise RuntimeError("a model with a mistake")
        return propose(self, *said)

    monkeypatch.setattr(NearestToUser, "propose", fails)
    body = api.get(HOME, {"limit": 5}).json()
    assert len(body["recommendations"]) == 5
    assert body["fallback"] is None


def test_when_time_is_over_the_fallbacks_answer_and_are_named(
    trained_shop: None, api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.recommend import question
    from apps.recommend.engine.deadline import Deadline

    monkeypatch.setattr(question.Deadline, "after", classmethod(lambda cls, ms: Deadline(0.0)))
    body = api.get(HOME, {"limit": 5}).json()
    assert len(body["recommendations"]) == 5
    assert body["fallback"] is not None
    monkeypatch.undo()
    assert api.get(HOME, {"limit": 5}).json()["fallback"] is None  # nothing of it was remembered


def test_what_a_personal_fallback_made_for_one_shopper_is_not_shown_to_another(
    trained_shop: None, api: APIClient
) -> None:
    Placement.objects.filter(key="bought-together").update(pipeline="popular-1d", fallback=["home"])

    def asked(user: str) -> list[str]:
        return ids(api.get(f"{V1}/recommendations/user/{user}", {"placement": "bought-together", "limit": 8}))

    mugs, lamps = asked("shopper-1"), asked("shopper-2")
    result_cache.clear()
    assert (asked("shopper-2"), asked("shopper-1")) == (lamps, mugs)
    assert mugs != lamps


def test_a_list_made_while_somebody_else_computed_the_right_one_is_not_remembered(
    trained_shop: None, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_cache.SlateCache, "get_or_make", lambda *said, **more: None)
    assert api.get(HOME, {"limit": 5}).json()["fallback"] is not None
    monkeypatch.undo()
    assert api.get(HOME, {"limit": 5}).json()["fallback"] is None
