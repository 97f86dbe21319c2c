"""What an answer costs when nothing has changed since the last one: no SQL, and Redis only to hear of a new event."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.catalog.services import item_patch
from apps.interactions import profiles
from apps.interactions.profile_redis import RedisProfiles
from apps.interactions.services import EventInput, events_record
from apps.recommend import serving_state, shared_cache
from apps.recommend.models import Rule
from apps.recommend.train import train_model
from tests.factories import secret_key
from tests.processes import until

V1 = "/api/v1/recommendations"
OPTIONS = "limit=5&filter=price%20%3E%202&exclude=mug-1"
PATHS = [
    f"{V1}/user/shopper-1?{OPTIONS}",
    f"{V1}/user/nobody-knows-me?{OPTIONS}",
    f"{V1}/item/mug-2?{OPTIONS}&user_id=shopper-1&explain=true",
    f"{V1}/popular?{OPTIONS}",
    f"{V1}/user/shopper-1?placement=category&category=Mugs",
]
FRESH = "mug-14"

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture
def as_in_production(shop: None, settings: Any) -> None:
    """A trained shop with rules and controls, whose changes are followed in the background and not by requests."""
    for name in ("item_knn", "content", "popular_7d"):
        train_model(name, force=True)
    Rule.objects.create(name="cheap first", action="boost", filter="price < 9", strength=3.0)
    Rule.objects.create(name="not for the new", action="hide", filter="price > 15", segments=["new"])
    Rule.objects.create(name="never", action="hide", filter="price > 14.9")
    settings.SERVING_REFRESH_SECONDS = 3600
    settings.REQUEST_BUDGET_MS = 60_000  # a machine busy with tests is not late


@pytest.fixture
def lean() -> Client:
    """Takes the short way."""
    return Client(headers={"Authorization": f"Bearer {secret_key()}"})


@pytest.fixture
def ordinary() -> Client:
    """Takes the way through middleware and framework."""
    return Client(headers={"Authorization": f"Bearer {secret_key()}", "X-Request-Id": "1"})


@pytest.fixture(params=["lean", "ordinary"])
def ask(request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """Asks by one of the two ways; the ids that were recommended."""
    client: Client = request.getfixturevalue(request.param)

    def asked(path: str) -> list[str]:
        response = client.get(path)
        assert response.status_code == 200, response.content
        assert response.has_header("X-Request-Id") == (request.param == "ordinary"), "another way than was meant"
        found = [entry["item_id"] for entry in response.json()["recommendations"]]
        assert len(found) >= 5
        return found

    return asked


@pytest.fixture
def server() -> redis.Redis:
    if not configured.REDIS_URL:
        pytest.skip("needs Redis (REDIS_URL)")
    made: redis.Redis = cache.client.get_client()
    return made


@contextmanager
def round_trips(server: redis.Redis) -> Iterator[list[str]]:
    """What this database of the server is asked meanwhile, but for the pings that keep a connection honest."""
    asked: list[str] = []
    number = int(server.connection_pool.connection_kwargs.get("db", 0))
    with redis.Redis.from_url(configured.REDIS_URL) as listener, listener.monitor() as monitor:
        yield asked
        server.echo("enough")
        for command in monitor.listen():
            if command["command"] == "ECHO enough":
                return
            own = command["db"] == number and command["client_type"] != "lua"  # what scripts do costs no round trip
            if own and not command["command"].startswith(("PING", "CLIENT", "HELLO", "SELECT")):
                asked.append(command["command"])


@contextmanager
def by_another_process(server: redis.Redis) -> Iterator[None]:
    """What is recorded meanwhile, this process only hears of."""
    with (
        closing(RedisProfiles(server, str(cache.make_key("profile:")))) as other,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(profiles, "_redis", other)
        yield


def listening() -> None:
    store = profiles._connected()
    assert store is not None
    store.profile("nobody")
    until(lambda: store._memory.listening)


def test_what_a_process_remembers_costs_neither_sql_nor_redis(
    server: redis.Redis, as_in_production: None, ask: Callable[[str], list[str]]
) -> None:
    listening()
    for path in PATHS:
        first = [ask(path) for _ in range(2)]
        shared_cache.flush()
        with CaptureQueriesContext(connection) as queries, round_trips(server) as asked:
            assert ask(path) in first
        assert ([query["sql"] for query in queries], asked) == ([], []), path


def test_after_an_event_that_another_process_recorded_it_costs_one_round_trip_and_no_sql(
    server: redis.Redis, as_in_production: None, ask: Callable[[str], list[str]]
) -> None:
    listening()
    path = f"{V1}/user/shopper-1?limit=30"
    before = ask(path)
    for _ in range(2):
        with by_another_process(server):
            events_record([EventInput("view", item_id=FRESH, user_id="shopper-1")])
        shared_cache.flush()
        with CaptureQueriesContext(connection) as queries, round_trips(server) as asked:
            after = ask(path)
        assert [query["sql"] for query in queries] == []
        assert len(asked) == 1, asked
    assert after != before  # it was not what it remembered


def test_a_change_of_the_catalog_costs_requests_nothing(
    server: redis.Redis, as_in_production: None, ask: Callable[[str], list[str]]
) -> None:
    """It is the process that follows the catalog, in the background."""
    listening()
    for path in [*PATHS, *PATHS]:
        ask(path)
    shared_cache.flush()
    item_patch("mug-7", {"price": "12.34"})
    serving_state.refresh()
    for path in PATHS:
        with CaptureQueriesContext(connection) as queries, round_trips(server) as asked:
            ask(path)
        assert ([query["sql"] for query in queries], asked) == ([], []), path


@pytest.fixture
def no_redis() -> None:
    if configured.REDIS_URL:
        pytest.skip("Redis is there")


def test_without_redis_it_costs_the_question_whether_the_user_has_changed(
    no_redis: None, as_in_production: None, ask: Callable[[str], list[str]]
) -> None:
    for path in PATHS:
        ask(path)
        about_somebody = "shopper-1" in path or "nobody" in path
        with CaptureQueriesContext(connection) as queries:
            ask(path)
        assert len(queries) == about_somebody, [query["sql"] for query in queries]
    events_record([EventInput("view", item_id=FRESH, user_id="shopper-1")])
    with CaptureQueriesContext(connection) as queries:
        ask(PATHS[0])
    assert len(queries) == 1
