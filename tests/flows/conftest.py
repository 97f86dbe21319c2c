"""A small trained shop whose right answers are known: mugs and lamps, and shoppers who like one of the two."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import EventInput, events_record
from apps.recommend.train import train_model
from apps.users.services import api_key_create

KINDS = ("mug", "lamp")
EACH = 15
MODELS = (
    "als",
    "item_knn",
    "content",
    "lexical",
    "popular",
    "popular_7d",
    "trending",
    "bought_together",
    "viewed_together",
    "buy_again",
)


def item_rows() -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        for number in range(EACH):
            yield {
                "item_id": f"{kind}-{number}",
                "title": f"{kind.title()} number {number}",
                "description": f"A {kind} for people who like a good {kind}.",
                "categories": [f"Home > {kind.title()}s"],
                "price": f"{number + 1}.50",
                "currency": "GBP",
                "url": f"/shop/{kind}-{number}",
                "image_url": f"/pictures/{kind}-{number}.svg",
            }


def taste_events() -> Iterator[EventInput]:
    """40 shoppers, each with 8 views of one kind, the odd one of the other, and two purchases in a session."""
    now = timezone.now()
    for shopper in range(40):
        kind, other = (KINDS[0], KINDS[1]) if shopper % 2 else (KINDS[1], KINDS[0])
        for step in range(8):
            yield EventInput(
                "view",
                item_id=f"{kind}-{(shopper * 3 + step * 2) % EACH}",
                user_id=f"shopper-{shopper}",
                session_id=f"visit-{shopper}-{step // 4}",
                occurred_at=now - timedelta(days=20 - shopper % 18, hours=step),
            )
        for step in range(2):
            yield EventInput(
                "purchase",
                item_id=f"{kind}-{(shopper * 3 + step * 2) % EACH}",
                user_id=f"shopper-{shopper}",
                session_id=f"visit-{shopper}-1",
                occurred_at=now - timedelta(days=20 - shopper % 18, hours=-1),
                value="4.50",
                currency="GBP",
            )
        if shopper % 5 == 0:
            yield EventInput("view", item_id=f"{other}-{shopper % EACH}", user_id=f"shopper-{shopper}")


@pytest.fixture
def shop(db: None) -> None:
    """The catalog and its events, no model yet."""
    assert {result.status for result in items_upsert([parse_item(row) for row in item_rows()])} == {"created"}
    assert {result.status for result in events_record(list(taste_events()))} == {"stored"}


@pytest.fixture
def trained_shop(shop: None) -> None:
    """The shop with every model trained and active."""
    for name in MODELS:
        train_model(name, force=True)


@pytest.fixture
def api(db: None) -> APIClient:
    """A client with a secret key of all scopes."""
    _, key = api_key_create(name="tests", kind="secret")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client
