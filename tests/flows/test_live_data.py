"""What changes in the shop is seen by every web process at once, while the same lists are asked for all the time.

Each change is made as a shop makes it: items through one process's API, rules and placements in the database. How long
it took until all processes showed it is printed (`pytest -s`, or the report of a failure), not asserted: a second is
promised, on a machine that has nothing else to do.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from apps.catalog.models import Item
from apps.recommend.models import Placement, Rule
from apps.recommend.train import train_model
from apps.users.services import api_key_create
from tests.flows.conftest import EACH
from tests.flows.webs import Shoppers, Web, webs
from tests.processes import until

HOME = f"recommendations/user/shopper-1?limit={2 * EACH}"
POPULAR = f"recommendations/popular?limit={2 * EACH}"
SIMILAR = "recommendations/item/mug-2?relation=similar&limit=10"
SHORT = "recommendations/popular"  # as long as the placement says

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Shop:
    """Two processes of one shop, asked all the time."""

    def __init__(self, servers: list[Web]) -> None:
        self.servers = servers
        self.told = servers[0]
        self.delays: dict[str, float] = {}

    def change(self, method: str, path: str, body: Any = None) -> None:
        """By the API of one of the processes."""
        status, said = self.told.call(method, f"/api/v1/{path}", body)
        assert status in {200, 201, 204}, said

    def shows(self, what: str, path: str, true: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until every process answers `path` with entries of which this is true; note how long it took."""
        started = time.monotonic()
        for web in self.servers:
            until(lambda web=web: true(web.get(path)["recommendations"]), otherwise=web.said)
        self.delays[what] = time.monotonic() - started


def holds(item: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda entries: any(entry["item_id"] == item for entry in entries)


def lacks(item: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda entries: bool(entries) and not holds(item)(entries)


def sources(entries: list[dict[str, Any]], item: str) -> set[str]:
    """Who proposed the item, if somebody did."""
    return {entry["source"] for entry in entries if entry["item_id"] == item}


def priced(item: str, price: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda entries: [entry["item"]["price"] for entry in entries if entry["item_id"] == item] == [price]


@pytest.fixture
def live(shop: None, tmp_path: Path) -> Iterator[Shop]:
    """The shop's models trained, two processes up, and shoppers who keep every cache warm."""
    for name in ("item_knn", "content", "lexical", "popular_7d"):
        assert train_model(name, force=True).version
    key = api_key_create(name="flow", kind="secret")[1]

    def look(web: Web, path: str, answer: Any) -> None:
        found = [entry["item_id"] for entry in answer["recommendations"]]
        assert found
        assert len(set(found)) == len(found)

    with ExitStack() as stack:
        made = Shop(stack.enter_context(webs(2, tmp_path, key)))
        shoppers = stack.enter_context(Shoppers(made.servers, [HOME, POPULAR, SIMILAR, SHORT], look, pause=0.05))
        until(lambda: shoppers.answered >= 20)
        yield made
        sys.stdout.write("".join(f"{what}: {seconds:.2f} s\n" for what, seconds in made.delays.items()))
    assert shoppers.failures == []


def test_changes_of_items_are_seen_in_every_list_of_every_process(live: Shop) -> None:
    live.change("PATCH", "items/mug-4", {"price": "99.95"})
    live.shows("price", POPULAR, priced("mug-4", "99.95"))
    live.shows("price, personal", HOME, priced("mug-4", "99.95"))

    live.change("PATCH", "items/mug-4", {"stock": 0})
    live.shows("out of stock", POPULAR, lacks("mug-4"))
    live.shows("out of stock, personal", HOME, lacks("mug-4"))
    live.shows("out of stock, similar", SIMILAR, lacks("mug-4"))
    live.change("PATCH", "items/mug-4", {"stock": 7})
    live.shows("in stock again", POPULAR, holds("mug-4"))
    live.shows("in stock again, personal", HOME, holds("mug-4"))

    live.change("PATCH", "items/mug-6", {"available": False})
    live.shows("unavailable", HOME, lacks("mug-6"))
    live.change("PATCH", "items/mug-6", {"available": True})
    live.shows("available again", HOME, holds("mug-6"))

    live.change("DELETE", "items/mug-8")
    live.shows("deleted", HOME, lacks("mug-8"))
    live.shows("deleted, everybody's", POPULAR, lacks("mug-8"))

    new = {
        "item_id": "mug-new",
        "title": "Mug number 2",
        "description": "A mug for people who like a good mug.",
        "categories": ["Home > Mugs"],
        "price": "3.50",
    }
    live.change("POST", "items", new)
    live.shows("new, among all", HOME, holds("mug-new"))
    live.shows("new, similar by its words", SIMILAR, lambda entries: "content" in sources(entries, "mug-new"))


def test_edited_rules_and_placements_are_seen_by_every_process(live: Shop) -> None:
    rule = Rule.objects.create(name="not this one", action="hide", items=[Item.objects.get(external_id="mug-3").pk])
    live.shows("hidden by a rule", POPULAR, lacks("mug-3"))
    rule.active = False
    rule.save()
    live.shows("rule off", POPULAR, holds("mug-3"))

    pinned = Item.objects.get(external_id="lamp-9")
    pin = Rule.objects.create(name="first", action="pin", position=1, items=[pinned.pk])
    live.shows("pinned", SHORT, lambda entries: entries[0]["item_id"] == "lamp-9" and entries[0]["pinned"])
    pin.position = 2
    pin.save()
    live.shows("pinned elsewhere", SHORT, lambda entries: entries[1]["item_id"] == "lamp-9")
    pin.delete()
    live.shows("rule deleted", SHORT, lambda entries: not any(entry["pinned"] for entry in entries))

    placement = Placement.objects.get(key="popular")
    placement.count = 3
    placement.save()
    live.shows("count", SHORT, lambda entries: len(entries) == 3)
    placement.pipeline = "newest"
    placement.save()
    live.shows("pipeline", SHORT, lambda entries: {entry["source"] for entry in entries} == {"newest"})
    placement.price_min = 15
    placement.save()
    live.shows("price range", SHORT, lambda entries: all(float(entry["item"]["price"]) >= 15 for entry in entries))
