"""Slates computed ahead are there when their users come back."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.utils import timezone

from apps.interactions.services import EventInput, events_record
from apps.recommend import result_cache
from apps.recommend.asking import Ask
from apps.recommend.metrics import CACHE_LOOKUPS
from apps.recommend.precompute import precompute
from apps.recommend.serve import recommend
from apps.recommend.train import train_model
from tests.factories import make_items

pytestmark = pytest.mark.django_db


def lookups(result: str) -> float:
    return CACHE_LOOKUPS.labels(layer="personal", result=result)._value.get()


@pytest.fixture
def shop() -> None:
    make_items(*({"item_id": f"item-{n}"} for n in range(20)))
    long_ago = timezone.now() - timedelta(days=1)
    for user in range(12):
        for n in range(4):
            item = f"item-{(user + n) % 20}"
            events_record([EventInput("view", item_id=item, user_id=f"user-{user}", occurred_at=long_ago)])
    train_model("item_knn", force=True)


def test_without_redis_nothing_is_computed_for_nobody(shop: None, settings: Any) -> None:
    settings.REDIS_URL = ""
    assert precompute() == 0


@pytest.mark.skipif(not configured.REDIS_URL, reason="needs Redis")
def test_who_comes_back_finds_their_slate_in_redis(shop: None) -> None:
    assert precompute(limit=5) == 5
    result_cache.clear()
    found = lookups("shared")
    answer = recommend(Ask(placement="home", user="user-11"))
    assert answer.entries
    assert lookups("shared") == found + 1


@pytest.mark.skipif(not configured.REDIS_URL, reason="needs Redis")
def test_who_did_something_since_is_answered_anew(shop: None) -> None:
    precompute()
    events_record([EventInput("view", item_id="item-3", user_id="user-11")])
    result_cache.clear()
    found, missed = lookups("shared"), lookups("miss")
    recommend(Ask(placement="home", user="user-11"))
    assert (lookups("shared"), lookups("miss")) == (found, missed + 1)
