"""Redis and PostgreSQL are really frozen, killed and started again beside a web process: shelves stay full.

Nothing is restarted but the stores. How long the slowest answer took is printed, and bounded only by the patience of
whoever asks (30 s).
"""

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings

from tests.flows.conftest import EACH, KINDS
from tests.flows.stores import Stores, make_shop, private_stores
from tests.flows.webs import Shoppers, Web, webs
from tests.processes import until

MODELS = ("item_knn", "content", "popular_7d")
FULL = 10
KNOWN = {f"{kind}-{number}" for kind in KINDS for number in range(EACH)}
HOME = f"recommendations/user/shopper-1?limit={FULL}"
PATHS = [
    HOME,
    f"recommendations/user/nobody-knows-me?limit={FULL}",
    f"recommendations/user/shopper-2?limit={FULL}&filter=price%20%3C%2014&exclude=mug-1",
    f"recommendations/item/mug-2?limit={FULL}&user_id=shopper-1",
    f"recommendations/popular?limit={FULL}",
    f"recommendations/user/shopper-3?limit={FULL}&placement=category&category=Mugs",
]

pytestmark = pytest.mark.slow

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def servers() -> Iterator[Stores]:
    if "postgresql" not in settings.DATABASES["default"]["ENGINE"]:
        pytest.skip("needs PostgreSQL (DATABASE_URL), though another one: once for a run on both databases is enough")
    with private_stores() as made:
        yield made


@pytest.fixture(scope="module")
def web(servers: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    key = make_shop(servers, *MODELS)
    with webs(1, tmp_path_factory.mktemp("web"), key, environment=servers.environment) as started:
        yield started[0]


@pytest.fixture
def stores(servers: Stores, web: Web) -> Iterator[Stores]:
    """Both up, whatever the last test did."""
    yield servers
    for store in (servers.redis, servers.postgresql):
        store.up()


@pytest.fixture
def shoppers(web: Web) -> Iterator[Shoppers]:
    """Ask all the time, and are always answered with a full list."""
    with Shoppers([web], PATHS, full, threads=2, pause=0.01) as asking:
        several(asking, 30)
        yield asking
    sys.stdout.write(f"{asking.answered} answers, the slowest after {asking.slowest:.2f} s\n")
    assert asking.failures == []


def full(web: Web, path: str, answer: Any) -> None:
    found = [entry["item_id"] for entry in answer["recommendations"]]
    assert len(set(found)) == len(found) == FULL, f"{path}: {found}"
    assert set(found) <= KNOWN


def several(shoppers: Shoppers, count: int) -> None:
    """Wait for so many more answers."""
    enough = shoppers.answered + count
    until(lambda: shoppers.answered >= enough, otherwise=lambda: str(shoppers.failures[-3:]))


def full_for_a_stranger(web: Web) -> None:
    """Somebody this process has never heard of, by the ordinary way through the framework too."""
    for headers in ({}, {"X-Request-Id": "outage"}):
        path = f"recommendations/user/stranger-{next(numbers)}?limit={FULL}"
        full(web, path, web.get(path, **headers))


def personal(web: Web) -> bool:
    return web.get(HOME)["fallback"] is None


def profiles_in(store: Stores) -> bool:
    with redis.Redis.from_url(store.environment["REDIS_URL"]) as client:
        return any(client.scan_iter("*profile:*", count=1000))


def test_while_redis_hangs_is_gone_and_comes_back_everybody_gets_a_full_list(
    stores: Stores, web: Web, shoppers: Shoppers
) -> None:
    until(lambda: profiles_in(stores))
    stores.redis.freeze()
    several(shoppers, 30)
    full_for_a_stranger(web)
    assert personal(web)
    stores.redis.kill()
    several(shoppers, 30)
    full_for_a_stranger(web)
    seen = {"user_id": "shopper-1", "item_id": "mug-2", "interaction_type": "view"}
    assert web.call("POST", "/api/v1/interactions", seen)[0] == 201
    assert personal(web)
    stores.redis.start()
    until(lambda: profiles_in(stores), otherwise=web.said)
    several(shoppers, 30)


def test_while_postgresql_hangs_everybody_gets_a_full_list(stores: Stores, web: Web, shoppers: Shoppers) -> None:
    until(lambda: personal(web))
    stores.postgresql.freeze()
    several(shoppers, 60)
    assert personal(web)
    full_for_a_stranger(web)
    stores.postgresql.thaw()
    comes_back(stores, web, shoppers)


def test_while_postgresql_is_gone_keys_users_and_lists_are_as_they_were(
    stores: Stores, web: Web, shoppers: Shoppers
) -> None:
    until(lambda: personal(web))
    stores.postgresql.kill()
    several(shoppers, 60)
    assert personal(web)
    full_for_a_stranger(web)
    path = f"recommendations/user/shopper-1?limit={FULL}&placement=category&category=Lamps"
    full(web, path, web.get(path))  # nobody has asked for this category before
    stores.postgresql.start()
    comes_back(stores, web, shoppers)


def test_while_both_are_gone_everybody_gets_a_full_list(stores: Stores, web: Web, shoppers: Shoppers) -> None:
    stores.redis.kill()
    stores.postgresql.kill()
    several(shoppers, 60)
    full_for_a_stranger(web)
    stores.redis.start()
    stores.postgresql.start()
    comes_back(stores, web, shoppers)


def test_without_any_model_everybody_gets_a_full_list_until_there_is_one(
    stores: Stores, web: Web, shoppers: Shoppers
) -> None:
    until(lambda: personal(web))
    stores.run("UPDATE recommend_modelversion SET active = NOT active WHERE deleted_at IS NULL")
    until(lambda: web.get(HOME)["fallback"] == "newest", otherwise=web.said)
    several(shoppers, 30)
    stores.run("UPDATE recommend_modelversion SET active = NOT active WHERE deleted_at IS NULL")
    until(lambda: personal(web), otherwise=web.said)


def comes_back(stores: Stores, web: Web, shoppers: Shoppers) -> None:
    """What changes is seen again, and who asks is known again; no process was started anew."""
    price = f"{next(numbers)}.25"
    until(lambda: web.call("PATCH", "/api/v1/items/mug-4", {"price": price})[0] == 200, otherwise=web.said)
    everything = f"recommendations/popular?limit={2 * EACH}"

    def shown() -> bool:
        entries = web.get(everything)["recommendations"]
        return any(entry["item"]["price"] == price for entry in entries if entry["item_id"] == "mug-4")

    until(shown, otherwise=web.said)
    until(lambda: personal(web), otherwise=web.said)
    until(lambda: profiles_in(stores), otherwise=web.said)
    several(shoppers, 30)
