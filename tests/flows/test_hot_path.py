"""The short way answers as the long way does, and hands on whatever is not plain."""

import json
from typing import Any

import pytest
from django.conf import settings as configured
from django_prometheus.middleware import Metrics
from rest_framework.test import APIClient

from apps.users.services import api_key_revoke
from tests.factories import client, public_key, secret_key

V1 = "/api/v1/recommendations"
LONG = {"X-Request-Id": "asked-the-long-way"}

QUESTIONS = [
    ("user/shopper-1", {}),
    ("user/shopper-1", {"limit": 3, "explain": "true"}),
    ("user/shopper-1", {"filter": "price > 5", "exclude": "mug-1,mug-2"}),
    ("user/shopper-1", {"placement": "email", "context.device": "phone"}),
    ("user/nobody", {"return_properties": "title,price"}),
    ("item/mug-3", {"relation": "bought_together", "user_id": "shopper-1"}),
    ("popular", {"window": "30d"}),
    ("trending", {"category": "Lamps"}),
    ("new", {"limit": 2}),
]
REFUSED = [
    ("user/shopper-1", {"limit": 0}, 400),
    ("user/shopper-1", {"limit": "x"}, 400),
    ("user/shopper-1", {"colour": "red"}, 400),
    ("user/shopper-1", {"filter": "price <"}, 400),
    ("user/shopper-1", {"placement": "attic"}, 404),
    ("user/" + "x" * 300, {}, 400),
    ("item/no-such-thing", {}, 404),
    ("popular", {"category": "Spaceships"}, 404),
    ("nothing-here", {}, 404),
    ("user/shopper-1", {"exclude": ["mug-1"] * 1_500}, 400),
]


def without_chance(body: dict[str, Any]) -> dict[str, Any]:
    """An answer but for what is new in every response."""
    kept = {name: value for name, value in body.items() if name not in {"recomm_id", "took_ms"}}
    kept["recommendations"] = [
        {name: value for name, value in entry.items() if name != "token"} for entry in body["recommendations"]
    ]
    return kept


def short_answers() -> float:
    latency = Metrics.get_instance().requests_latency_by_view_method
    return sum(
        sample.value
        for metric in latency.collect()
        for sample in metric.samples
        if sample.name.endswith("_count") and sample.labels["view"].startswith("recommendations_")
    )


def test_both_ways_give_the_same_answer(trained_shop: None, api: APIClient) -> None:
    for path, asked in QUESTIONS:
        before = short_answers()
        short = api.get(f"{V1}/{path}", asked)
        assert short_answers() == before + 1, path
        long = api.get(f"{V1}/{path}", asked, headers=LONG)
        assert short.status_code == long.status_code == 200, (path, short.content)
        assert without_chance(short.json()) == without_chance(long.json())
        assert short["Content-Length"] == str(len(short.content))
        assert short["Content-Type"] == long["Content-Type"] == "application/json"
        assert short["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("path", "asked", "status"), REFUSED)
def test_what_is_refused_is_refused_by_the_view(
    trained_shop: None, api: APIClient, path: str, asked: dict[str, Any], status: int
) -> None:
    response = api.get(f"{V1}/{path}", asked)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert "X-Request-Id" in response


def test_keys_are_looked_at_on_the_short_way_too(trained_shop: None) -> None:
    path = f"{V1}/user/shopper-1"
    assert client("sk_unknown").get(path).status_code == 401
    assert APIClient().get(path).status_code == 401
    assert client(secret_key("events:write")).get(path).status_code == 403
    assert client(public_key()).get(path).status_code == 403  # a browser may not ask for somebody it cannot speak for
    key = secret_key()
    asking = client(key)
    assert asking.get(path).status_code == 200
    from apps.users.models import ApiKey

    api_key_revoke(key_id=ApiKey.objects.latest("id").pk)
    assert asking.get(path).status_code == 401


def test_browsers_and_unknown_hosts_take_the_long_way(trained_shop: None, api: APIClient, settings: Any) -> None:
    before = short_answers()
    assert api.get(f"{V1}/user/shopper-1", headers={"Origin": "https://shop.example"}).status_code == 200
    assert api.get(f"{V1}/user/shopper-1", headers={"Host": "evil.example"}).status_code == 400
    settings.SECURE_SSL_REDIRECT = True
    assert api.get(f"{V1}/user/shopper-1").status_code in {200, 301}  # Django's own middleware knew HTTP as allowed
    assert short_answers() == before


def test_a_trace_is_told_the_long_way(trained_shop: None, api: APIClient) -> None:
    before = short_answers()
    assert "trace" in json.loads(api.get(f"{V1}/user/shopper-1", {"trace": "true"}).content)
    assert short_answers() == before


def test_the_short_way_comes_first() -> None:
    assert configured.MIDDLEWARE[0] == "recsys.hot_path.HotPathMiddleware"
